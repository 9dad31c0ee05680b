#include "fs/ahead.h"

#include "fs/checkpoint.h"
#include "fs/flush.h"
#include "fs/noise.h"
#include "fs/state.h"

#define ZONE_BLOCKS 4096 /* 16 MiB; of a small volume 1/256 */
#define ZONE_MIN 64
#define ZONE_PART 256
#define NODES_PART 64     /* of the volume, at most NODES_MAX, lies before the first zone */
#define NODES_MAX 8192
#define FIND_ZONES 64     /* looked at in one go */
#define SLICE_BLOCKS 256  /* between two flushes, which others wait for */
#define WAITS_MIN 16      /* one fsync now and then is not worth it */

/* A power of two, so that no zone lies across two regions; 0 if the volume is too small. */
static uint64_t zone_blocks(uint64_t blocks)
{
	uint64_t want = ZONE_BLOCKS;

	while (want > blocks / ZONE_PART)
		want /= 2;
	return want < ZONE_MIN ? 0 : want;
}

enum cv_err ahead_first(struct store *store, uint64_t blocks, uint64_t nodes)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t want = zone_blocks(blocks);
	uint64_t before = blocks / NODES_PART < NODES_MAX ? blocks / NODES_PART : NODES_MAX;
	struct noise noise;

	if (want == 0)
		return CV_OK;
	err = noise_init(&noise);
	if (err)
		return err;
	/* below where data begins, which is a 32nd of the volume behind `nodes` */
	err = noise_write(&noise, store, (nodes + before + want - 1) / want * want, want);
	noise_wipe(&noise);
	return err;
}

/* The next one of which nothing is sparse and a quarter can be taken. */
static bool find(struct volume *v)
{
	struct alloc *a = &v->alloc;
	uint64_t want = zone_blocks(volume_blocks(v));
	uint64_t zones = want ? volume_blocks(v) / want : 0;

	for (uint64_t n = 0; n < zones && n < FIND_ZONES; n++) {
		uint64_t first = v->flush.ahead_next % zones * want;
		uint64_t unused;

		v->flush.ahead_next = (v->flush.ahead_next + 1) % zones;
		if (a->full[first / REGION_BLOCKS] || alloc_free_in(a, first, want, &unused) ||
			unused < want / 4 ||
			store_sparse(v->store, first * BLOCK_BYTES, want * BLOCK_BYTES))
			continue;
		alloc_zone_set(a, first, want);
		return true;
	}
	return false;
}

void ahead_begin(struct volume *v)
{
	if (!v->read_only && !v->frozen)
		(void)find(v);
}

bool ahead_wanted(struct volume *v)
{
	alloc_zone_credit(&v->alloc);
	v->flush.waits++;
	return v->flush.waits >= WAITS_MIN && alloc_zone_low(&v->alloc);
}

/* Noise where there was nothing. No lock held; the blocks are taken. */
static enum cv_err fill(struct volume *v, uint64_t first, uint64_t count)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct noise noise;

	err = noise_init(&noise);
	if (err)
		return err;
	while (count && !err) {
		uint64_t part = count < SLICE_BLOCKS ? count : SLICE_BLOCKS;

		if (store_sparse(v->store, first * BLOCK_BYTES, part * BLOCK_BYTES)) {
			err = noise_write(&noise, v->store, first, part);
			if (!err)
				err = flush_store(v);
		}
		first += part;
		count -= part;
	}
	noise_wipe(&noise);
	return err;
}

void ahead_prepare(struct volume *v)
{
	struct alloc *a = &v->alloc;
	uint64_t want = zone_blocks(volume_blocks(v));
	uint64_t first;
	uint64_t count;
	enum cv_err err = CV_ERR_INTERNAL;

	v->flush.waits = 0;
	if (v->read_only || v->frozen || alloc_zone_again(a) || find(v))
		return;
	if (want == 0 ||
		alloc_take_data(a, want, checkpoint_reserve(v, TXN_DATA), &first, &count))
		return;
	(void)pthread_mutex_unlock(&v->lock);
	err = fill(v, first, count);
	(void)pthread_mutex_lock(&v->lock);
	alloc_cancel(a, first, count);
	/* no room below, perhaps: then writes go where they went before */
	if (!err && count >= ZONE_MIN)
		alloc_zone_set(a, first, count);
}
