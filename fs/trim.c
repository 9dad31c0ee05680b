#include "fs/trim.h"

#include <stdlib.h>

#include "fs/checkpoint.h"
#include "fs/state.h"
#include "fs/why.h"

/* Gives back the run of blocks [from, from + n) of region i. */
static enum cv_err discard(struct volume *v, uint64_t i, uint64_t from, uint64_t n,
	struct volume_trim_report *report)
{
	uint64_t block = i * REGION_BLOCKS + from;
	enum cv_err err = store_discard(v->store, block * BLOCK_BYTES, n * BLOCK_BYTES);

	if (!err) {
		report->bytes += n * BLOCK_BYTES;
		report->ranges++;
	}
	return err;
}

static bool is_busy(const struct region *r, uint64_t bit)
{
	return r->busy[bit / 64] >> (bit % 64) & 1;
}

static enum cv_err trim_region(struct volume *v, uint64_t i, struct volume_trim_report *report)
{
	struct alloc *a = &v->alloc;
	bool known = a->region[i] != NULL;
	uint64_t left = a->blocks - i * REGION_BLOCKS;
	uint64_t length = left < REGION_BLOCKS ? left : REGION_BLOCKS;
	enum cv_err err = alloc_load(a, i * REGION_BLOCKS);
	uint64_t from = 0;

	if (err)
		return err;
	while (from < length && !err) {
		uint64_t to = from;

		while (to < length && !is_busy(a->region[i], to))
			to++;
		if (to > from)
			err = discard(v, i, from, to - from, report);
		from = to + 1;
	}
	if (!known)
		alloc_drop(a, i);
	return err;
}

static enum cv_err trim_all(struct volume *v, volume_progress *progress, void *user,
	struct volume_trim_report *report)
{
	enum cv_err err = CV_OK;
	uint64_t regions = 1;

	for (uint64_t i = 0; i < regions && !err; i++) {
		uint64_t done;
		uint64_t total;

		(void)pthread_mutex_lock(&v->lock);
		err = v->frozen ? CV_ERR_READ_ONLY : trim_region(v, i, report);
		regions = v->alloc.regions;
		total = v->alloc.blocks * BLOCK_BYTES;
		tree_trim(&v->tree);
		(void)pthread_mutex_unlock(&v->lock);
		done = (i + 1) * REGION_BLOCKS * BLOCK_BYTES;
		if (!err && progress && progress(user, done < total ? done : total, total, "trim"))
			err = CV_ERR_TIMEOUT;
	}
	return err;
}

enum cv_err volume_trim(struct volume *v, bool force, volume_progress *progress, void *user,
	struct volume_trim_report *report, struct volume_why *why)
{
	enum cv_err err = CV_OK;

	memset(report, 0, sizeof(*report));
	(void)pthread_mutex_lock(&v->lock);
	if (v->read_only || v->frozen)
		err = why_set(why, CV_ERR_READ_ONLY, "the volume is read-only");
	else if (v->super->flags & SUPER_FULL && !force)
		err = why_set(why, CV_ERR_ARGUMENT,
			"made full, so that its use does not show; trimming would show it: --force");
	/* what was freed lately becomes free with the second checkpoint after it */
	for (int round = 0; round < 2 && !err && alloc_pending(&v->alloc); round++)
		if (!checkpoint_gather(v))
			err = why_set(why, CV_ERR_IO, "a checkpoint failed");
	(void)pthread_mutex_unlock(&v->lock);
	if (!err)
		err = trim_all(v, progress, user, report);
	if (err == CV_ERR_NOT_SUPPORTED)
		return why_set(why, err, "the container cannot give space back");
	if (err && why && !why->text[0])
		(void)why_set(why, err, "%s",
			err == CV_ERR_TIMEOUT ? "stopped" : cv_err_text(err));
	return err;
}
