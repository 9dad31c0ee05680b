#include "host/psk_link.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "host/clock.h"
#include "host/psk_link_tls.h"
#include "protocol/base64url.h"

#define LENGTH_BYTES 4
#define PORT_DIGITS 5

/* HOST:PORT into its parts. */
static enum cv_err split(const char *address, char host[PSK_LINK_ADDRESS_BUF], const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon != NULL ? (size_t)(colon - address) : 0;

	if (len == 0 || len >= PSK_LINK_ADDRESS_BUF || colon[1] == '\0' ||
		strlen(colon + 1) > PORT_DIGITS ||
		strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
		strtoul(colon + 1, NULL, 10) > UINT16_MAX)
		return CV_ERR_ARGUMENT;
	if (address[0] == '[' && len > 2 && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	memcpy(host, address, len);
	host[len] = '\0';
	*port = colon + 1;
	return CV_OK;
}

enum cv_err psk_link_token_encode(char out[PSK_LINK_TOKEN_BUF], const char *address,
	const uint8_t key[PSK_LINK_KEY_BYTES])
{
	const size_t len = strlen(address);

	if (len >= PSK_LINK_ADDRESS_BUF)
		return CV_ERR_TOO_LONG;
	memcpy(out, address, len);
	out[len] = '/';
	return base64url_encode(
		out + len + 1, PSK_LINK_TOKEN_BUF - len - 1, key, PSK_LINK_KEY_BYTES);
}

enum cv_err psk_link_token_decode(char address[PSK_LINK_ADDRESS_BUF],
	uint8_t key[PSK_LINK_KEY_BYTES], const char *text)
{
	const char *slash = strrchr(text, '/');
	const size_t len = slash != NULL ? (size_t)(slash - text) : 0;

	if (len == 0 || len >= PSK_LINK_ADDRESS_BUF ||
		base64url_decode_exact(key, PSK_LINK_KEY_BYTES, slash + 1,
			strcspn(slash + 1, " \t\r\n")) != CV_OK)
		return CV_ERR_FORMAT;
	memcpy(address, text, len);
	address[len] = '\0';
	return CV_OK;
}

static enum cv_err look_up(struct addrinfo **out, const char *address, int flags)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	char host[PSK_LINK_ADDRESS_BUF];
	const char *port;
	enum cv_err err = split(address, host, &port);

	if (err == CV_OK && getaddrinfo(host, port, &hints, out) != 0)
		err = CV_ERR_ARGUMENT;
	return err;
}

static enum cv_err name_bound(char out[PSK_LINK_ADDRESS_BUF], int fd, const char *address)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	char port[8];
	const int host = (int)(strrchr(address, ':') - address);
	int n;

	if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0 ||
		getnameinfo((struct sockaddr *)&bound, len, NULL, 0, port, sizeof(port),
			NI_NUMERICSERV) != 0)
		return CV_ERR_IO;
	n = snprintf(out, PSK_LINK_ADDRESS_BUF, "%.*s:%s", host, address, port);
	return n > 0 && n < PSK_LINK_ADDRESS_BUF ? CV_OK : CV_ERR_TOO_LONG;
}

enum cv_err psk_link_listen(int *fd, char bound[PSK_LINK_ADDRESS_BUF], const char *address)
{
	struct addrinfo *list = NULL;
	const int yes = 1;
	int s = -1;
	enum cv_err err = look_up(&list, address, AI_PASSIVE);

	if (err != CV_OK)
		return err;
	s = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
		bind(s, list->ai_addr, list->ai_addrlen) != 0 || listen(s, 8) != 0)
		err = errno == EADDRINUSE ? CV_ERR_BUSY : CV_ERR_UNREACHABLE;
	if (err == CV_OK)
		err = name_bound(bound, s, address);
	freeaddrinfo(list);
	if (err == CV_OK)
		*fd = s;
	else if (s >= 0)
		close(s);
	return err;
}

/* CV_OK: ready; CV_ERR_TIMEOUT. */
static enum cv_err await(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		const uint64_t now = clock_monotonic_ms();
		struct pollfd p = {fd, events, 0};
		int n;

		if (now >= deadline_ms)
			return CV_ERR_TIMEOUT;
		n = poll(&p, 1, deadline_ms - now > 60000 ? 60000 : (int)(deadline_ms - now));
		if (n > 0)
			return CV_OK;
		if (n < 0 && errno != EINTR)
			return CV_ERR_IO;
	}
}

