#include "host/ready.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/file.h"

enum cv_err ready_line(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		return CV_ERR_TOO_LONG;
	line[n++] = '\n';
	return file_write_descriptor(STDOUT_FILENO, line, (size_t)n);
}

enum cv_err ready_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	enum cv_err err = CV_OK;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return CV_OK;
	size_t n = strlen(path);
	if (n >= sizeof(to.sun_path))
		return CV_ERR_TOO_LONG;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* abstract */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return file_error(errno);
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		err = file_error(errno);
	close(fd);
	return err;
}
