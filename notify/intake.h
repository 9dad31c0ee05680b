/*
 * The sender's end of the channel: moves alerts from the socket into the outbox.
 *
 * Packets are first only looked at (MSG_PEEK, with SO_PEEK_OFF moving on), put into the outbox in
 * one durable transaction, and then taken out of the socket. A sender killed in between finds them
 * again, and the outbox knows what it has by the alert's id.
 *
 * Threads  one thread per struct.
 */
#ifndef CONCLAVE_NOTIFY_INTAKE_H
#define CONCLAVE_NOTIFY_INTAKE_H

#include <stdbool.h>

#include "notify/channel.h"
#include "notify/outbox.h"

#define INTAKE_BATCH_MAX 64 /* packets in one transaction */

struct intake {
	int fd;
	struct outbox *outbox;
	bool ended;	       /* nobody holds the keeper's end any more */
	bool metrics_asked;    /* the caller answers with intake_answer_metrics */
	uint64_t received;     /* alerts taken: in the outbox, or wanted by nobody */
	uint64_t invalid;      /* packets that are neither an alert nor a question */
};

void intake_init(struct intake *in, int fd, struct outbox *ob);

/*
 * Takes what is there, at most one batch, without waiting. *more says whether there may be more.
 * On an error (the outbox's, or CV_ERR_IO) everything is still in the socket.
 */
CV_MUST_CHECK enum cv_err intake_step(struct intake *in, uint64_t now_ms, bool *more);

/* Dropped if the keeper does not read: it asks again. */
void intake_answer_metrics(struct intake *in, const char *text);

#endif
