/*
 * Requests that wait for the keeper. A worker thread puts its request here, the reader thread takes
 * answers from the keeper's socket and wakes the one each belongs to.
 *
 * Bounded: more than `slots` at once are CV_ERR_BUSY. A keeper that dies or stalls costs each
 * request its deadline and nothing else; a late answer finds nobody and is dropped.
 *
 * Threads  front_pending_ask from any number of threads.
 */
#ifndef CONCLAVE_GATEWAY_FRONT_PENDING_H
#define CONCLAVE_GATEWAY_FRONT_PENDING_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/ipc.h"

struct front_pending;

struct front_answer {
	struct ipc_answer head; /* body points into `body` */
	uint8_t *body;		/* malloc'ed, NUL-terminated; the caller's to free */
};

/* Starts the reader. keeper_fd stays the caller's and must outlive the process's threads. */
CV_MUST_CHECK enum cv_err front_pending_open(
	struct front_pending **out, int keeper_fd, uint32_t slots, uint32_t slots_max);
void front_pending_limit(struct front_pending *p, uint32_t slots);
uint32_t front_pending_count(struct front_pending *p);

/*
 * Sets request->id, sends, waits. CV_ERR_BUSY: no slot; CV_ERR_TIMEOUT: no answer by the deadline
 * (host/clock.h, monotonic); CV_ERR_UNREACHABLE: the keeper's socket is gone; CV_ERR_MEMORY.
 */
CV_MUST_CHECK enum cv_err front_pending_ask(struct front_pending *p, struct ipc_request *request,
	uint64_t deadline_ms, struct front_answer *answer);

#endif
