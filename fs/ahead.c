#include "fs/ahead.h"

#include "fs/checkpoint.h"
#include "fs/flush.h"
#include "fs/noise.h"
#include "fs/state.h"

#define ZONE_BLOCKS 4096 /* 16 MiB; of a small volume 1/256 */
#define ZONE_MIN 64
#define SLICE_BLOCKS 256 /* between two flushes, which others wait for */
#define WAITS_MIN 16     /* one fsync now and then is not worth it */

bool ahead_wanted(struct volume *v)
{
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
	uint64_t want = volume_blocks(v) / 256;
	uint64_t first;
	uint64_t count;
	enum cv_err err = CV_ERR_INTERNAL;

	v->flush.waits = 0;
	if (v->read_only || v->frozen || alloc_zone_again(a))
		return;
	if (want > ZONE_BLOCKS)
		want = ZONE_BLOCKS;
	if (want < ZONE_MIN ||
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
