#include "fs/rewrite.h"

#include <stdlib.h>

#include "fs/checkpoint.h"
#include "fs/data_blocks.h"
#include "fs/state.h"
#include "protocol/crypto.h"

#define SLICE_ITEMS (REWRITE_SLICE_BLOCKS / MAP_BLOCKS)
#define SLICE_LEAVES 256

/* One MAP item with blocks that are wanted elsewhere. */
struct stale_item {
	struct item_key key;
	uint16_t mask;
	struct map_entry entry[MAP_BLOCKS];
};

struct slice {
	struct volume *v;
	struct rewrite *r;
	struct stale_item item[SLICE_ITEMS];
	unsigned items;
	struct map_entry new[REWRITE_SLICE_BLOCKS];
	unsigned count;
	uint8_t data[REWRITE_SLICE_BLOCKS][BLOCK_BYTES]; /* plain, then sealed in place */
};

/* Notes the blocks of a MAP item that are wanted; false if the slice is full. */
static bool note_item(
	struct slice *s, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct stale_item *item = &s->item[s->items];

	item->key = *key;
	item->mask = 0;
	for (unsigned i = 0; i * MAP_ENTRY_BYTES < len; i++) {
		map_entry_get(&item->entry[i], value, len, i);
		if (item->entry[i].block == 0)
			continue;
		s->r->seen++;
		if (s->r->wanted(s->v, s->r, item->entry[i].block, item->entry[i].key))
			item->mask |= (uint16_t)(1u << i);
	}
	if (item->mask)
		s->items++;
	return s->items < SLICE_ITEMS;
}

static bool is_wanted(const struct slice *s, const struct node *n)
{
	return !n->dirty && s->r->wanted(s->v, s->r, n->ptr.block, n->ptr.key);
}

/* The leaf that holds `key`; *after is the lower bound of the next one, if there is one. */
static enum cv_err find_leaf(struct slice *s, const struct item_key *key, struct node **leaf,
	struct item_key *after, bool *has_after, bool *wanted)
{
	struct volume *v = s->v;
	enum cv_err err = CV_ERR_INTERNAL;
	struct node *n;

	*has_after = false;
	*wanted = false;
	err = tree_root(&v->tree, &n);
	while (!err && n->level > 0) {
		unsigned i = node_find_child(n, key);

		*wanted |= is_wanted(s, n);

		if (i + 1u < n->count) {
			*after = node_key(n, i + 1);
			*has_after = true;
		}
		err = tree_child(&v->tree, n, i, &n);
	}
	if (!err)
		*wanted |= is_wanted(s, n);
	*leaf = n;
	return err;
}

/*
 * Looks through one leaf from r->at on. If a node on the way to it is wanted itself, the whole path is
 * dirtied and gets new places with the next checkpoint.
 */
static enum cv_err look_at_leaf(struct slice *s, bool *end)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct rewrite *r = s->r;
	struct volume *v = s->v;
	struct item_key after = { 0 };
	struct node *leaf;
	bool has_after;
	bool wanted;
	bool exact;
	bool room = true;
	unsigned i;

	err = find_leaf(s, &r->at, &leaf, &after, &has_after, &wanted);
	if (err)
		return err;
	for (i = node_find(leaf, &r->at, &exact); i < leaf->count && room; i++) {
		struct item_key key = node_key(leaf, i);
		size_t len;
		const uint8_t *value = node_value(leaf, i, &len);

		if (key.type == ITEM_MAP)
			room = note_item(s, &key, value, len);
	}
	if (!room && i < leaf->count) {
		/* the rest of this leaf comes with the next slice */
		r->at = node_key(leaf, i);
		*end = false;
		return CV_OK;
	}
	if (wanted) {
		struct item_key key = node_key(leaf, 0);

		r->found = true;
		r->nodes++;
		err = tree_prepare(&v->tree, &key);
		v->dirty = true;
	}
	*end = !has_after;
	r->at = after;
	return err;
}

