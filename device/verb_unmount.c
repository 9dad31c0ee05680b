#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "device/boot_key.h"
#include "device/control.h"
#include "device/mount_point.h"
#include "device/mount_record.h"
#include "device/mount_table.h"
#include "device/options.h"
#include "device/verb.h"
#include "host/clock.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "protocol/crypto.h"

#define CLOSE_PATIENCE_MS UINT64_C(60000)
#define LOOK_AGAIN_MS 10
#define USAGE "unmount [--lazy] [--forget] [MOUNT-POINT]"

/*
 * The volume process holds the container's lock until its last checkpoint is on disk. CV_ERR_EXISTS:
 * there is a mount of it by now, so that one has it.
 */
static enum cv_err wait_for_lock(const char *container, uint64_t patience_ms)
{
	int fd = open(container, O_RDONLY | O_CLOEXEC);
	uint64_t until = clock_monotonic_ms() + patience_ms;
	enum cv_err err = CV_OK;

	if (fd < 0)
		return file_error(errno);
	while (err == CV_OK && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			err = file_error(errno);
		else if (mount_table_has(container))
			err = CV_ERR_EXISTS;
		else if (clock_monotonic_ms() >= until)
			err = CV_ERR_TIMEOUT;
		else
			(void)poll(NULL, 0, LOOK_AGAIN_MS);
	}
	close(fd);
	return err;
}

/* The watcher died, the mount may live on. */
static int unmount_orphan(const struct options *o)
{
	struct mount_record r;
	enum cv_err err = mount_record_read(&r, o->run_dir);

	if (err == CV_ERR_NOT_FOUND && o->forget)
		return EXIT_CODE_OK;
	if (err == CV_ERR_NOT_FOUND) {
		log_error("unmount: nothing is mounted (run directory %s)", o->run_dir);
		return EXIT_CODE_CONFIG;
	}
	if (err == CV_OK)
		err = mount_point_detach(r.mount_point, o->lazy);
	if (err == CV_ERR_IO || err == CV_ERR_INTERNAL) /* EINVAL: not mounted any more */
		err = CV_OK;
	if (err == CV_OK && !o->lazy)
		err = wait_for_lock(r.container, CLOSE_PATIENCE_MS);
	if (err == CV_ERR_EXISTS) /* a bind mount of it */
		err = CV_ERR_BUSY;
	if (err != CV_OK) {
		log_error("unmount %s: %s", r.mount_point,
			err == CV_ERR_BUSY ? "in use: somebody works in it" : cv_err_text(err));
		return exit_code_of(err);
	}
	mount_record_remove(o->run_dir);
	printf("unmounted: the watcher was gone\n");
	return EXIT_CODE_OK;
}

static enum cv_err detach(const char *mount_point, bool lazy, const char *container)
{
	enum cv_err err = mount_point_detach(mount_point, lazy);

	/* a bind mount was one of several: the volume goes on */
	if (err == CV_OK && !lazy && !mount_table_has(container))
		err = wait_for_lock(container, CLOSE_PATIENCE_MS);
	if (err == CV_ERR_EXISTS) /* somebody was waiting to mount it again */
		err = CV_OK;
	if (err == CV_ERR_TIMEOUT) {
		log_warning("unmount %s: the volume is still open: mounted elsewhere, perhaps in "
			    "another namespace", mount_point);
		err = CV_OK;
	}
	if (err != CV_OK)
		log_error("unmount %s: %s", mount_point,
			err == CV_ERR_BUSY ? "in use: somebody works in it" : cv_err_text(err));
	return err;
}

/* For umount(8), which knows the mount point and no run directory. */
static int unmount_at(const struct options *o, const char *path)
{
	char mount_point[FILE_PATH_BUF], container[FILE_PATH_BUF];
	enum cv_err err = CV_OK;

	/* with nobody behind it there is nothing to resolve */
	if (realpath(path, mount_point) == NULL && errno == ENOTCONN && path[0] == '/')
		snprintf(mount_point, sizeof(mount_point), "%s", path);
	else if (realpath(path, mount_point) == NULL) {
		log_error("unmount %s: %s", path, strerror(errno));
		return exit_code_of(file_error(errno));
	}
	err = mount_table_container(container, mount_point);
	if (err == CV_ERR_NOT_FOUND) {
		log_error("unmount %s: no volume is mounted there", mount_point);
		return EXIT_CODE_CONFIG;
	}
	if (err != CV_OK) {
		log_error("unmount %s: %s", mount_point, cv_err_text(err));
		return exit_code_of(err);
	}
	return exit_code_of(detach(mount_point, o->lazy, container));
}

static int unmount(const struct options *o)
{
	char text[CONTROL_TEXT_MAX];
	int code = EXIT_CODE_INTERNAL;
	enum cv_err err =
		control_ask(&code, text, o->run_dir, o->lazy ? "unmount lazy" : "unmount");

	if (err == CV_ERR_NOT_FOUND)
		return unmount_orphan(o);
	if (err != CV_OK) {
		log_error("watcher: %s", cv_err_text(err));
		return exit_code_of(err);
	}
	if (code == EXIT_CODE_OK)
		printf("%s\n", text);
	else
		log_error("unmount: %s", text);
	return code;
}

static int forget(const struct options *o)
{
	enum cv_err err = crypto_init();

	if (err == CV_OK)
		err = boot_key_forget(o->run_dir, o->state_dir);
	if (err != CV_OK)
		log_error("boot key: %s", cv_err_text(err));
	return exit_code_of(err);
}

int verb_unmount(int argc, char **argv)
{
	struct options o;
	bool help;
	enum cv_err err =
		options_parse(&o, argc, argv, OPTION_LAZY | OPTION_FORGET, USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	if (err == CV_OK && o.word_count > 1) {
		log_error("unmount: usage: conclave-device %s", USAGE);
		err = CV_ERR_ARGUMENT;
	}
	if (err != CV_OK)
		return EXIT_CODE_USAGE;
	int code = o.word_count == 1 ? unmount_at(&o, o.words[0]) : unmount(&o);
	return code == EXIT_CODE_OK && o.forget ? forget(&o) : code;
}
