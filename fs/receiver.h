/*
 * Which of the workers takes the next request.
 *
 * Most requests take less time than it takes to wake a thread. So one worker at a time receives,
 * answers what is short by itself and receives again; before a request during which others can go
 * on (much content, content from the disk, one of several reads, waiting for a flush) it passes the
 * turn to another. And while requests come one behind the other, the receiver looks for the next one
 * for a moment before it sleeps: two wake-ups less for each. Not where there is one processor, which
 * the program needs that sends them. And the processors are kept from deep sleep (awake.h).
 */
#ifndef CONCLAVE_FS_RECEIVER_H
#define CONCLAVE_FS_RECEIVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/awake.h"

struct receiver {
	pthread_mutex_t turn; /* taken first, before the volume's lock; covers what follows */
	uint64_t last_ns;     /* when the last request came */
	uint64_t quiet_ns;    /* not before, since the processors have other work */
	bool lively;          /* it came soon after the one before */
	bool patient;         /* sleeps at once: one processor, or power is to be saved */
	struct awake awake;
};

/* `hurry`: a moment of a processor is worth less than a moment of a request. Before the sandbox. */
void receiver_init(struct receiver *r, bool hurry);
void receiver_wipe(struct receiver *r);

/*
 * Waits for the turn and for a request, like read(2) on `fd`. Afterwards the calling thread has the
 * turn still if the request is a short one.
 */
ssize_t receiver_read(struct receiver *r, int fd, void *buf, size_t cap);
/* Lets go of the turn if the calling thread has it: it ends, or the kernel may need others. */
void receiver_pass(struct receiver *r);

#endif
