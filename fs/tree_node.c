#include "fs/tree_node.h"

#include <stdlib.h>

static enum cv_err node_read(struct tree *t, const struct node_pointer *p, struct node *n)
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = store_read(t->store, p->block * BLOCK_BYTES, t->io, NODE_BYTES);
	if (!err)
		err = keyring_open_node(t->keys, p, t->io, n->page);
	if (!err)
		err = node_decode(n, p->level, p->generation, t->blocks);
	if (err)
		t->bad_block = p->block;
	return err;
}

/* The node behind a pointer, from memory or from the store. */
static enum cv_err node_get(struct tree *t, const struct node_pointer *p, struct node **out)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node *n = node_cache_find(&t->cache, p->block);

	if (n) {
		node_cache_touch(&t->cache, n);
		t->cache.hits++;
		*out = n;
		return CV_OK;
	}
	if (p->block >= NODE_ID_DIRTY)
		return CV_ERR_INTERNAL;
	t->cache.misses++;
	n = node_cache_new(&t->cache, 0);
	if (!n)
		return CV_ERR_MEMORY;
	err = node_read(t, p, n);
	if (err) {
		free(n);
		return err;
	}
	n->ptr = *p;
	node_cache_add_clean(&t->cache, n);
	*out = n;
	return CV_OK;
}

enum cv_err tree_root(struct tree *t, struct node **out)
{
	return node_get(t, &t->root, out);
}

/* The child keeps to the keys that its parent sets aside for it. */
static bool bounds_hold(const struct node *parent, unsigned slot, const struct node *n)
{
	struct item_key low = node_key(parent, slot);
	struct item_key first = node_key(n, 0);
	struct item_key last = node_key(n, n->count - 1u);
	struct item_key high;
	int c = item_key_compare(&first, &low);

	if (n->level > 0 ? c != 0 : c < 0)
		return false;
	if (slot + 1u == parent->count)
		return true;
	high = node_key(parent, slot + 1);
	return item_key_compare(&last, &high) < 0;
}

enum cv_err tree_child(struct tree *t, const struct node *parent, unsigned slot, struct node **out)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node_pointer p;
	struct node *n;
	bool known;
	size_t len;

	pointer_decode(&p, node_value(parent, slot, &len));
	known = node_cache_find(&t->cache, p.block) != NULL;
	err = node_get(t, &p, &n);
	if (err)
		return err;
	if (!known && !bounds_hold(parent, slot, n)) {
		t->bad_block = p.block;
		node_cache_discard(&t->cache, n);
		return CV_ERR_TAMPERED;
	}
	*out = n;
	return CV_OK;
}

enum cv_err tree_node_dirty(struct tree *t, struct node *n, struct node *parent, unsigned slot)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node_pointer p;
	uint8_t *value;
	size_t len;

	if (n->dirty)
		return CV_OK;
	err = t->space->prepare(t->space_user, n->ptr.block);
	if (err)
		return err;
	t->space->retire(t->space_user, n->ptr.block);
	node_cache_remove(&t->cache, n);
	node_cache_add_dirty(&t->cache, n);
	p = (struct node_pointer){ .block = n->id, .level = n->level };
	if (!parent) {
		t->root = p;
		return CV_OK;
	}
	value = node_value_mut(parent, slot, &len);
	pointer_encode(value, &p);
	return CV_OK;
}

enum cv_err tree_assign(struct tree *t, bool *changed)
{
	enum cv_err err = CV_OK;

	for (struct node *n = t->cache.dirty.first; n && !err; n = n->lru_next) {
		if (n->address)
			continue;
		err = t->space->take(t->space_user, &n->address);
		*changed = true;
	}
	return err;
}

static enum cv_err node_seal(
	struct tree *t, struct node *n, uint64_t generation, struct node_pointer *p)
{
	enum cv_err err = CV_ERR_INTERNAL;

	memset(p, 0, sizeof(*p));
	p->block = n->address;
	p->generation = generation;
	p->level = n->level;
	node_encode(n, generation, t->page);
	err = keyring_seal_node(t->keys, p, t->page, t->io);
	if (!err)
		err = store_write(t->store, p->block * BLOCK_BYTES, t->io, NODE_BYTES);
	if (err)
		return err;
	node_cache_remove(&t->cache, n);
	n->ptr = *p;
	node_cache_add_clean(&t->cache, n);
	return CV_OK;
}

/* Depth is bounded by NODE_LEVEL_MAX: levels fall by one with each step. */
static enum cv_err seal_below(
	struct tree *t, struct node *n, uint64_t generation, struct node_pointer *p)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; n->level > 0 && i < n->count && !err; i++) {
		struct node_pointer child;
		size_t len;
		uint8_t *value = node_value_mut(n, i, &len);
		uint64_t id = le48(value);
		struct node *below;

		if (id < NODE_ID_DIRTY)
			continue;
		below = node_cache_find(&t->cache, id);
		if (!below)
			return CV_ERR_INTERNAL;
		err = seal_below(t, below, generation, &child);
		if (!err)
			pointer_encode(value, &child);
	}
	return err ? err : node_seal(t, n, generation, p);
}

enum cv_err tree_seal(struct tree *t, uint64_t generation)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node_pointer p;
	struct node *root = node_cache_find(&t->cache, t->root.block);

	if (!root || !root->dirty)
		return CV_OK;
	err = seal_below(t, root, generation, &p);
	if (!err)
		t->root = p;
	return err;
}
