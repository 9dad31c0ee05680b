#include "fs/alloc.h"

#include <stdlib.h>

#define NIBBLES 0x1111111111111111u
#define ZONE_WANT_MAX 32 /* blocks of one write that still count as a small one */
#define ZONE_CREDIT 256

void alloc_resume(struct alloc *a, const struct super *s)
{
	a->used_blocks = s->used_blocks;
	a->busy_blocks = s->used_blocks;
	a->used_groups = s->used_groups;
	a->busy_groups = s->used_groups;
	a->node_cursor = s->node_cursor < a->blocks ? s->node_cursor : 0;
	a->data_cursor = s->data_cursor < a->blocks ? s->data_cursor : 0;
}

void alloc_report(const struct alloc *a, struct super *s)
{
	s->used_blocks = a->used_blocks;
	s->used_groups = a->used_groups;
	s->node_cursor = a->node_cursor;
	s->data_cursor = a->data_cursor;
}

static bool group_empty(const uint64_t *plane, uint64_t bit)
{
	return (plane[bit / 64] >> (bit % 64 & ~3u) & 15) == 0;
}

static struct region *region_of(struct alloc *a, uint64_t block)
{
	return a->region[block / REGION_BLOCKS];
}

static void busy_set(struct alloc *a, uint64_t block)
{
	struct region *r = region_of(a, block);
	uint64_t bit = block % REGION_BLOCKS;
	uint64_t mask = 1ull << (bit % 64);

	if (r->busy[bit / 64] & mask)
		return;
	a->busy_groups += group_empty(r->busy, bit);
	r->busy[bit / 64] |= mask;
	a->busy_blocks++;
	r->free--;
}

static void busy_clear(struct alloc *a, uint64_t block)
{
	struct region *r = region_of(a, block);
	uint64_t bit = block % REGION_BLOCKS;

	r->busy[bit / 64] &= ~(1ull << (bit % 64));
	a->busy_groups -= group_empty(r->busy, bit);
	a->busy_blocks--;
	r->free++;
}

enum cv_err alloc_claim(struct alloc *a, uint64_t block)
{
	enum cv_err err = alloc_load(a, block);
	uint64_t bit = block % REGION_BLOCKS;

	if (err)
		return err;
	if (region_of(a, block)->busy[bit / 64] >> (bit % 64) & 1)
		return CV_ERR_TAMPERED;
	busy_set(a, block);
	return CV_OK;
}

void alloc_use(struct alloc *a, uint64_t block)
{
	struct region *r = region_of(a, block);
	uint64_t bit = block % REGION_BLOCKS;
	uint64_t mask = 1ull << (bit % 64);

	busy_set(a, block);
	if (r->used[bit / 64] & mask)
		return;
	a->used_groups += group_empty(r->used, bit);
	r->used[bit / 64] |= mask;
	a->used_blocks++;
	r->dirty = true;
}

void alloc_retire(struct alloc *a, uint64_t first, uint64_t count)
{
	for (uint64_t b = first; b < first + count; b++) {
		struct region *r = region_of(a, b);
		uint64_t bit = b % REGION_BLOCKS;
		uint64_t mask = 1ull << (bit % 64);

		if (!(r->used[bit / 64] & mask))
			continue;
		r->used[bit / 64] &= ~mask;
		a->used_groups -= group_empty(r->used, bit);
		a->used_blocks--;
		r->freed_now[bit / 64] |= mask;
		r->dirty = true;
		r->pending_now = true;
		a->pending_now++;
	}
}

void alloc_cancel(struct alloc *a, uint64_t first, uint64_t count)
{
	for (uint64_t b = first; b < first + count; b++)
		busy_clear(a, b);
}

/* Free bits of word w that may be taken; whole free groups only if may_break. */
static uint64_t free_bits(const struct region *r, uint64_t w, uint64_t length, bool may_break)
{
	uint64_t x = ~r->busy[w];

	if (length < (w + 1) * 64)
		x &= length <= w * 64 ? 0 : (1ull << (length - w * 64)) - 1;
	if (!may_break) {
		uint64_t whole = x & x >> 1 & x >> 2 & x >> 3 & NIBBLES;

		x &= ~(whole * 15);
	}
	return x;
}

/* The first takeable bit of region i at or after `from`; REGION_BLOCKS if there is none. */
static uint64_t find_free(const struct alloc *a, uint64_t i, uint64_t from, bool may_break)
{
	const struct region *r = a->region[i];
	uint64_t length = alloc_region_length(a, i);

	for (uint64_t w = from / 64; w < REGION_WORDS; w++) {
		uint64_t x = free_bits(r, w, length, may_break);

		if (w == from / 64)
			x &= ~0ull << (from % 64);
		if (x)
			return w * 64 + (uint64_t)__builtin_ctzll(x);
	}
	return REGION_BLOCKS;
}

