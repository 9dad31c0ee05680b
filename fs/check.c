#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/check_state.h"
#include "fs/checkpoint.h"
#include "protocol/crypto.h"

void check_problem(struct check *c, const char *format, ...)
{
	struct volume_check_report *r = c->report;
	va_list args;

	r->problems++;
	if (r->first_count == sizeof(r->first) / sizeof(r->first[0]))
		return;
	va_start(args, format);
	(void)vsnprintf(r->first[r->first_count++], sizeof(r->first[0]), format, args);
	va_end(args);
}

enum cv_err check_grow(void **array, size_t *cap, size_t count, size_t item)
{
	size_t more = *cap * 2 + 256;
	void *p;

	if (count < *cap)
		return CV_OK;
	p = realloc(*array, more * item);
	if (!p)
		return CV_ERR_MEMORY;
	*array = p;
	*cap = more;
	return CV_OK;
}

static enum cv_err refer(struct check *c, uint64_t first, uint64_t count, const char *what)
{
	for (uint64_t b = first; b < first + count; b++) {
		uint64_t mask = 1ull << (b % 64);

		if (c->used[b / 64] & mask)
			check_problem(c, "block %" PRIu64 ": used twice, now as %s", b, what);
		c->used[b / 64] |= mask;
	}
	c->seen_blocks += count;
	if (c->progress && c->progress(c->user, c->seen_blocks, c->v->alloc.used_blocks, what))
		return CV_ERR_TIMEOUT;
	return CV_OK;
}

static enum cv_err check_block(
	struct check *c, uint64_t object, uint64_t index, const struct map_entry *e)
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = refer(c, e->block, 1, "data");
	if (err)
		return err;
	c->report->data_blocks++;
	err = store_read(c->v->store, e->block * BLOCK_BYTES, c->block, BLOCK_BYTES);
	if (!err)
		err = keyring_open_data(&c->v->keyring, e, c->block, c->block);
	if (err)
		check_problem(c,
			"object %" PRIu64 ": block %" PRIu64 " of the file, %" PRIu64
			" of the volume: %s",
			object, index, e->block, cv_err_text(err));
	return CV_OK;
}

static enum cv_err check_map(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct check_inode *owner = check_owner(c, key->object);
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i * MAP_ENTRY_BYTES < len && !err; i++) {
		uint64_t index = key->offset * MAP_BLOCKS + i;
		struct map_entry e;

		map_entry_get(&e, value, len, i);
		if (e.block == 0)
			continue;
		err = check_block(c, key->object, index, &e);
		if (owner) {
			owner->mapped++;
			owner->last_mapped = index + 1;
		}
	}
	return err;
}

static enum cv_err check_leaf(struct check *c, const struct node *n)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < n->count && !err; i++) {
		struct item_key key = node_key(n, i);
		size_t len;
		const uint8_t *value = node_value(n, i, &len);

		c->report->items++;
		if (key.type == ITEM_MAP)
			err = check_map(c, &key, value, len);
		else if (key.type != ITEM_BITMAP)
			err = check_item(c, &key, value, len);
	}
	return err;
}

/* Depth is bounded: levels fall by one with each step. */
static enum cv_err check_node(struct check *c, struct node *n, uint64_t block)
{
	struct tree *t = &c->v->tree;
	enum cv_err err = CV_ERR_INTERNAL;

	c->report->nodes++;
	/* what a replay changed while the volume is read only has no place in the container */
	err = n->dirty ? CV_OK : refer(c, block, NODE_BLOCKS, "node");
	if (err || n->level == 0)
		return err ? err : check_leaf(c, n);
	for (unsigned i = 0; i < n->count && !err; i++) {
		struct node_pointer p;
		struct node *child;
		size_t len;

		pointer_decode(&p, node_value(n, i, &len));
		err = tree_child(t, n, i, &child);
		if (err == CV_ERR_MEMORY)
			return err;
		if (err) {
			check_problem(
				c, "node at block %" PRIu64 ": %s", p.block, cv_err_text(err));
			err = refer(c, p.block, NODE_BLOCKS, "node");
			continue; /* not dirty: it could not be read */
		}
		err = check_node(c, child, p.block);
		/* leaves are many: they do not stay beyond the cache's limit */
		if (child->level == 0 && t->cache.clean.count > t->cache.clean_max)
			node_cache_discard(&t->cache, child);
	}
	return err;
}