static bool fits(const struct slice *s)
{
	for (unsigned i = 0; i < s->count && s->r->below; i++)
		if (s->new[i].block >= s->r->below)
			return false;
	return true;
}

/* What is taken now comes back with the blocks that it replaces, two checkpoints later. */
static enum cv_err take_space(struct slice *s)
{
	struct volume *v = s->v;

	for (int round = 0; round < 4; round++) {
		enum cv_err err = CV_ERR_INTERNAL;

		if (s->r->below)
			v->alloc.data_cursor = 0;
		err = blocks_take(v, s->new, s->count, TXN_ADDS);
		if (err == CV_ERR_FULL)
			err = blocks_take(v, s->new, s->count, TXN_FREES);
		if (err)
			return err;
		if (fits(s))
			return CV_OK;
		blocks_cancel(v, s->new, s->count);
		if (!checkpoint_gather(v))
			break;
	}
	return v->frozen ? CV_ERR_READ_ONLY : CV_ERR_FULL;
}

/* Seals what was read and writes it. */
static enum cv_err write_anew(struct slice *s)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < s->count && !err; i++)
		err = keyring_seal_data(&s->v->keyring, &s->new[i], s->data[i], s->data[i]);
	return err ? err : blocks_write(s->v, s->new, s->count, s->data[0]);
}

static enum cv_err commit(struct slice *s)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct txn txn;
	unsigned at = 0;

	txn_init(&txn);
	for (unsigned k = 0; k < s->items; k++) {
		struct stale_item *item = &s->item[k];

		for (unsigned i = 0; i < MAP_BLOCKS; i++)
			if (item->mask >> i & 1)
				item->entry[i] = s->new[at++];
		if (item->mask)
			txn_map(&txn, item->key.object, item->key.offset, item->mask, item->entry);
	}
	err = txn_commit(s->v, &txn, TXN_FREES);
	txn_wipe(&txn);
	return err;
}

/* Reads what was noted; what does not open keeps its place and its key. */
static void gather(struct slice *s)
{
	for (unsigned k = 0; k < s->items; k++) {
		struct stale_item *item = &s->item[k];

		for (unsigned i = 0; i < MAP_BLOCKS; i++) {
			if (!(item->mask >> i & 1))
				continue;
			if (blocks_read(s->v, &item->entry[i], 1, s->data[s->count]) == CV_OK) {
				s->count++;
				continue;
			}
			s->r->damaged++;
			item->mask &= (uint16_t)~(1u << i);
		}
	}
}

static enum cv_err reseal(struct slice *s)
{
	enum cv_err err = CV_OK;

	gather(s);
	if (s->count == 0)
		return CV_OK;
	s->r->found = true;
	err = take_space(s);
	if (err)
		return err;
	err = write_anew(s);
	if (!err)
		err = commit(s);
	if (err) {
		blocks_cancel(s->v, s->new, s->count);
		return err;
	}
	s->v->dirty_data += (uint64_t)s->count * BLOCK_BYTES;
	s->r->blocks += s->count;
	return CV_OK;
}

enum cv_err rewrite_slice(struct volume *v, struct rewrite *r, uint64_t *blocks)
{
	enum cv_err err = CV_OK;
	struct slice *s = malloc(sizeof(*s));

	*blocks = 0;
	if (!s)
		return CV_ERR_MEMORY;
	s->v = v;
	s->r = r;
	s->items = 0;
	s->count = 0;
	r->end = false;
	if (v->read_only || v->frozen)
		err = CV_ERR_READ_ONLY;
	for (unsigned n = 0; n < SLICE_LEAVES && !err && !r->end && s->items == 0; n++)
		err = look_at_leaf(s, &r->end);
	if (!err)
		err = reseal(s);
	*blocks = s->count;
	if (r->below)
		v->alloc.node_cursor = 0;
	if (!err)
		err = checkpoint_if_due(v);
	if (!err && r->end)
		memset(&r->at, 0, sizeof(r->at));
	crypto_wipe(s->data, (size_t)s->count * BLOCK_BYTES);
	free(s);
	return err;
}
