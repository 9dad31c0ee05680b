#include "fs/compact.h"

#include <inttypes.h>

#include "fs/checkpoint.h"
#include "fs/rewrite.h"
#include "fs/state.h"
#include "fs/why.h"

#define PASSES_MAX 16

static bool is_behind(const struct volume *v, const struct rewrite *r, uint64_t block, unsigned key)
{
	(void)v;
	(void)key;
	return block >= r->below;
}

/* What is in use, what checkpoints and reserve need, and a sixteenth. */
static uint64_t least_end(const struct volume *v)
{
	uint64_t blocks = v->alloc.used_blocks + v->alloc.used_blocks / 16 +
			  4 * NODE_BLOCKS * checkpoint_reserve(v, TXN_DATA);

	blocks = (blocks + NODE_BLOCKS - 1) / NODE_BLOCKS * NODE_BLOCKS;
	return blocks < volume_blocks(v) ? blocks : volume_blocks(v);
}

static enum cv_err choose_end(
	const struct volume *v, uint64_t size, uint64_t *end, struct volume_why *why)
{
	if (v->read_only || v->frozen)
		return why_set(why, CV_ERR_READ_ONLY, "the volume is read-only");
	if (size == 0) {
		*end = least_end(v);
		return CV_OK;
	}
	*end = size / NODE_BYTES * NODE_BLOCKS;
	if (size < VOLUME_SIZE_MIN || *end > volume_blocks(v))
		return why_set(why, CV_ERR_RANGE,
			"a size from 32 MiB to the %" PRIu64 " bytes that the volume has",
			volume_blocks(v) * BLOCK_BYTES);
	if (v->alloc.used_blocks + 2 * NODE_BLOCKS * checkpoint_reserve(v, TXN_DATA) > *end)
		return why_set(why, CV_ERR_FULL,
			"%" PRIu64 " bytes are in use, and some more are needed to work with",
			v->alloc.used_blocks * BLOCK_BYTES);
	return CV_OK;
}

/* *clear: nothing at or behind `end` is in use by the tree or by the two newest durable ones. */
static enum cv_err look_behind(struct volume *v, uint64_t end, bool *clear)
{
	struct alloc *a = &v->alloc;

	*clear = true;
	for (uint64_t i = end / REGION_BLOCKS; i < a->regions && *clear; i++) {
		bool known = a->region[i] != NULL;
		enum cv_err err = alloc_load(a, i * REGION_BLOCKS);
		uint64_t from = i == end / REGION_BLOCKS ? end % REGION_BLOCKS : 0;

		if (err)
			return err;
		for (uint64_t b = from; b < REGION_BLOCKS; b++)
			if (a->region[i]->busy[b / 64] >> (b % 64) & 1)
				*clear = false;
		if (!known)
			alloc_drop(a, i);
	}
	return CV_OK;
}

/* Checkpoints write to the front, too; each lets go of what the one before it has freed. */
static enum cv_err settle(struct volume *v)
{
	enum cv_err err = CV_OK;

	for (int round = 0; round < 3 && !err; round++) {
		v->alloc.node_cursor = 0;
		err = checkpoint_run(v, SUPER_OPEN);
	}
	return err;
}

struct compaction {
	struct volume *v;
	struct rewrite pass;
	volume_progress *progress;
	void *user;
};

static enum cv_err one_pass(struct compaction *c)
{
	enum cv_err err = CV_OK;
	uint64_t seen = c->pass.seen;

	c->pass.found = false;
	c->pass.damaged = 0;
	do {
		uint64_t blocks;
		uint64_t total;

		(void)pthread_mutex_lock(&c->v->lock);
		err = rewrite_slice(c->v, &c->pass, &blocks);
		total = c->v->alloc.used_blocks;
		(void)pthread_mutex_unlock(&c->v->lock);
		if (!err && c->progress &&
			c->progress(c->user, c->pass.seen - seen, total, "compact"))
			err = CV_ERR_TIMEOUT;
	} while (!err && !c->pass.end);
	return err;
}