static bool used_bit(const struct check *c, uint64_t block)
{
	return c->used[block / 64] >> (block % 64) & 1;
}

/* The stored bits against what the walk has seen. */
static enum cv_err check_bitmap(struct check *c)
{
	struct alloc *a = &c->v->alloc;
	struct volume_check_report *r = c->report;
	uint64_t groups = 0;

	for (uint64_t b = 0; b < a->blocks; b++) {
		enum cv_err err = alloc_load(a, b);
		bool stored;

		if (err == CV_ERR_MEMORY)
			return err;
		if (err) {
			check_problem(c, "bitmap of region %" PRIu64 ": %s", b / REGION_BLOCKS,
				cv_err_text(err));
			b |= REGION_BLOCKS - 1;
			continue;
		}
		stored = alloc_is_used(a->region[b / REGION_BLOCKS], b);
		r->used_blocks += stored;
		if (used_bit(c, b) && !stored)
			check_problem(c, "block %" PRIu64 ": in use, but marked free", b);
		if (stored && !used_bit(c, b))
			r->leaked_blocks++;
		if (b % NODE_BLOCKS == 0 && stored)
			groups++;
		else if (b % NODE_BLOCKS && stored) {
			const struct region *region = a->region[b / REGION_BLOCKS];
			bool before = false;

			for (uint64_t k = b - b % NODE_BLOCKS; k < b; k++)
				before |= alloc_is_used(region, k);
			groups += !before;
		}
	}
	r->free_blocks = a->blocks - r->used_blocks;
	if (r->leaked_blocks)
		check_problem(c, "%" PRIu64 " blocks are marked used, but nothing refers to them",
			r->leaked_blocks);
	if (r->used_blocks != a->used_blocks || groups != a->used_groups)
		check_problem(c,
			"space: the superblock counts %" PRIu64 " blocks in %" PRIu64
			" groups, the bitmap %" PRIu64 " in %" PRIu64,
			a->used_blocks, a->used_groups, r->used_blocks, groups);
	return CV_OK;
}

static enum cv_err check_all(struct check *c)
{
	const struct log_descriptor *log = &c->v->super->log;
	enum cv_err err = CV_OK;
	struct node *root;

	for (unsigned i = 0; i < SUPER_SLOTS && !err; i++)
		err = refer(c, super_slot_block(i), 1, "superblock");
	if (!err)
		err = refer(c, log->ring, log->blocks, "log");
	if (!err)
		err = tree_root(&c->v->tree, &root);
	if (!err)
		err = check_node(c, root, root->ptr.block);
	if (err)
		return err;
	check_names(c);
	c->report->orphans = c->orphan_count;
	if (c->orphan_count != c->v->super->orphans)
		check_problem(c, "the superblock counts %" PRIu64 " orphans, there are %zu",
			c->v->super->orphans, c->orphan_count);
	if (c->inode_count != c->v->super->objects)
		check_problem(c, "the superblock counts %" PRIu64 " objects, there are %zu",
			c->v->super->objects, c->inode_count);
	return check_bitmap(c);
}

enum cv_err volume_check(struct volume *volume, volume_progress *progress, void *user,
	struct volume_check_report *report)
{
	enum cv_err err = CV_OK;
	struct check c = { .v = volume, .progress = progress, .user = user, .report = report };

	memset(report, 0, sizeof(*report));
	(void)pthread_mutex_lock(&volume->lock);
	/* only a tree without dirty nodes is one that the container holds */
	if (!volume->read_only)
		err = checkpoint_if_dirty(volume);
	c.block = malloc(BLOCK_BYTES);
	c.used = calloc(volume_blocks(volume) / 64 + 1, sizeof(uint64_t));
	if (!err && (!c.block || !c.used))
		err = CV_ERR_MEMORY;
	if (!err)
		err = check_all(&c);
	tree_trim(&volume->tree);
	(void)pthread_mutex_unlock(&volume->lock);
	if (c.block)
		crypto_wipe(c.block, BLOCK_BYTES);
	free(c.block);
	free(c.used);
	free(c.inodes);
	free(c.names);
	free(c.orphans);
	return err;
}
