#include "fs/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/control.h"
#include "fs/counters.h"
#include "fs/flush.h"
#include "fs/open.h"
#include "fs/rekey_thread.h"
#include "host/clock.h"
#include "host/log.h"
#include "host/process.h"
#include "protocol/crypto.h"

#define TICK_MS 1000
#define DRAIN_PATIENCE_MS 10000

enum step {
	STEP_SERVE,
	STEP_ENDED, /* the mount is gone, workers are ending */
	STEP_STOP   /* end now, mounted or not */
};

struct run {
	struct serve *s;
	enum step step;
	bool stopping; /* by a signal: a mount in use is detached */
	bool lazy;     /* the question that the unmounter has */
	bool alone;    /* the watcher is gone */
	struct rekey_thread rekey;
	uint64_t tick_ms;
	uint64_t idle_asked_ms; /* not again before as long has passed */
};

static void answer(struct run *r, enum cv_err err)
{
	control_status(r->s->control_fd, r->s->volume, r->s->mount, err);
}

static void ask(struct run *r, bool lazy)
{
	r->lazy = lazy;
	/* nobody who may unmount: the watcher can, the data is safe without */
	if (unmounter_ask(&r->s->unmounter, lazy) != CV_OK)
		r->step = STEP_STOP;
}

static void take_signal(struct run *r)
{
	int number = process_signal_read(r->s->signal_fd);

	if (number != SIGTERM && number != SIGINT)
		return;
	r->stopping = true;
	ask(r, false);
}

/* False if the watcher is gone: that ends nothing. */
static bool take_message(struct run *r)
{
	struct volume_ctl_message m;
	int got = control_receive(r->s->control_fd, &m);

	if (got <= 0)
		return got < 0;
	switch (m.type) {
	case VOLUME_CTL_SYNC:
		answer(r, volume_sync(r->s->volume));
		break;
	case VOLUME_CTL_QUERY:
		answer(r, CV_OK);
		break;
	case VOLUME_CTL_REKEY:
		answer(r, rekey_thread_begin(&r->rekey, r->s->volume,
			strtoull(m.text, NULL, 10)));
		break;
	case VOLUME_CTL_UNMOUNT:
		ask(r, strcmp(m.text, "lazy") == 0);
		break;
	default:
		answer(r, CV_ERR_ARGUMENT);
		break;
	}
	return true;
}

static void take_answer(struct run *r)
{
	int e = unmounter_answer(&r->s->unmounter);

	if (e == EPIPE)
		unmounter_close(&r->s->unmounter);
	if (e == 0 && !r->lazy)
		return; /* the workers see the end of the mount */
	if (r->lazy || e == EPIPE) {
		r->step = STEP_STOP;
	} else if (r->stopping) {
		if (e == EBUSY)
			log_warning("mount: in use: detached; programs in it lose it");
		ask(r, true);
	} else if (!r->alone) {
		answer(r, e == EBUSY ? CV_ERR_BUSY : CV_ERR_PERMISSION);
	}
}

/* Whether somebody is in it is for the kernel to say: it refuses to unmount then. */
static void look_for_idleness(struct run *r, uint64_t now)
{
	uint64_t idle = counters_idle_ms(mount_counters(r->s->mount));

	if (!r->s->idle_ms || idle < r->s->idle_ms || now - r->idle_asked_ms < r->s->idle_ms)
		return;
	r->idle_asked_ms = now;
	if (!r->alone)
		control_idle(r->s->control_fd);
	else if (unmounter_ask(&r->s->unmounter, false) == CV_OK)
		r->lazy = false;
}

static void loop(struct run *r)
{
	struct serve *s = r->s;
	struct pollfd fds[] = { { s->control_fd, POLLIN, 0 }, { s->signal_fd, POLLIN, 0 },
		{ s->ready_fd, POLLIN, 0 }, { s->ended_fd, POLLIN, 0 },
		{ s->unmounter.fd, POLLIN, 0 } };

	while (r->step == STEP_SERVE) {
		int n = poll(fds, sizeof(fds) / sizeof(fds[0]), TICK_MS);
		uint64_t now = clock_monotonic_ms();

		if (now - r->tick_ms >= TICK_MS) {
			r->tick_ms = now;
			look_for_idleness(r, now);
		}
		if (n <= 0)
			continue;
		if (fds[2].revents) {
			fds[2].fd = -1;
			control_ready(s->control_fd, s->volume);
		}
		if (fds[0].revents && !take_message(r)) {
			fds[0].fd = -1;
			r->alone = true;
		}
		if (fds[1].revents)
			take_signal(r);
		if (fds[4].revents)
			take_answer(r);
		fds[4].fd = s->unmounter.fd;
		if (fds[3].revents)
			r->step = STEP_ENDED;
	}
}

/* The last checkpoint with the lock kept for good: no worker changes anything after it. */
static enum cv_err stop_for_good(struct volume *v, uint64_t *generation)
{
	enum cv_err err = CV_ERR_INTERNAL;

	(void)pthread_mutex_lock(&v->lock);
	err = volume_finish(v);
	*generation = v->super->clear.generation;
	crypto_wipe(v->super, sizeof(*v->super));
	crypto_wipe(v->volume_key, AEAD_KEY_BYTES);
	return err;
}

enum cv_err serve_run(struct serve *s)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct run r = { .s = s };
	uint64_t generation;

	err = mount_start(s->mount, s->volume, s->ready_fd, s->ended_fd);
	if (err) {
		control_failed(s->control_fd, err, "cannot start worker threads");
		return err;
	}
	err = flusher_start(s->volume);
	if (err)
		log_warning("flush: no thread for it: data becomes durable at fsync and unmount");
	rekey_thread_start(&r.rekey, s->volume, 0);
	loop(&r);
	rekey_thread_stop(&r.rekey);
	flusher_stop(s->volume);
	if (r.step != STEP_ENDED)
		mount_hide(s->mount);
	if (r.step == STEP_ENDED || mount_drain(s->mount, DRAIN_PATIENCE_MS))
		mount_join(s->mount);
	else
		log_warning("mount: programs in it go on writing: what comes now is lost");
	err = stop_for_good(s->volume, &generation);
	if (err)
		log_error("last checkpoint: %s: %s", cv_err_text(err),
			s->volume->frozen ? "changes since the one before are lost"
					  : "the next mount takes from the log what came after the "
					    "one before");
	if (err)
		control_failed(s->control_fd, err, "the last checkpoint failed");
	else
		control_closed(s->control_fd, generation, CV_OK);
	unmounter_close(&s->unmounter);
	return err;
}
