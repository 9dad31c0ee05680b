#include "device/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"

#define BACKLOG 8

enum cv_err control_run_dir(const char *run_dir)
{
	enum cv_err err = file_exists(run_dir) ? CV_OK : file_make_dir(run_dir, 0700);

	if (err == CV_OK)
		err = file_check_private_dir(run_dir);
	if (err != CV_OK)
		log_error("run directory %s: %s", run_dir, cv_err_text(err));
	return err;
}

/* Socket names are short: a long directory is refused, not cut. */
static enum cv_err address_of(struct sockaddr_un *a, const char *run_dir)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	return file_path_join(a->sun_path, sizeof(a->sun_path), run_dir, CONTROL_SOCKET);
}

enum cv_err control_listen(int *fd, const char *run_dir)
{
	struct sockaddr_un a;
	enum cv_err err = address_of(&a, run_dir);
	int f;

	if (err != CV_OK)
		return err;
	f = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (f < 0)
		return file_error(errno);
	unlink(a.sun_path);
	mode_t old = umask(0177);
	int r = bind(f, (struct sockaddr *)&a, sizeof(a));
	umask(old);
	if (r != 0 || listen(f, BACKLOG) != 0) {
		err = file_error(errno);
		close(f);
		return err;
	}
	*fd = f;
	return CV_OK;
}

static enum cv_err receive_text(int fd, char text[CONTROL_TEXT_MAX])
{
	ssize_t n;

	do
		n = recv(fd, text, CONTROL_TEXT_MAX - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return CV_ERR_NOT_FOUND; /* it ended before it answered */
	if (n < 0)
		return file_error(errno);
	text[n] = '\0';
	return CV_OK;
}

enum cv_err control_accept(int *client, char text[CONTROL_TEXT_MAX], int listener)
{
	/* a client that says nothing must not hold the watcher up */
	const struct timeval patience = { .tv_sec = 1 };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	enum cv_err err;

	if (fd < 0)
		return file_error(errno);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	err = receive_text(fd, text);
	if (err != CV_OK) {
		close(fd);
		return err;
	}
	*client = fd;
	return CV_OK;
}

void control_answer(int client, int exit_code, const char *text)
{
	char packet[CONTROL_TEXT_MAX];
	int n = snprintf(packet, sizeof(packet), "%d %s", exit_code, text);

	if (n >= (int)sizeof(packet))
		n = (int)sizeof(packet) - 1;
	if (send(client, packet, (size_t)n, MSG_NOSIGNAL) < 0)
		log_debug("control: the client went away");
}

enum cv_err control_ask(
	int *exit_code, char text[CONTROL_TEXT_MAX], const char *run_dir, const char *request)
{
	struct sockaddr_un a;
	char *end;
	enum cv_err err = address_of(&a, run_dir);
	int fd;

	if (err != CV_OK)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return file_error(errno);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		err = errno == ECONNREFUSED ? CV_ERR_NOT_FOUND : file_error(errno);
	else if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		err = file_error(errno);
	else
		err = receive_text(fd, text);
	close(fd);
	if (err != CV_OK)
		return err;
	*exit_code = (int)strtol(text, &end, 10);
	if (*end != ' ')
		return CV_ERR_FORMAT;
	memmove(text, end + 1, strlen(end + 1) + 1);
	return CV_OK;
}
