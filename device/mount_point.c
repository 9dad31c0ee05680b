#include "device/mount_point.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"
#include "host/process.h"

#define FUSERMOUNT "/usr/bin/fusermount3"
#define COMM_FD 3 /* its number in fusermount3 */

static enum cv_err attach_as_root(
	int *fd, const char *path, const struct mount_options *options, mode_t mode)
{
	char data[160];
	unsigned long flags = options->flags | (options->read_only ? MS_RDONLY : 0);
	int f = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (f < 0) {
		log_error("/dev/fuse: %s: is the fuse module there?", strerror(errno));
		return CV_ERR_FUSE;
	}
	snprintf(data, sizeof(data), "fd=%d,rootmode=%o,user_id=0,group_id=0,default_permissions%s",
		f, (unsigned int)(mode & S_IFMT), options->allow_other ? ",allow_other" : "");
	if (mount(options->source, path, "fuse.conclave", flags, data) != 0) {
		log_error("mount %s: %s", path, strerror(errno));
		close(f);
		return CV_ERR_FUSE;
	}
	*fd = f;
	return CV_OK;
}

/* fusermount3 hands the descriptor over a socket (libfuse's lib/mount.c is the specification). */
static int receive_descriptor(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd;

	if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static enum cv_err run_fusermount(char *const *argv, const struct process_fd *fds, size_t count)
{
	static char path[] = "PATH=/usr/bin:/bin", comm[] = "_FUSE_COMMFD=3";
	char *const envp[] = { path, comm, NULL };
	struct process_spec spec = { .path = FUSERMOUNT, .argv = argv, .envp = envp, .fds = fds,
		.fd_count = count };
	struct process p;
	int status = 0;
	enum cv_err err = process_spawn(&p, &spec);

	if (err != CV_OK) {
		log_error("%s: %s", FUSERMOUNT, cv_err_text(err));
		return CV_ERR_FUSE;
	}
	err = process_wait(&p, -1, &status);
	if (err != CV_OK)
		return err;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CV_OK : CV_ERR_FUSE;
}

/* Within the options of fusermount3 a comma or backslash of a name needs a backslash. */
static void escape_commas(char *out, size_t cap, const char *text)
{
	size_t len = 0;

	for (; *text != '\0' && len + 3 <= cap; text++) {
		if (*text == ',' || *text == '\\')
			out[len++] = '\\';
		out[len++] = *text;
	}
	out[len] = '\0';
}

static enum cv_err attach_as_user(int *fd, const char *path, const struct mount_options *options)
{
	char opts[2 * FILE_PATH_BUF + 128];
	size_t len = 0;
	char *const argv[] = { "fusermount3", "-o", opts, "--", (char *)path, NULL };
	int sockets[2];

	/* allow_other is root's to grant (/etc/fuse.conf) and not asked for here */
	len = (size_t)snprintf(opts, sizeof(opts), "nodev,nosuid,subtype=conclave,"
		"default_permissions%s%s%s,fsname=", options->read_only ? ",ro" : "",
		options->flags & MS_NOEXEC ? ",noexec" : "",
		options->flags & MS_SYNCHRONOUS ? ",sync" : "");
	escape_commas(opts + len, sizeof(opts) - len, options->source);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return file_error(errno);
	const struct process_fd comm = { sockets[1], COMM_FD };
	enum cv_err err = run_fusermount(argv, &comm, 1);
	close(sockets[1]);
	if (err == CV_OK) {
		*fd = receive_descriptor(sockets[0]);
		if (*fd < 0)
			err = CV_ERR_FUSE;
	}
	close(sockets[0]);
	if (err != CV_OK)
		log_error("mount %s: fusermount3 failed", path);
	return err;
}

static enum cv_err check_directory(struct stat *st, const char *path)
{
	if (stat(path, st) != 0) {
		log_error("mount point %s: %s", path, strerror(errno));
		return errno == ENOTCONN ? CV_ERR_BUSY : file_error(errno);
	}
	if (S_ISDIR(st->st_mode))
		return CV_OK;
	log_error("mount point %s: not a directory", path);
	return CV_ERR_CONFIG;
}

enum cv_err mount_point_check(const char *path)
{
	struct stat st;
	enum cv_err err = check_directory(&st, path);

	if (err != CV_OK)
		return err;
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		log_error("/dev/fuse: %s: without FUSE nothing can be mounted", strerror(errno));
		return CV_ERR_FUSE;
	}
	close(fd);
	return CV_OK;
}

enum cv_err mount_point_attach(int *fd, const char *path, const struct mount_options *options)
{
	struct stat st;
	enum cv_err err = check_directory(&st, path);

	if (err != CV_OK)
		return err;
	return geteuid() == 0 ? attach_as_root(fd, path, options, st.st_mode) :
				attach_as_user(fd, path, options);
}

bool mount_point_is_dead(const char *path)
{
	struct statfs st; /* the kernel caches attributes, not this */

	return statfs(path, &st) != 0 && errno == ENOTCONN;
}

enum cv_err mount_point_detach(const char *path, bool lazy)
{
	char *const argv[] = { "fusermount3", "-u", lazy ? "-z" : "-q", "--", (char *)path, NULL };

	if (geteuid() == 0)
		return umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0 ?
			CV_OK :
			file_error(errno);
	/* it tells "busy" from nothing else by its text: what fails is taken for busy */
	return run_fusermount(argv, NULL, 0) == CV_OK ? CV_OK : CV_ERR_BUSY;
}
