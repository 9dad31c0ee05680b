#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port.h"

#define HOST_MAX 64
#define SERVICE_MAX 6

static enum cv_err address_split(
	const char *address, char host[HOST_MAX], char service[SERVICE_MAX])
{
	const char *colon = strrchr(address, ':');
	const char *start = address;
	size_t host_len, service_len;

	if (colon == NULL)
		return CV_ERR_FORMAT;
	host_len = (size_t)(colon - address);
	if (host_len >= 2 && start[0] == '[' && start[host_len - 1] == ']') {
		start++;
		host_len -= 2;
	}
	service_len = strlen(colon + 1);
	if (host_len == 0 || host_len >= HOST_MAX || service_len == 0 || service_len >= SERVICE_MAX)
		return CV_ERR_FORMAT;
	memcpy(host, start, host_len);
	host[host_len] = 0;
	memcpy(service, colon + 1, service_len + 1);
	return CV_OK;
}

static enum cv_err wait_for(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events, .revents = 0};
		uint64_t now = port_monotonic_ms();
		int n;

		if (now >= deadline_ms)
			return CV_ERR_TIMEOUT;
		n = poll(&p, 1, deadline_ms - now > 60000 ? 60000 : (int)(deadline_ms - now));
		if (n > 0)
			return CV_OK;
		if (n < 0 && errno != EINTR)
			return CV_ERR_UNREACHABLE;
	}
}

static enum cv_err connect_one(int *out, const struct addrinfo *a, uint64_t deadline_ms)
{
	enum cv_err err = CV_ERR_UNREACHABLE;
	int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
	int failed = 0;
	socklen_t failed_len = sizeof(failed);
	const int on = 1;

	if (fd < 0)
		return CV_ERR_UNREACHABLE;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		goto out;
	/* lwIP has no programs to keep it from and refuses this. */
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	/*
	 * A request is two writes, head and body: the second must not wait for the first one's ACK.
	 */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
		if (errno != EINPROGRESS)
			goto out;
		err = wait_for(fd, POLLOUT, deadline_ms);
		if (err != CV_OK)
			goto out;
		err = CV_ERR_UNREACHABLE;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &failed_len) != 0 || failed != 0)
			goto out;
	}
	*out = fd;
	return CV_OK;
out:
	close(fd);
	return err;
}

enum cv_err net_connect(int *fd, const char *address, uint64_t deadline_ms)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char host[HOST_MAX], service[SERVICE_MAX];
	enum cv_err err = address_split(address, host, service);

	if (err != CV_OK)
		return err;
	if (getaddrinfo(host, service, &hints, &list) != 0)
		return CV_ERR_UNREACHABLE;
	err = CV_ERR_UNREACHABLE;
	for (const struct addrinfo *a = list; a != NULL && err != CV_OK; a = a->ai_next)
		err = connect_one(fd, a, deadline_ms);
	freeaddrinfo(list);
	return err;
}

void net_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

enum cv_err net_read(int fd, void *buf, size_t len, uint64_t deadline_ms, size_t *done)
{
	for (;;) {
		ssize_t n = recv(fd, buf, len, 0);
		enum cv_err err;

		if (n >= 0) {
			*done = (size_t)n;
			return CV_OK;
		}
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return CV_ERR_UNREACHABLE;
		err = wait_for(fd, POLLIN, deadline_ms);
		if (err != CV_OK)
			return err;
	}
}

enum cv_err net_write(int fd, const void *buf, size_t len, uint64_t deadline_ms, size_t *done)
{
	for (;;) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);
		enum cv_err err;

		if (n >= 0) {
			*done = (size_t)n;
			return CV_OK;
		}
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return CV_ERR_UNREACHABLE;
		err = wait_for(fd, POLLOUT, deadline_ms);
		if (err != CV_OK)
			return err;
	}
}