/* After a call that returned `result`: CV_OK to try it again. */
static enum cv_err go_on(struct psk_link *l, int result, uint64_t deadline_ms)
{
	switch (SSL_get_error(l->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return await(l->fd, POLLIN, deadline_ms);
	case SSL_ERROR_WANT_WRITE:
		return await(l->fd, POLLOUT, deadline_ms);
	case SSL_ERROR_SSL:
		ERR_clear_error();
		return CV_ERR_SEAL;
	default:
		ERR_clear_error();
		return CV_ERR_UNREACHABLE;
	}
}

/* Takes `fd` over, also on failure. */
static enum cv_err shake_hands(struct psk_link **out, int fd, bool server,
	const uint8_t key[PSK_LINK_KEY_BYTES], uint64_t deadline_ms)
{
	struct psk_link *l = NULL;
	enum cv_err err = psk_link_tls_open(&l, fd, server, key);
	int result;

	if (err != CV_OK)
		return err;
	while (err == CV_OK && (result = SSL_do_handshake(l->ssl)) != 1)
		err = go_on(l, result, deadline_ms);
	/* nobody has a certificate here: without the key there is no session */
	if (err == CV_OK && SSL_session_reused(l->ssl) != 1)
		err = CV_ERR_SEAL;
	if (err == CV_OK)
		*out = l;
	else
		psk_link_close(l);
	return err;
}

enum cv_err psk_link_accept(struct psk_link **out, int listen_fd,
	const uint8_t key[PSK_LINK_KEY_BYTES], uint64_t deadline_ms, uint64_t handshake_ms)
{
	uint64_t end;
	int fd;
	enum cv_err err;

	do {
		err = await(listen_fd, POLLIN, deadline_ms);
		if (err != CV_OK)
			return err;
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR));
	if (fd < 0)
		return CV_ERR_IO;
	end = clock_monotonic_ms() + handshake_ms;
	err = shake_hands(out, fd, true, key, end < deadline_ms ? end : deadline_ms);
	return err == CV_OK ? CV_OK : CV_ERR_SEAL;
}

static enum cv_err reach(int *out, const struct addrinfo *to, uint64_t deadline_ms)
{
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int problem = 0;
	socklen_t len = sizeof(problem);
	enum cv_err err = fd >= 0 ? CV_OK : CV_ERR_IO;

	if (err == CV_OK && connect(fd, to->ai_addr, to->ai_addrlen) != 0)
		err = errno == EINPROGRESS ? await(fd, POLLOUT, deadline_ms) : CV_ERR_UNREACHABLE;
	if (err == CV_OK &&
		(getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &len) != 0 || problem != 0))
		err = CV_ERR_UNREACHABLE;
	if (err == CV_OK)
		*out = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}

enum cv_err psk_link_connect(struct psk_link **out, const char *address,
	const uint8_t key[PSK_LINK_KEY_BYTES], uint64_t deadline_ms)
{
	struct addrinfo *list = NULL;
	int fd = -1;
	enum cv_err err = look_up(&list, address, 0);

	if (err != CV_OK)
		return err;
	err = CV_ERR_UNREACHABLE;
	for (const struct addrinfo *a = list; a != NULL && err != CV_OK; a = a->ai_next)
		err = reach(&fd, a, deadline_ms);
	freeaddrinfo(list);
	return err == CV_OK ? shake_hands(out, fd, false, key, deadline_ms) : err;
}

static enum cv_err write_all(
	struct psk_link *l, const uint8_t *data, size_t len, uint64_t deadline_ms)
{
	enum cv_err err = CV_OK;

	while (len > 0 && err == CV_OK) {
		const int n = SSL_write(l->ssl, data, len > INT16_MAX ? INT16_MAX : (int)len);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else {
			err = go_on(l, n, deadline_ms);
		}
	}
	return err;
}

static enum cv_err read_all(struct psk_link *l, uint8_t *out, size_t len, uint64_t deadline_ms)
{
	enum cv_err err = CV_OK;

	while (len > 0 && err == CV_OK) {
		const int n = SSL_read(l->ssl, out, len > INT16_MAX ? INT16_MAX : (int)len);

		if (n > 0) {
			out += n;
			len -= (size_t)n;
		} else {
			err = go_on(l, n, deadline_ms);
		}
	}
	return err;
}

enum cv_err psk_link_send(
	struct psk_link *l, const void *data, size_t len, uint64_t deadline_ms)
{
	const uint8_t head[LENGTH_BYTES] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16),
		(uint8_t)(len >> 8), (uint8_t)len};
	enum cv_err err = len <= UINT32_MAX ? write_all(l, head, sizeof(head), deadline_ms)
					    : CV_ERR_TOO_LONG;

	return err == CV_OK ? write_all(l, data, len, deadline_ms) : err;
}

enum cv_err psk_link_receive(
	struct psk_link *l, void *out, size_t cap, size_t *len, uint64_t deadline_ms)
{
	uint8_t head[LENGTH_BYTES];
	size_t n;
	enum cv_err err = read_all(l, head, sizeof(head), deadline_ms);

	if (err != CV_OK)
		return err;
	n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (n > cap)
		return CV_ERR_TOO_LONG;
	err = read_all(l, out, n, deadline_ms);
	if (err == CV_OK)
		*len = n;
	return err;
}

void psk_link_close(struct psk_link *l)
{
	if (l == NULL)
		return;
	if (SSL_is_init_finished(l->ssl))
		(void)SSL_shutdown(l->ssl);
	psk_link_tls_close(l);
}
