#include "notify/intake.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct batch {
	size_t packets;
	size_t alerts;
	size_t invalid;
	size_t syncs;
	uint8_t sync[INTAKE_BATCH_MAX][CHANNEL_TOKEN_BYTES];
	bool metrics;
	bool open; /* a transaction is under way */
	bool cut;  /* the last packet is longer than any of ours */
};

void intake_init(struct intake *in, int fd, struct outbox *ob)
{
	*in = (struct intake){.fd = fd, .outbox = ob};
}

/* -1 ends looking ahead, so that a plain receive takes the first packet. */
static bool look_ahead(int fd, int offset)
{
	return setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) == 0;
}

static ssize_t receive(int fd, void *buf, size_t cap, int flags)
{
	ssize_t n;

	do {
		n = recv(fd, buf, cap, flags | MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	return n;
}

static enum cv_err put_alert(
	struct intake *in, struct batch *b, const char *json, size_t len, uint64_t now_ms)
{
	struct event_alert alert;
	enum cv_err err = CV_OK;

	if (event_decode(&alert, json, len) != CV_OK) {
		b->invalid++;
		return CV_OK;
	}
	b->alerts++;
	if (!outbox_wants(in->outbox, alert.severity))
		return CV_OK;
	if (!b->open)
		err = outbox_begin(in->outbox);
	if (err)
		return err;
	b->open = true;
	return outbox_put(in->outbox, &alert, now_ms);
}

static enum cv_err look_at(
	struct intake *in, struct batch *b, const char *packet, size_t len, uint64_t now_ms)
{
	if (packet[0] == CHANNEL_ALERT && len <= 1 + EVENT_JSON_MAX)
		return put_alert(in, b, packet + 1, len - 1, now_ms);
	if (packet[0] == CHANNEL_METRICS && len == 1)
		b->metrics = true;
	else if (packet[0] == CHANNEL_SYNC && len == 1 + CHANNEL_TOKEN_BYTES)
		memcpy(b->sync[b->syncs++], packet + 1, CHANNEL_TOKEN_BYTES);
	else
		b->invalid++;
	return CV_OK;
}

static enum cv_err look(struct intake *in, struct batch *b, size_t max, uint64_t now_ms)
{
	char packet[1 + EVENT_JSON_MAX + 1];
	enum cv_err err = CV_OK;

	while (b->packets < max && !err) {
		ssize_t n = receive(in->fd, packet, sizeof(packet), MSG_PEEK);

		if (n < 0)
			return errno == EAGAIN ? CV_OK : CV_ERR_IO;
		if (n == 0) {
			in->ended = true;
			return CV_OK;
		}
		b->packets++;
		/* Looking on would show the rest of the same packet. */
		b->cut = (size_t)n > sizeof(packet);
		if (b->cut) {
			b->invalid++;
			return CV_OK;
		}
		err = look_at(in, b, packet, (size_t)n, now_ms);
	}
	return err;
}

static void answer(int fd, char type, const void *body, size_t len)
{
	struct iovec parts[2] = {{&type, 1}, {(void *)body, len}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};

	if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* the keeper does not read: it will ask again */
}

static void take(struct intake *in, const struct batch *b)
{
	char first;

	for (size_t i = 0; i < b->packets; i++)
		(void)receive(in->fd, &first, sizeof(first), 0);
	for (size_t i = 0; i < b->syncs; i++)
		answer(in->fd, CHANNEL_SYNC, b->sync[i], CHANNEL_TOKEN_BYTES);
	in->received += b->alerts;
	in->invalid += b->invalid;
	in->metrics_asked |= b->metrics;
}

enum cv_err intake_step(struct intake *in, uint64_t now_ms, bool *more)
{
	struct batch b = {0};
	/* A kernel that cannot look ahead gives one packet at a time. */
	size_t max = look_ahead(in->fd, 0) ? INTAKE_BATCH_MAX : 1;
	enum cv_err err = look(in, &b, max, now_ms);

	(void)look_ahead(in->fd, -1);
	*more = false;
	if (!err && b.open)
		err = outbox_commit(in->outbox);
	else if (b.open)
		outbox_abort(in->outbox);
	if (err)
		return err;
	take(in, &b);
	*more = b.packets == max || b.cut;
	return CV_OK;
}

void intake_answer_metrics(struct intake *in, const char *text)
{
	size_t len = strlen(text);

	in->metrics_asked = false;
	answer(in->fd, CHANNEL_METRICS, text,
		len < CHANNEL_METRICS_MAX ? len : CHANNEL_METRICS_MAX);
}
