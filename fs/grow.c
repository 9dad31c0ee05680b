#include "fs/grow.h"

#include <inttypes.h>
#include <stdlib.h>

#include "fs/checkpoint.h"
#include "fs/noise.h"
#include "fs/state.h"
#include "fs/why.h"

#define FILL_STEP_BLOCKS 2048

struct grow {
	struct volume *v;
	volume_progress *progress;
	void *user;
	uint64_t old_blocks;
	uint64_t blocks;
};

/* Nothing of the volume refers to what is filled, so its lock is not needed. */
static enum cv_err fill_added(const struct grow *g)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t all = g->blocks - g->old_blocks;
	struct noise noise;

	err = noise_init(&noise);
	if (err)
		return err;
	for (uint64_t done = 0; done < all && !err;) {
		uint64_t n = all - done < FILL_STEP_BLOCKS ? all - done : FILL_STEP_BLOCKS;

		err = noise_write(&noise, g->v->store, g->old_blocks + done, n);
		done += n;
		if (!err && g->progress &&
			g->progress(g->user, done * BLOCK_BYTES, all * BLOCK_BYTES, "fill"))
			err = CV_ERR_TIMEOUT;
	}
	noise_wipe(&noise);
	return err;
}

/* The allocator learns of the new blocks; cannot fail once memory is there. */
static enum cv_err take_over(const struct grow *g)
{
	struct alloc *a = &g->v->alloc;
	enum cv_err err = alloc_extend(a, g->blocks);

	if (err)
		return err;
	g->v->tree.blocks = g->blocks;
	g->v->super->clear.blocks = g->blocks;
	return CV_OK;
}

/* The container is at least as long as the volume is to be. */
static enum cv_err make_room(const struct grow *g, struct volume_why *why)
{
	struct store *store = g->v->store;
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t bytes;

	err = store_size(store, &bytes);
	if (err)
		return why_set(why, err, "the container's size cannot be read");
	if (bytes < g->blocks * BLOCK_BYTES) {
		err = store_resize(store, g->blocks * BLOCK_BYTES);
		if (err == CV_ERR_NOT_SUPPORTED)
			return why_set(why, CV_ERR_RANGE,
				"the device has %" PRIu64 " bytes only: make it larger first", bytes);
		if (err)
			return why_set(why, err, "the container cannot be made longer: %s",
				cv_err_text(err));
	}
	if (g->v->super->flags & SUPER_FULL)
		err = fill_added(g);
	/* size and content before a superblock that counts on them */
	if (!err)
		err = store_flush(store);
	return err ? why_set(why, err, "the container: %s", cv_err_text(err)) : CV_OK;
}

static enum cv_err choose(struct grow *g, uint64_t size, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;

	if (g->v->read_only || g->v->frozen)
		return why_set(why, CV_ERR_READ_ONLY, "the volume is read-only");
	if (size == 0) {
		err = store_size(g->v->store, &size);
		if (err)
			return why_set(why, err, "the container's size cannot be read");
		size = size > VOLUME_SIZE_MAX ? VOLUME_SIZE_MAX : size;
	}
	if (size > VOLUME_SIZE_MAX)
		return why_set(why, CV_ERR_RANGE, "a volume has 64 TiB at most");
	g->old_blocks = volume_blocks(g->v);
	g->blocks = size / NODE_BYTES * NODE_BLOCKS;
	if (g->blocks < g->old_blocks)
		return why_set(why, CV_ERR_RANGE,
			"the volume has %" PRIu64 " bytes, more than %" PRIu64
			": growing never makes it smaller",
			g->old_blocks * BLOCK_BYTES, size);
	return CV_OK;
}

enum cv_err volume_grow(struct volume *volume, uint64_t size_bytes, volume_progress *progress,
	void *user, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct grow g = { .v = volume, .progress = progress, .user = user };

	(void)pthread_mutex_lock(&volume->lock);
	err = choose(&g, size_bytes, why);
	if (err || g.blocks == g.old_blocks)
		goto out;
	err = make_room(&g, why);
	if (!err)
		err = take_over(&g);
	if (!err)
		err = checkpoint_run(volume, SUPER_OPEN);
	if (err && why && !why->text[0])
		(void)why_set(why, err, "%s", cv_err_text(err));
out:
	(void)pthread_mutex_unlock(&volume->lock);
	return err;
}

uint64_t volume_size(const struct volume *volume)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&volume->lock;
	uint64_t size;

	(void)pthread_mutex_lock(lock);
	size = volume_blocks(volume) * BLOCK_BYTES;
	(void)pthread_mutex_unlock(lock);
	return size;
}
