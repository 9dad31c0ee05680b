#include "device/volume_process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/claim.h"
#include "host/file.h"
#include "host/log.h"

#define PROGRAM "conclave-volumed"
#define ARGUMENTS_MAX 22

/* Numbers of the descriptors in the volume process. */
enum { FD_KEY = 3, FD_CONTROL = 4, FD_CONTAINER = 5, FD_FUSE = 6 };

enum cv_err volume_process_find(char *out, size_t cap)
{
	return process_find_program(out, cap, "CONCLAVE_VOLUMED", PROGRAM);
}

enum cv_err volume_container_open(int *fd, const char *path, bool read_only)
{
	/* O_EXCL claims a block device, so that nobody mounts or formats it meanwhile */
	int f = claim_open(path, (read_only ? O_RDONLY : O_RDWR) | O_EXCL | O_CLOEXEC | O_NOCTTY);
	enum cv_err err = CV_ERR_INTERNAL;

	if (f < 0)
		return file_error(errno);
	err = claim_lock(f, !read_only, true);
	if (err != CV_OK) {
		close(f);
		return err;
	}
	*fd = f;
	return CV_OK;
}

struct arguments {
	char text[ARGUMENTS_MAX][32];
	char *argv[ARGUMENTS_MAX + 1];
	int count;
};

static void add(struct arguments *a, const char *option, uint64_t number)
{
	a->argv[a->count++] = (char *)option;
	snprintf(a->text[a->count], sizeof(a->text[0]), "%llu", (unsigned long long)number);
	a->argv[a->count] = a->text[a->count];
	a->count++;
}

static void build_arguments(struct arguments *a, const struct volume_start *start)
{
	a->count = 0;
	a->argv[a->count++] = PROGRAM;
	add(a, "--key-fd", FD_KEY);
	add(a, "--control-fd", FD_CONTROL);
	add(a, "--container-fd", FD_CONTAINER);
	add(a, "--fuse-fd", FD_FUSE);
	a->argv[a->count++] = "--mount-point";
	a->argv[a->count++] = (char *)start->mount_point;
	if (start->read_only)
		a->argv[a->count++] = "--read-only";
	if (start->accept_older)
		a->argv[a->count++] = "--accept-older";
	if (start->min_generation != 0)
		add(a, "--min-generation", start->min_generation);
	if (start->cache_mib != 0)
		add(a, "--cache-mib", start->cache_mib);
	if (start->words[0] != '\0') {
		a->argv[a->count++] = "-o";
		a->argv[a->count++] = (char *)start->words;
	}
	a->argv[a->count] = NULL;
}

enum cv_err volume_process_start(struct volume_process *v, const struct volume_start *start,
	const uint8_t secret[CV_SECRET_BYTES])
{
	struct arguments a;
	int key[2] = { -1, -1 }, control[2] = { -1, -1 }, null = -1;
	enum cv_err err = CV_ERR_INTERNAL;

	*v = (struct volume_process){ .control = -1 };
	if (pipe2(key, O_CLOEXEC) != 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) {
		err = file_error(errno);
		goto out;
	}
	/* 32 bytes fit any pipe: nobody waits here, and no copy is left if the child never reads */
	err = file_write_descriptor(key[1], secret, CV_SECRET_BYTES);
	if (err != CV_OK)
		goto out;
	build_arguments(&a, start);
	/* whoever waits for the end of our output must not wait for the end of the mount */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0) {
		err = file_error(errno);
		goto out;
	}
	const struct process_fd fds[] = { { key[0], FD_KEY }, { control[1], FD_CONTROL },
		{ start->container_fd, FD_CONTAINER }, { start->fuse_fd, FD_FUSE },
		{ null, STDIN_FILENO }, { null, STDOUT_FILENO },
		{ start->log_fd >= 0 ? start->log_fd : STDERR_FILENO, STDERR_FILENO } };
	struct process_spec spec = { .path = start->program, .argv = a.argv, .fds = fds,
		.fd_count = sizeof(fds) / sizeof(fds[0]), .new_session = true };
	err = process_spawn(&v->process, &spec);
	if (err == CV_OK) {
		v->control = control[0];
		control[0] = -1;
	}
out:
	if (err != CV_OK)
		log_error("volume process: %s: %s", start->program, cv_err_text(err));
	if (null >= 0)
		close(null);
	for (int i = 0; i < 2; i++) {
		if (key[i] >= 0)
			close(key[i]);
		if (control[i] >= 0)
			close(control[i]);
	}
	return err;
}

enum cv_err volume_process_receive(struct volume_process *v, struct volume_ctl_message *m)
{
	ssize_t n;

	do
		n = recv(v->control, m, sizeof(*m), 0);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return CV_ERR_NOT_FOUND;
	if (n < 0)
		return file_error(errno);
	if (n != (ssize_t)sizeof(*m))
		return CV_ERR_FORMAT;
	m->text[VOLUME_CTL_TEXT_MAX - 1] = '\0';
	return CV_OK;
}

enum cv_err volume_process_send(
	struct volume_process *v, enum volume_ctl_type type, const char *text)
{
	struct volume_ctl_message m = { .type = type };

	snprintf(m.text, sizeof(m.text), "%s", text);
	return send(v->control, &m, sizeof(m), MSG_NOSIGNAL) == (ssize_t)sizeof(m) ?
		CV_OK :
		file_error(errno);
}

void volume_process_reap(struct volume_process *v)
{
	if (!v->ended && v->process.pid > 0 && process_wait(&v->process, -1, &v->status) == CV_OK)
		v->ended = true;
	if (v->control >= 0)
		close(v->control);
	v->control = -1;
}
