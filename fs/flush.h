/*
 * Making what was done durable: the group flush behind fsync, and the thread that flushes every
 * second and makes checkpoints in the background.
 *
 * One fdatasync serves all who wait: the first becomes the leader, lets go of the volume's lock
 * and flushes; the others wait, and those that came too late for it make the next leader. Flushes
 * go one after the other, and after one that failed there is no other: the kernel reports a lost
 * page once, so a second fdatasync could return success over it.
 */
#ifndef CONCLAVE_FS_FLUSH_H
#define CONCLAVE_FS_FLUSH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/err.h"

struct volume;

struct flush {
	bool leading;         /* a leader is flushing */
	pthread_cond_t done;  /* with the volume's lock: a leader or a checkpoint has come to its end */
	pthread_mutex_t turn; /* one flush at a time; taken after the volume's lock or without it */
	bool failed;          /* turn */

	pthread_t thread;
	bool started;
	bool stop;
	bool idle; /* the thread sleeps until flusher_wake */
	bool kick; /* a checkpoint is due */
	bool ahead;     /* a zone is wanted (ahead.h) */
	uint64_t waits; /* flush_wait since the last one */
	uint64_t ahead_next; /* where to look for a zone next */
	bool told; /* the log line about a frozen volume is written */
	pthread_cond_t wake;
};

CV_MUST_CHECK enum cv_err flush_init(struct flush *f);
void flush_wipe(struct flush *f);

/* Flushes the container; CV_ERR_IO when one fails and for ever after. The lock may be held or not. */
CV_MUST_CHECK enum cv_err flush_store(struct volume *v);

/*
 * Volume lock held, and let go meanwhile: everything committed before the call is durable on
 * CV_OK. CV_ERR_READ_ONLY after the volume froze.
 */
CV_MUST_CHECK enum cv_err flush_wait(struct volume *v);

/*
 * The background thread; without it nothing happens by itself, and checkpoints that are due are
 * made by the operation that meets them. Volume lock not held. Call stop before the volume goes.
 */
CV_MUST_CHECK enum cv_err flusher_start(struct volume *v);
void flusher_stop(struct volume *v);
/* Something was committed; volume lock held. */
void flusher_wake(struct volume *v);
/* A checkpoint is due; true if the thread will make it. Volume lock held. */
bool flusher_kick(struct volume *v);

#endif
