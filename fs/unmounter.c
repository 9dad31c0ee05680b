#include "fs/unmounter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/process.h"

/* The kernel's number of the mount at `path`, without asking its filesystem; 0 if unknown. */
static uint64_t mount_id(const char *path)
{
#ifdef STATX_MNT_ID
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) == 0 &&
		st.stx_mask & STATX_MNT_ID)
		return st.stx_mnt_id;
#else
	(void)path;
#endif
	return 0;
}

/*
 * What programs have written and only the kernel knows of comes to the volume process now. A
 * detached mount can no longer be reached for that.
 */
static void sync_through(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)syncfs(fd); /* an error of the container is the volume process's to report */
	(void)close(fd);
}

static int detach(const char *path, uint64_t id, char how)
{
	if (id && mount_id(path) != id)
		return EINVAL;
	if (how == 'l')
		sync_through(path);
	return umount2(path, UMOUNT_NOFOLLOW | (how == 'l' ? MNT_DETACH : 0)) ? errno : 0;
}

__attribute__((noreturn)) static void serve(int fd, const char *path)
{
	uint64_t id = mount_id(path);
	int closed = 0;
	char how;

	(void)prctl(PR_SET_NAME, "conclave-umount");
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	if (process_close_others(&fd, 1) != CV_OK ||
		send(fd, &closed, sizeof(closed), MSG_NOSIGNAL) != (ssize_t)sizeof(closed))
		_exit(1);
	while (recv(fd, &how, 1, 0) == 1) {
		int e = detach(path, id, how);

		if (send(fd, &e, sizeof(e), MSG_NOSIGNAL) != (ssize_t)sizeof(e))
			break;
	}
	_exit(0);
}

enum cv_err unmounter_open(struct unmounter *u, const char *mount_point)
{
	int pair[2];
	pid_t pid;

	u->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return CV_ERR_IO;
	pid = fork();
	if (pid < 0) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return CV_ERR_MEMORY;
	}
	if (pid == 0)
		serve(pair[1], mount_point);
	(void)close(pair[1]);
	u->fd = pair[0];
	/* until it has let go of our descriptors, the container's lock would outlive us by it */
	if (unmounter_answer(u) != 0) {
		unmounter_close(u);
		return CV_ERR_IO;
	}
	return CV_OK;
}

void unmounter_close(struct unmounter *u)
{
	if (u->fd >= 0)
		(void)close(u->fd);
	u->fd = -1;
}

enum cv_err unmounter_ask(struct unmounter *u, bool lazy)
{
	char how = lazy ? 'l' : 'n';

	if (u->fd < 0)
		return CV_ERR_PERMISSION;
	return send(u->fd, &how, 1, MSG_NOSIGNAL) == 1 ? CV_OK : CV_ERR_IO;
}

int unmounter_answer(struct unmounter *u)
{
	int e = 0;

	return recv(u->fd, &e, sizeof(e), 0) == (ssize_t)sizeof(e) ? e : EPIPE;
}
