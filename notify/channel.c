#include "notify/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for a burst: the kernel charges about 1.3 KiB for a packet of 400 bytes. */
#define SOCKET_BUFFER_BYTES (1 << 20)

enum cv_err channel_pair(int *keeper_fd, int *sender_fd)
{
	int size = SOCKET_BUFFER_BYTES;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		return CV_ERR_IO;
	/* Capped by net.core.wmem_max; a smaller buffer only means earlier drops. */
	for (int i = 0; i < 2; i++) {
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
			(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	*keeper_fd = fds[0];
	*sender_fd = fds[1];
	return CV_OK;
}

void channel_init(struct channel *ch, int fd)
{
	*ch = (struct channel){.fd = fd};
}

static bool send_packet(int fd, char type, const void *body, size_t len)
{
	struct iovec parts[2] = {{&type, 1}, {(void *)body, len}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n;

	do {
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)(1 + len);
}

static bool send_alert(struct channel *ch, const struct event_alert *alert)
{
	char json[EVENT_JSON_MAX + 1];
	size_t len = 0;

	return event_encode(json, &len, alert) == CV_OK &&
	       send_packet(ch->fd, CHANNEL_ALERT, json, len);
}

/* Tell how many were lost before the first one that fits again. */
static bool report_dropped(struct channel *ch, const struct event_alert *next)
{
	struct event_alert report;

	if (ch->unreported == 0)
		return true;
	if (event_init(&report, EVENT_ALERTS_DROPPED, next->gateway, NULL, next->time_s) ||
		event_set_reason(&report, "channel_full") ||
		event_add_number(&report, EVENT_KEY_count, ch->unreported) ||
		!send_alert(ch, &report))
		return false;
	ch->unreported = 0;
	return true;
}

void channel_alert(struct channel *ch, const struct event_alert *alert)
{
	if (ch->fd < 0)
		return;
	if (report_dropped(ch, alert) && send_alert(ch, alert)) {
		ch->sent++;
		return;
	}
	ch->dropped++;
	ch->unreported++;
}

enum cv_err channel_ask_metrics(struct channel *ch)
{
	return send_packet(ch->fd, CHANNEL_METRICS, NULL, 0) ? CV_OK : CV_ERR_BUSY;
}

enum cv_err channel_ask_sync(struct channel *ch, const uint8_t token[CHANNEL_TOKEN_BYTES])
{
	return send_packet(ch->fd, CHANNEL_SYNC, token, CHANNEL_TOKEN_BYTES) ? CV_OK : CV_ERR_BUSY;
}

enum cv_err channel_receive(
	struct channel *ch, enum channel_type *type, char *body, size_t cap, size_t *len)
{
	char first = 0;
	struct iovec parts[2] = {{&first, 1}, {body, cap ? cap - 1 : 0}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n;

	if (cap == 0)
		return CV_ERR_ARGUMENT;
	do {
		n = recvmsg(ch->fd, &msg, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? CV_ERR_BUSY : CV_ERR_UNREACHABLE;
	if (n == 0)
		return CV_ERR_UNREACHABLE;
	if (msg.msg_flags & MSG_TRUNC)
		return CV_ERR_TOO_LONG;
	if (first != CHANNEL_METRICS && first != CHANNEL_SYNC)
		return CV_ERR_FORMAT;
	*type = (enum channel_type)first;
	*len = (size_t)n - 1;
	body[*len] = 0;
	return CV_OK;
}
