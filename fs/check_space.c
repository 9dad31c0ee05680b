/* Which blocks something refers to, against the bits that the volume stores. */
#include <inttypes.h>
#include <stdlib.h>

#include "fs/check_state.h"

#define RUNS_TOLD 16 /* of one region */

enum cv_err check_refer(
	struct check *c, uint64_t object, uint64_t first, uint64_t count, const char *what)
{
	const struct volume_check_options *o = c->options;

	for (uint64_t b = first; b < first + count; b++) {
		uint64_t **region = &c->used[b / REGION_BLOCKS];
		uint64_t bit = b % REGION_BLOCKS;
		uint64_t mask = 1ull << (bit % 64);

		if (!*region)
			*region = calloc(REGION_WORDS, sizeof(uint64_t));
		if (!*region)
			return CV_ERR_MEMORY;
		if ((*region)[bit / 64] & mask)
			check_problem(c, object, b, "used twice, now as %s", what);
		(*region)[bit / 64] |= mask;
	}
	c->seen_blocks += count;
	if (o->progress &&
		o->progress(o->progress_user, c->seen_blocks, c->v->alloc.used_blocks, what))
		return CV_ERR_TIMEOUT;
	return CV_OK;
}

/* What the volume says about a region: as it is in memory if it is, else as it is stored. */
static enum cv_err stored_bits(struct check *c, uint64_t i, uint64_t bits[REGION_WORDS])
{
	struct item_key key = { .object = OBJECT_VOLUME, .type = ITEM_BITMAP, .offset = i };
	enum cv_err err = CV_ERR_INTERNAL;
	const uint8_t *value;
	size_t len;

	memset(bits, 0, REGION_WORDS * sizeof(uint64_t));
	if (c->v->alloc.region[i]) {
		memcpy(bits, c->v->alloc.region[i]->used, REGION_WORDS * sizeof(uint64_t));
		return CV_OK;
	}
	err = tree_get(&c->v->tree, &key, &value, &len);
	for (size_t w = 0; !err && w < REGION_WORDS; w++)
		bits[w] = le64(value + 8 * w);
	tree_trim(&c->v->tree);
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

static bool bit_of(const uint64_t *bits, uint64_t b)
{
	return bits && (bits[b / 64] >> (b % 64) & 1);
}

/* Runs of blocks in use that are marked free: the next write would go over them. */
static void tell_unmarked(struct check *c, uint64_t i, const uint64_t *stored, uint64_t length)
{
	unsigned told = 0;

	for (uint64_t b = 0; b < length; b++) {
		uint64_t from = b;

		while (b < length && bit_of(c->used[i], b) && !bit_of(stored, b))
			b++;
		if (b > from && told++ < RUNS_TOLD)
			check_problem(c, OBJECT_VOLUME, i * REGION_BLOCKS + from,
				"%" PRIu64 " blocks from here are in use, but marked free", b - from);
		else if (b > from)
			c->report->problems++;
	}
}

static void count_region(struct check *c, const uint64_t *stored, const uint64_t *used,
	uint64_t length, uint64_t *groups)
{
	struct volume_check_report *r = c->report;

	for (uint64_t w = 0; w < REGION_WORDS; w++) {
		uint64_t leaked = stored[w] & ~(used ? used[w] : 0);

		r->used_blocks += (uint64_t)__builtin_popcountll(stored[w]);
		r->leaked_blocks += (uint64_t)__builtin_popcountll(leaked);
		for (unsigned g = 0; g < 64; g += NODE_BLOCKS)
			*groups += (stored[w] >> g & 15) != 0;
	}
	for (uint64_t b = length; b < REGION_BLOCKS; b++)
		if (bit_of(stored, b)) {
			check_problem(c, OBJECT_VOLUME, 0, "bits behind the end of the volume");
			return;
		}
}

enum cv_err check_space(struct check *c)
{
	struct alloc *a = &c->v->alloc;
	struct volume_check_report *r = c->report;
	uint64_t stored[REGION_WORDS];
	bool whole = c->gap_count == 0;
	uint64_t groups = 0;

	for (uint64_t i = 0; i < a->regions; i++) {
		uint64_t left = a->blocks - i * REGION_BLOCKS;
		uint64_t length = left < REGION_BLOCKS ? left : REGION_BLOCKS;
		enum cv_err err = stored_bits(c, i, stored);

		if (err == CV_ERR_MEMORY)
			return err;
		if (err) {
			/* its node was told about before, if it was met in the walk */
			whole = false;
			if (c->gap_count == 0)
				check_problem(c, OBJECT_VOLUME, 0, "bitmap of region %" PRIu64 ": %s",
					i, cv_err_text(err));
			continue;
		}
		tell_unmarked(c, i, stored, length);
		count_region(c, stored, c->used[i], length, &groups);
	}
	r->free_blocks = a->blocks - r->used_blocks;
	/* below a node that does not open hangs what nobody refers to now */
	if (!whole)
		return CV_OK;
	if (r->leaked_blocks)
		check_problem(c, OBJECT_VOLUME, 0,
			"%" PRIu64 " blocks are marked used, but nothing refers to them",
			r->leaked_blocks);
	if (r->used_blocks != a->used_blocks || groups != a->used_groups)
		check_problem(c, OBJECT_VOLUME, 0,
			"space: the superblock counts %" PRIu64 " blocks in %" PRIu64
			" groups, the bitmap %" PRIu64 " in %" PRIu64,
			a->used_blocks, a->used_groups, r->used_blocks, groups);
	return CV_OK;
}
