/* The regions of the allocator in memory: loaded when needed, let go of when there are many. */
#include <stdlib.h>

#include "fs/alloc.h"

#define KEEP_MIN 16
#define KEEP_PART 10 /* regions per node that the tree's cache may hold: a sixteenth of its memory */

enum cv_err alloc_init(struct alloc *a, struct tree *tree, uint64_t blocks)
{
	memset(a, 0, sizeof(*a));
	a->tree = tree;
	a->keep = tree->cache.clean_max / KEEP_PART;
	if (a->keep < KEEP_MIN)
		a->keep = KEEP_MIN;
	a->trim_at = a->keep;
	return alloc_extend(a, blocks);
}

void alloc_wipe(struct alloc *a)
{
	for (uint64_t i = 0; a->region && i < a->regions; i++)
		free(a->region[i]);
	free(a->region);
	free(a->full);
	memset(a, 0, sizeof(*a));
}

enum cv_err alloc_extend(struct alloc *a, uint64_t blocks)
{
	uint64_t regions = (blocks + REGION_BLOCKS - 1) / REGION_BLOCKS;
	uint64_t end = a->regions * REGION_BLOCKS;
	struct region **region = realloc(a->region, regions * sizeof(*region));
	uint8_t *full;

	if (!region)
		return CV_ERR_MEMORY;
	a->region = region;
	full = realloc(a->full, regions);
	if (!full)
		return CV_ERR_MEMORY;
	a->full = full;
	for (uint64_t i = a->regions; i < regions; i++) {
		region[i] = NULL;
		full[i] = 0;
	}
	if (a->regions && blocks > a->blocks) {
		struct region *last = region[a->regions - 1];

		/* the last region may have ended early; what it gains is free */
		if (last)
			last->free += (uint32_t)((blocks < end ? blocks : end) - a->blocks);
		full[a->regions - 1] = 0;
	}
	a->regions = regions;
	a->blocks = blocks;
	return CV_OK;
}

static enum cv_err region_read(struct alloc *a, uint64_t i, struct region *r)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct item_key key = { .object = OBJECT_VOLUME, .type = ITEM_BITMAP, .offset = i };
	uint64_t length = alloc_region_length(a, i);
	const uint8_t *value;
	uint32_t used = 0;
	size_t len;

	memset(r, 0, sizeof(*r));
	err = tree_get(a->tree, &key, &value, &len);
	if (err == CV_ERR_NOT_FOUND) {
		r->free = (uint32_t)length;
		return CV_OK;
	}
	if (err)
		return err;
	for (size_t w = 0; w < REGION_WORDS; w++) {
		r->used[w] = le64(value + 8 * w);
		r->busy[w] = r->used[w];
		used += (uint32_t)__builtin_popcountll(r->used[w]);
	}
	for (uint64_t b = length; b < REGION_BLOCKS; b++)
		if (alloc_is_used(r, b))
			return CV_ERR_TAMPERED;
	r->free = (uint32_t)length - used;
	return CV_OK;
}

enum cv_err alloc_load(struct alloc *a, uint64_t block)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t i = block / REGION_BLOCKS;
	struct region *r;

	if (i >= a->regions)
		return CV_ERR_TAMPERED;
	if (a->region[i])
		return CV_OK;
	r = malloc(sizeof(*r));
	if (!r)
		return CV_ERR_MEMORY;
	err = region_read(a, i, r);
	if (err) {
		free(r);
		return err;
	}
	a->region[i] = r;
	a->loaded++;
	a->full[i] = 0;
	return CV_OK;
}

/* Nothing of it is known here only. */
static bool can_go(const struct region *r)
{
	return !r->dirty && !r->placed && !r->pending_now && !r->pending_cut &&
	       !r->pending_before && memcmp(r->used, r->busy, sizeof(r->used)) == 0;
}

void alloc_drop(struct alloc *a, uint64_t i)
{
	a->full[i] = a->region[i]->free == 0;
	free(a->region[i]);
	a->region[i] = NULL;
	a->loaded--;
}

void alloc_trim(struct alloc *a)
{
	if (a->loaded <= a->trim_at)
		return;
	for (uint64_t n = 0; n < a->regions && a->loaded > a->keep / 2; n++) {
		a->hand = (a->hand + 1) % a->regions;
		if (a->region[a->hand] && can_go(a->region[a->hand]))
			alloc_drop(a, a->hand);
	}
	/* what cannot go now can after a checkpoint, so there is no use in looking before */
	a->trim_at = a->loaded > a->keep ? a->loaded + a->keep : a->keep;
}