/* Passes until one finds nothing to move and nothing durable is behind the end either. */
static enum cv_err move_all(struct compaction *c, struct volume_why *why)
{
	for (unsigned pass = 0; pass < PASSES_MAX; pass++) {
		enum cv_err err = one_pass(c);
		bool clear = false;

		if (err)
			return err;
		(void)pthread_mutex_lock(&c->v->lock);
		err = settle(c->v);
		if (!err)
			err = look_behind(c->v, c->pass.below, &clear);
		(void)pthread_mutex_unlock(&c->v->lock);
		if (err || clear)
			return err;
		if (!c->pass.found && c->pass.damaged)
			return why_set(why, CV_ERR_TAMPERED,
				"%" PRIu64 " damaged blocks cannot be moved: `volume check` names their "
				"files",
				c->pass.damaged);
	}
	return why_set(why, CV_ERR_FULL, "the content does not fit to the front");
}

/* Bitmap items of regions that are to go: they are empty, and no rule allows them afterwards. */
static enum cv_err drop_bitmaps(struct volume *v, uint64_t regions)
{
	struct item_key key = { .object = OBJECT_VOLUME, .type = ITEM_BITMAP, .offset = regions };

	for (;; key.offset++) {
		const uint8_t *value;
		size_t len;
		enum cv_err err = tree_next(&v->tree, &key, &value, &len);

		if (err == CV_ERR_NOT_FOUND)
			return CV_OK;
		if (!err)
			err = tree_prepare(&v->tree, &key);
		if (err)
			return err;
		tree_del(&v->tree, &key);
		v->dirty = true;
	}
}

static void forget_behind(struct volume *v, uint64_t end)
{
	struct alloc *a = &v->alloc;
	uint64_t regions = (end + REGION_BLOCKS - 1) / REGION_BLOCKS;
	uint64_t last_end = regions * REGION_BLOCKS < a->blocks ? regions * REGION_BLOCKS : a->blocks;

	for (uint64_t i = regions; i < a->regions; i++)
		if (a->region[i])
			alloc_drop(a, i);
	if (a->region[regions - 1])
		a->region[regions - 1]->free -= (uint32_t)(last_end - end);
	a->regions = regions;
	a->blocks = end;
	a->node_cursor = 0;
	a->data_cursor = 0;
	v->tree.blocks = end;
	v->super->clear.blocks = end;
}

/* Nothing is behind the end: superblocks first, then the container. */
static enum cv_err cut(struct volume *v, uint64_t end)
{
	enum cv_err err = drop_bitmaps(v, (end + REGION_BLOCKS - 1) / REGION_BLOCKS);
	bool clear = false;

	/* what they lay in may have to move once more */
	if (!err && v->dirty)
		err = settle(v);
	if (!err)
		err = look_behind(v, end, &clear);
	if (err)
		return err;
	if (!clear)
		return CV_ERR_FULL;
	forget_behind(v, end);
	err = checkpoint_run(v, SUPER_OPEN);
	if (!err)
		err = checkpoint_run(v, SUPER_OPEN);
	if (!err)
		err = store_resize(v->store, end * BLOCK_BYTES);
	/* a device stays as large as it is */
	return err == CV_ERR_NOT_SUPPORTED ? CV_OK : err;
}

enum cv_err volume_compact(struct volume *v, uint64_t size, volume_progress *progress, void *user,
	struct volume_compact_report *report, struct volume_why *why)
{
	struct compaction c = { .v = v, .progress = progress, .user = user };
	enum cv_err err = CV_ERR_INTERNAL;

	memset(report, 0, sizeof(*report));
	c.pass.wanted = is_behind;
	(void)pthread_mutex_lock(&v->lock);
	/* what was written ahead for small writes may lie behind the end */
	alloc_zone_set(&v->alloc, 0, 0);
	err = choose_end(v, size, &c.pass.below, why);
	(void)pthread_mutex_unlock(&v->lock);
	if (!err)
		err = move_all(&c, why);
	(void)pthread_mutex_lock(&v->lock);
	if (!err && size && c.pass.below < volume_blocks(v))
		err = cut(v, c.pass.below);
	report->blocks = c.pass.blocks;
	report->nodes = c.pass.nodes;
	report->end = c.pass.below * BLOCK_BYTES;
	report->size = volume_blocks(v) * BLOCK_BYTES;
	(void)pthread_mutex_unlock(&v->lock);
	if (err && why && !why->text[0])
		(void)why_set(why, err, "%s",
			err == CV_ERR_TIMEOUT ? "stopped" : cv_err_text(err));
	return err;
}
