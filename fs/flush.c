#include "fs/flush.h"

#include <errno.h>
#include <time.h>

#include "fs/ahead.h"
#include "fs/checkpoint.h"
#include "fs/reap.h"
#include "host/log.h"

#define FLUSH_EVERY_S 1
#define CHECKPOINT_EVERY_S 60

enum cv_err flush_init(struct flush *f)
{
	pthread_condattr_t attr;
	int e;

	if (pthread_condattr_init(&attr))
		return CV_ERR_MEMORY;
	e = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (!e)
		e = pthread_cond_init(&f->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (e)
		return CV_ERR_MEMORY;
	(void)pthread_cond_init(&f->done, NULL);
	(void)pthread_mutex_init(&f->turn, NULL);
	return CV_OK;
}

void flush_wipe(struct flush *f)
{
	(void)pthread_cond_destroy(&f->wake);
	(void)pthread_cond_destroy(&f->done);
	(void)pthread_mutex_destroy(&f->turn);
}

enum cv_err flush_store(struct volume *v)
{
	struct flush *f = &v->flush;
	bool failed;

	(void)pthread_mutex_lock(&f->turn);
	/* for whatever reason: not even want of room can be tried again */
	if (!f->failed && store_flush(v->store))
		f->failed = true;
	failed = f->failed;
	(void)pthread_mutex_unlock(&f->turn);
	return failed ? CV_ERR_IO : CV_OK;
}

static void lead(struct volume *v)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t newest = log_newest(&v->log);

	v->flush.leading = true;
	log_round(&v->log);
	(void)pthread_mutex_unlock(&v->lock);
	err = flush_store(v);
	(void)pthread_mutex_lock(&v->lock);
	v->flush.leading = false;
	if (err)
		v->frozen = true;
	else if (v->log.durable < newest)
		v->log.durable = newest;
	(void)pthread_cond_broadcast(&v->flush.done);
}

enum cv_err flush_wait(struct volume *v)
{
	uint64_t newest = log_newest(&v->log);

	if (v->frozen)
		return CV_ERR_READ_ONLY;
	if (!v->log.active)
		return CV_OK;
	if (v->flush.started && !v->flush.ahead && ahead_wanted(v)) {
		v->flush.ahead = true;
		(void)pthread_cond_signal(&v->flush.wake);
	}
	while (!v->frozen && v->log.durable < newest) {
		if (v->flush.leading)
			(void)pthread_cond_wait(&v->flush.done, &v->lock);
		else
			lead(v);
	}
	return v->log.durable >= newest ? CV_OK : CV_ERR_IO;
}

/* What the thread should not leave for longer than a second. */
static bool anything_new(const struct volume *v)
{
	if (v->frozen)
		return !v->flush.told;
	return v->reap.count || v->log.durable < log_newest(&v->log);
}

static struct timespec seconds_from_now(time_t s)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += s;
	return t;
}

/*
 * Until something new is a second old, a checkpoint is due, or space ahead is wanted. With all that
 * was done durable, not before the checkpoint's time; with nothing to do, for ever.
 */
static void sleep_a_while(struct volume *v, const struct timespec *due)
{
	struct flush *f = &v->flush;
	struct timespec end;
	int e = 0;

	f->idle = true;
	while (!f->stop && !f->kick && !f->ahead && !anything_new(v) && e != ETIMEDOUT) {
		if (v->dirty && !v->frozen)
			e = pthread_cond_timedwait(&f->wake, &v->lock, due);
		else
			(void)pthread_cond_wait(&f->wake, &v->lock);
	}
	f->idle = false;
	end = seconds_from_now(FLUSH_EVERY_S);
	while (!f->stop && !f->kick && !f->ahead && e != ETIMEDOUT)
		e = pthread_cond_timedwait(&f->wake, &v->lock, &end);
}

/* What there is to do after a sleep. */
static void tend(struct volume *v, bool due)
{
	struct flush *f = &v->flush;

	reap_waiting(v);
	if (f->ahead)
		ahead_prepare(v);
	f->ahead = false;
	if (!v->frozen && (f->kick || due))
		checkpoint_background(v);
	else if (!v->frozen && !f->leading && v->log.durable < log_newest(&v->log))
		lead(v);
	f->kick = false;
	if (v->frozen && !f->told)
		log_error("flush: a write to the container or its flush failed; the volume is "
			  "read-only from now on");
	f->told = v->frozen;
}

static void *flusher(void *user)
{
	struct volume *v = user;
	struct timespec due = seconds_from_now(CHECKPOINT_EVERY_S);
	bool dirty = false;

	(void)pthread_mutex_lock(&v->lock);
	ahead_begin(v);
	for (;;) {
		sleep_a_while(v, &due);
		if (v->flush.stop)
			break;
		if (v->dirty && !dirty)
			due = seconds_from_now(CHECKPOINT_EVERY_S);
		tend(v, v->dirty && seconds_from_now(0).tv_sec >= due.tv_sec);
		dirty = v->dirty;
		/* one that failed for want of memory is tried again a while later */
		if (seconds_from_now(0).tv_sec >= due.tv_sec)
			due = seconds_from_now(CHECKPOINT_EVERY_S);
	}
	(void)pthread_mutex_unlock(&v->lock);
	return NULL;
}

enum cv_err flusher_start(struct volume *v)
{
	struct flush *f = &v->flush;

	if (v->read_only)
		return CV_OK;
	(void)pthread_mutex_lock(&v->lock);
	f->stop = false;
	f->started = pthread_create(&f->thread, NULL, flusher, v) == 0;
	(void)pthread_mutex_unlock(&v->lock);
	return f->started ? CV_OK : CV_ERR_MEMORY;
}

void flusher_stop(struct volume *v)
{
	struct flush *f = &v->flush;

	if (!f->started)
		return;
	(void)pthread_mutex_lock(&v->lock);
	f->stop = true;
	(void)pthread_cond_signal(&f->wake);
	(void)pthread_mutex_unlock(&v->lock);
	(void)pthread_join(f->thread, NULL);
	f->started = false;
}

void flusher_wake(struct volume *v)
{
	if (v->flush.idle)
		(void)pthread_cond_signal(&v->flush.wake);
}

bool flusher_kick(struct volume *v)
{
	if (!v->flush.started)
		return false;
	if (!v->flush.kick) {
		v->flush.kick = true;
		(void)pthread_cond_signal(&v->flush.wake);
	}
	return true;
}
