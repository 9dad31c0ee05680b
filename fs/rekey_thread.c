#include "fs/rekey_thread.h"

#include <inttypes.h>

#include "fs/rekey.h"
#include "fs/state.h"
#include "host/log.h"

static int go_on(void *user, uint64_t done, uint64_t total, const char *name)
{
	const struct rekey_thread *t = user;

	(void)done;
	(void)total;
	(void)name;
	return atomic_load(&t->stop);
}

static void *work(void *user)
{
	struct rekey_thread *t = user;
	struct volume_rekey_report r = { .kept = 0 };
	struct volume_why why = { "" };
	enum cv_err err = volume_rekey_run(t->volume, t->rate, go_on, t, &r, &why);

	if (!err)
		log_info("rekey: done: %" PRIu64 " blocks sealed anew, %u old keys dropped", r.blocks,
			r.keys_dropped);
	else if (err != CV_ERR_TIMEOUT)
		log_error("rekey: %s", why.text);
	atomic_store(&t->ended, true);
	return NULL;
}

void rekey_thread_start(struct rekey_thread *t, struct volume *volume, uint64_t rate)
{
	rekey_thread_stop(t);
	if (volume->read_only || !volume_rekey_runs(volume))
		return;
	t->volume = volume;
	t->rate = rate ? rate : REKEY_RATE_DEFAULT;
	atomic_store(&t->stop, false);
	atomic_store(&t->ended, false);
	t->started = pthread_create(&t->thread, NULL, work, t) == 0;
	if (!t->started)
		log_error("rekey: no thread: it goes on with the next mount");
}

enum cv_err rekey_thread_begin(struct rekey_thread *t, struct volume *volume, uint64_t rate)
{
	const struct volume_rekey_options data_only = { .secret_count = 0 };
	struct volume_rekey_report r;
	struct volume_why why = { "" };
	enum cv_err err = CV_OK;

	if (!volume_rekey_runs(volume))
		err = volume_rekey_begin(volume, &data_only, &r, &why);
	if (err) {
		log_error("rekey: %s", why.text);
		return err;
	}
	rekey_thread_start(t, volume, rate);
	return CV_OK;
}

void rekey_thread_stop(struct rekey_thread *t)
{
	if (!t->started)
		return;
	atomic_store(&t->stop, true);
	(void)pthread_join(t->thread, NULL);
	t->started = false;
}