static uint64_t take_run(
	struct alloc *a, uint64_t i, uint64_t from, uint64_t want, uint64_t groups_left)
{
	uint64_t length = alloc_region_length(a, i);
	uint64_t n = 0;

	while (n < want && from + n < length) {
		uint64_t bit = from + n;
		const struct region *r = a->region[i];

		if (r->busy[bit / 64] >> (bit % 64) & 1)
			break;
		if (group_empty(r->busy, bit) && alloc_free_groups(a) <= groups_left)
			break;
		busy_set(a, i * REGION_BLOCKS + bit);
		n++;
	}
	return n;
}

void alloc_zone_set(struct alloc *a, uint64_t first, uint64_t count)
{
	a->zone_first = first;
	a->zone_count = count;
	a->zone_used = 0;
	a->zone_credit = ZONE_CREDIT;
}

void alloc_zone_credit(struct alloc *a)
{
	a->zone_credit = ZONE_CREDIT;
}

bool alloc_zone_low(const struct alloc *a)
{
	return a->zone_used >= a->zone_count / 4 * 3;
}

enum cv_err alloc_free_in(struct alloc *a, uint64_t first, uint64_t count, uint64_t *unused)
{
	enum cv_err err = alloc_load(a, first);
	const struct region *r;

	if (err)
		return err;
	r = region_of(a, first);
	*unused = 0;
	for (uint64_t b = first; b < first + count; b++) {
		uint64_t bit = b % REGION_BLOCKS;

		*unused += ~r->busy[bit / 64] >> (bit % 64) & 1;
	}
	return CV_OK;
}

bool alloc_zone_again(struct alloc *a)
{
	uint64_t unused;

	if (a->zone_count == 0 || alloc_free_in(a, a->zone_first, a->zone_count, &unused) ||
		unused < a->zone_count / 2)
		return false;
	a->zone_used = 0;
	return true;
}

/* A few blocks in the zone; false if it has none left. */
static bool take_in_zone(
	struct alloc *a, uint64_t want, uint64_t groups_left, uint64_t *first, uint64_t *count)
{
	uint64_t i = a->zone_first / REGION_BLOCKS;
	uint64_t at = a->zone_first + a->zone_used;
	uint64_t left = a->zone_count - a->zone_used;
	uint64_t bit;

	if (want > ZONE_WANT_MAX || want > a->zone_credit || left == 0 || alloc_load(a, at))
		return false;
	bit = find_free(a, i, at % REGION_BLOCKS, alloc_free_groups(a) > groups_left);
	if (i * REGION_BLOCKS + bit >= at + left) {
		a->zone_used = a->zone_count;
		return false;
	}
	*first = i * REGION_BLOCKS + bit;
	left -= *first - at;
	*count = take_run(a, i, bit, want < left ? want : left, groups_left);
	a->zone_used = *first + *count - a->zone_first;
	a->zone_credit -= *count;
	return *count > 0;
}

enum cv_err alloc_take_data(
	struct alloc *a, uint64_t want, uint64_t groups_left, uint64_t *first, uint64_t *count)
{
	bool may_break = alloc_free_groups(a) > groups_left;
	uint64_t start = a->data_cursor;
	uint64_t from = start % REGION_BLOCKS;

	if (take_in_zone(a, want, groups_left, first, count))
		return CV_OK;
	/* one more than all: the first region is looked at again from its beginning */
	for (uint64_t k = 0; k <= a->regions; k++) {
		uint64_t i = (start / REGION_BLOCKS + k) % a->regions;
		enum cv_err err = CV_ERR_INTERNAL;
		uint64_t bit;

		if (a->full[i]) {
			from = 0;
			continue;
		}
		err = alloc_load(a, i * REGION_BLOCKS);
		if (err)
			return err;
		bit = a->region[i]->free ? find_free(a, i, from, may_break) : REGION_BLOCKS;
		from = 0;
		if (bit == REGION_BLOCKS)
			continue;
		*count = take_run(a, i, bit, want, groups_left);
		if (*count == 0)
			continue;
		*first = i * REGION_BLOCKS + bit;
		a->data_cursor = (*first + *count) % a->blocks;
		return CV_OK;
	}
	return CV_ERR_FULL;
}

