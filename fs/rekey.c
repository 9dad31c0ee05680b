#include "fs/rekey.h"

#include <inttypes.h>
#include <time.h>

#include "fs/checkpoint.h"
#include "fs/state.h"
#include "fs/why.h"

#define WAIT_STEP_MS 100

bool volume_rekey_runs(struct volume *v)
{
	bool runs;

	(void)pthread_mutex_lock(&v->lock);
	runs = v->super->rekey_born != 0;
	(void)pthread_mutex_unlock(&v->lock);
	return runs;
}

static bool is_old(const struct volume *v, const struct rewrite *r, uint64_t block, unsigned id)
{
	(void)r;
	(void)block;
	return id < KEYRING_SLOTS && v->super->keyring[id].born < v->super->rekey_born;
}

/* Nothing of the tree is under the old keys. Both superblock pairs let go of them. */
static enum cv_err drop_old_keys(struct volume *v, struct volume_rekey_report *report)
{
	enum cv_err err = checkpoint_run(v, SUPER_OPEN);

	if (err)
		return err;
	for (unsigned i = 0; i < KEYRING_SLOTS; i++) {
		if (v->super->keyring[i].state == KEY_EMPTY || !is_old(v, NULL, 0, i))
			continue;
		keyring_forget(&v->keyring, i);
		report->keys_dropped++;
	}
	v->super->rekey_born = 0;
	err = checkpoint_run(v, SUPER_OPEN);
	return err ? err : checkpoint_run(v, SUPER_OPEN);
}

static enum cv_err end_of_pass(struct volume *v, struct rekey *r)
{
	uint64_t damaged = r->report->damaged;

	r->seen_before = r->pass.seen;
	v->rekey_done = 0;
	if (r->pass.found) {
		r->pass.found = false;
		r->report->damaged = 0;
		return CV_OK;
	}
	if (damaged)
		return CV_ERR_TAMPERED;
	r->done = true;
	return drop_old_keys(v, r->report);
}

enum cv_err rekey_slice(struct volume *v, struct rekey *r, uint64_t *blocks)
{
	struct volume_rekey_report *report = r->report;
	const struct rewrite before = r->pass;
	enum cv_err err = CV_ERR_INTERNAL;

	r->pass.wanted = is_old;
	*blocks = 0;
	err = rewrite_slice(v, &r->pass, blocks);
	report->blocks += r->pass.blocks - before.blocks;
	report->nodes += r->pass.nodes - before.nodes;
	report->damaged += r->pass.damaged - before.damaged;
	v->rekey_done = r->pass.seen - r->seen_before;
	return !err && r->pass.end ? end_of_pass(v, r) : err;
}

/* Waits until `blocks` more are allowed at `rate` bytes a second; a stop is heard meanwhile. */
static enum cv_err keep_rate(
	uint64_t rate, uint64_t blocks, volume_progress *progress, void *user)
{
	uint64_t ms = rate ? blocks * BLOCK_BYTES * 1000 / rate : 0;

	while (ms) {
		uint64_t part = ms < WAIT_STEP_MS ? ms : WAIT_STEP_MS;
		struct timespec ts = { .tv_nsec = (long)part * 1000000 };

		(void)nanosleep(&ts, NULL);
		ms -= part;
		if (progress && progress(user, 0, 0, "rekey"))
			return CV_ERR_TIMEOUT;
	}
	return CV_OK;
}

enum cv_err volume_rekey_run(struct volume *v, uint64_t rate, volume_progress *progress,
	void *user, struct volume_rekey_report *report, struct volume_why *why)
{
	enum cv_err err = CV_OK;
	struct rekey r = { .report = report };

	r.done = !volume_rekey_runs(v);
	report->damaged = 0;
	while (!r.done && !err) {
		uint64_t blocks;
		uint64_t done;
		uint64_t total;

		(void)pthread_mutex_lock(&v->lock);
		err = rekey_slice(v, &r, &blocks);
		done = v->rekey_done;
		total = v->alloc.used_blocks;
		(void)pthread_mutex_unlock(&v->lock);
		if (!err && !r.done && progress && progress(user, done, total, "rekey"))
			err = CV_ERR_TIMEOUT;
		if (!err && !r.done)
			err = keep_rate(rate, blocks, progress, user);
	}
	if (err == CV_ERR_TAMPERED && report->damaged)
		return why_set(why, err,
			"%" PRIu64 " damaged blocks keep the old keys alive: `volume check` names their "
			"files; remove those and run it again",
			report->damaged);
	if (err == CV_ERR_TAMPERED)
		return why_set(why, err, "the tree is damaged: `volume check` says where");
	if (err == CV_ERR_FULL)
		return why_set(why, err, "no free space to write to: remove something and go on");
	return err ? why_set(why, err, "%s", err == CV_ERR_TIMEOUT ? "stopped" : cv_err_text(err))
		   : CV_OK;
}
