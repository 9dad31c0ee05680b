#include "fs/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fs/state.h"
#include "host/log.h"

static void send_message(int fd, const struct volume_ctl_message *message)
{
	ssize_t n;

	do
		n = send(fd, message, sizeof(*message), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EPIPE && errno != ECONNRESET)
		log_warning("control: %s", strerror(errno));
}

void control_ready(int fd, const struct volume *volume)
{
	struct volume_ctl_message m = { .type = VOLUME_CTL_READY,
		.generation = volume_generation(volume),
		.epoch = volume_epoch(volume) };
	const char *kind = volume_kind(volume) == VOLUME_SLOT_RECOVERY ? "recovery" : "share-set";

	(void)snprintf(m.text, sizeof(m.text), "%s", kind);
	send_message(fd, &m);
}

void control_failed(int fd, enum cv_err err, const char *text)
{
	struct volume_ctl_message m = { .type = VOLUME_CTL_FAILED, .error = err };

	(void)snprintf(m.text, sizeof(m.text), "%s", text);
	send_message(fd, &m);
}

void control_closed(int fd, uint64_t generation, enum cv_err err)
{
	struct volume_ctl_message m = {
		.type = VOLUME_CTL_CLOSED, .error = err, .generation = generation
	};

	send_message(fd, &m);
}

void control_status(int fd, struct volume *v, enum cv_err err)
{
	struct volume_ctl_message m = { .type = VOLUME_CTL_STATUS, .error = err };

	(void)pthread_mutex_lock(&v->lock);
	m.generation = v->super->clear.generation;
	m.epoch = volume_epoch(v);
	(void)snprintf(m.text, sizeof(m.text),
		"{\"size\":%" PRIu64 ",\"used\":%" PRIu64 ",\"objects\":%" PRIu64
		",\"dirty\":%s,\"frozen\":%s,\"io_errors\":%" PRIu64 ",\"tampered\":%" PRIu64 "}",
		volume_blocks(v) * BLOCK_BYTES, v->alloc.used_blocks * BLOCK_BYTES,
		v->super->objects, v->dirty ? "true" : "false", v->frozen ? "true" : "false",
		v->io_errors, v->tampered);
	(void)pthread_mutex_unlock(&v->lock);
	send_message(fd, &m);
}

int control_receive(int fd, struct volume_ctl_message *message)
{
	ssize_t n;

	do
		n = recv(fd, message, sizeof(*message), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n != (ssize_t)sizeof(*message))
		return -1;
	message->text[VOLUME_CTL_TEXT_MAX - 1] = '\0';
	return 1;
}