/* An aligned group of 4, taken and used. CV_ERR_FULL. */
static enum cv_err take_node(struct alloc *a, uint64_t *block)
{
	uint64_t start = a->node_cursor - a->node_cursor % NODE_BLOCKS;
	uint64_t w = start % REGION_BLOCKS / 64;

	for (uint64_t k = 0; k <= a->regions; k++, w = 0) {
		uint64_t i = (start / REGION_BLOCKS + k) % a->regions;
		enum cv_err err = a->full[i] ? CV_OK : alloc_load(a, i * REGION_BLOCKS);

		if (err)
			return err;
		for (; !a->full[i] && a->region[i]->free && w < REGION_WORDS; w++) {
			uint64_t x = free_bits(a->region[i], w, alloc_region_length(a, i), true);

			x &= x >> 1 & x >> 2 & x >> 3 & NIBBLES;
			if (!x)
				continue;
			*block = i * REGION_BLOCKS + w * 64 + (uint64_t)__builtin_ctzll(x);
			for (uint64_t b = 0; b < NODE_BLOCKS; b++)
				alloc_use(a, *block + b);
			a->node_cursor = *block;
			return CV_OK;
		}
	}
	return CV_ERR_FULL;
}

enum cv_err alloc_place(struct alloc *a, bool *changed)
{
	static const uint8_t none[REGION_BYTES];
	enum cv_err err = CV_OK;

	for (uint64_t i = 0; i < a->regions && !err; i++) {
		struct item_key key = { .object = OBJECT_VOLUME, .type = ITEM_BITMAP, .offset = i };
		struct region *r = a->region[i];
		const uint8_t *value;
		size_t len;

		if (!r || !r->dirty || r->placed)
			continue;
		err = tree_prepare(a->tree, &key);
		if (!err)
			err = tree_reserve(a->tree, 1);
		if (err)
			break;
		if (tree_get(a->tree, &key, &value, &len) != CV_OK)
			tree_put(a->tree, &key, none, sizeof(none));
		r->placed = true;
		*changed = true;
	}
	return err;
}

void alloc_store(struct alloc *a)
{
	for (uint64_t i = 0; i < a->regions; i++) {
		struct item_key key = { .object = OBJECT_VOLUME, .type = ITEM_BITMAP, .offset = i };
		struct region *r = a->region[i];
		uint8_t bytes[REGION_BYTES];

		if (!r || !r->placed)
			continue;
		for (size_t w = 0; w < REGION_WORDS; w++)
			put_le64(bytes + 8 * w, r->used[w]);
		tree_put(a->tree, &key, bytes, sizeof(bytes));
		r->placed = false;
		r->dirty = false;
	}
}

static void region_release(struct alloc *a, uint64_t i)
{
	struct region *r = a->region[i];

	for (uint64_t w = 0; r->pending_before && w < REGION_WORDS; w++) {
		uint64_t x = r->freed_before[w];

		for (; x; x &= x - 1)
			busy_clear(a, i * REGION_BLOCKS + w * 64 + (uint64_t)__builtin_ctzll(x));
	}
	r->pending_before = r->pending_cut;
	r->pending_cut = false;
	memcpy(r->freed_before, r->freed_cut, sizeof(r->freed_before));
	memset(r->freed_cut, 0, sizeof(r->freed_cut));
}

void alloc_cut(struct alloc *a)
{
	for (uint64_t i = 0; i < a->regions; i++) {
		struct region *r = a->region[i];

		if (!r || !r->pending_now)
			continue;
		memcpy(r->freed_cut, r->freed_now, sizeof(r->freed_cut));
		memset(r->freed_now, 0, sizeof(r->freed_now));
		r->pending_cut = true;
		r->pending_now = false;
	}
	a->pending_cut = a->pending_now;
	a->pending_now = 0;
}

void alloc_release(struct alloc *a)
{
	for (uint64_t i = 0; i < a->regions; i++)
		if (a->region[i] && (a->region[i]->pending_cut || a->region[i]->pending_before))
			region_release(a, i);
	a->pending_before = a->pending_cut;
	a->pending_cut = 0;
	a->trim_at = a->keep;
}

static enum cv_err space_prepare(void *user, uint64_t block)
{
	return alloc_load(user, block);
}

static void space_retire(void *user, uint64_t block)
{
	alloc_retire(user, block, NODE_BLOCKS);
}

static enum cv_err space_take(void *user, uint64_t *block)
{
	return take_node(user, block);
}

const struct tree_space alloc_tree_space = {
	.prepare = space_prepare,
	.retire = space_retire,
	.take = space_take,
};
