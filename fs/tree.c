#include "fs/tree.h"

#include <stdlib.h>

#include "protocol/crypto.h"
#include "fs/tree_node.h"

enum cv_err tree_init(struct tree *t, struct store *store, struct keyring *keys, uint64_t blocks,
	size_t cache_bytes)
{
	memset(t, 0, sizeof(*t));
	t->store = store;
	t->keys = keys;
	t->blocks = blocks;
	node_cache_init(&t->cache, cache_bytes);
	t->io = malloc(NODE_BYTES);
	t->page = malloc(NODE_PAGE_BYTES);
	return t->io && t->page ? CV_OK : CV_ERR_MEMORY;
}

void tree_wipe(struct tree *t)
{
	if (t->page)
		crypto_wipe(t->page, NODE_PAGE_BYTES);
	free(t->page);
	free(t->io);
	t->page = NULL;
	t->io = NULL;
	node_cache_wipe(&t->cache);
}

void tree_set_space(struct tree *t, const struct tree_space *space, void *user)
{
	t->space = space;
	t->space_user = user;
}

enum cv_err tree_create(struct tree *t)
{
	struct node *n = node_cache_new(&t->cache, 0);

	if (!n)
		return CV_ERR_MEMORY;
	node_cache_add_dirty(&t->cache, n);
	memset(&t->root, 0, sizeof(t->root));
	t->root.block = n->id;
	return CV_OK;
}

enum cv_err tree_open(struct tree *t, const struct node_pointer *root)
{
	struct node *n;

	t->root = *root;
	return tree_root(t, &n);
}

enum cv_err tree_get(struct tree *t, const struct item_key *key, const uint8_t **value, size_t *len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node *n;
	bool exact;
	unsigned i;

	err = tree_root(t, &n);
	while (!err && n->level > 0)
		err = tree_child(t, n, node_find_child(n, key), &n);
	if (err)
		return err;
	i = node_find(n, key, &exact);
	if (!exact)
		return CV_ERR_NOT_FOUND;
	*value = node_value(n, i, len);
	return CV_OK;
}

/* The leaf with the first item at or after *key, and its slot there. */
static enum cv_err find_next(
	struct tree *t, const struct item_key *from, const struct node **leaf, unsigned *slot)
{
	struct item_key key = *from;

	for (;;) {
		enum cv_err err = CV_ERR_INTERNAL;
		struct item_key after = { 0 };
		bool has_after = false;
		struct node *n;
		bool exact;
		unsigned i;

		err = tree_root(t, &n);
		while (!err && n->level > 0) {
			i = node_find_child(n, &key);
			if (i + 1u < n->count) {
				after = node_key(n, i + 1);
				has_after = true;
			}
			err = tree_child(t, n, i, &n);
		}
		if (err)
			return err;
		*slot = node_find(n, &key, &exact);
		*leaf = n;
		if (*slot < n->count)
			return CV_OK;
		if (!has_after)
			return CV_ERR_NOT_FOUND;
		key = after;
	}
}

enum cv_err tree_step(struct tree *t, struct tree_place *p, struct item_key *key,
	const uint8_t **value, size_t *len)
{
	enum cv_err err = CV_OK;

	if (!p->leaf || ++p->slot >= p->leaf->count)
		err = find_next(t, key, &p->leaf, &p->slot);
	if (err)
		return err;
	*key = node_key(p->leaf, p->slot);
	*value = node_value(p->leaf, p->slot, len);
	return CV_OK;
}

enum cv_err tree_next(struct tree *t, struct item_key *key, const uint8_t **value, size_t *len)
{
	struct tree_place p = { 0 };
	struct item_key at = *key;
	enum cv_err err = tree_step(t, &p, &at, value, len);

	if (err)
		return err;
	if (at.object != key->object || at.type != key->type)
		return CV_ERR_NOT_FOUND;
	*key = at;
	return CV_OK;
}

enum cv_err tree_prepare(struct tree *t, const struct item_key *key)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node *parent = NULL;
	unsigned slot = 0;
	struct node *n;

	err = tree_root(t, &n);
	while (!err) {
		err = tree_node_dirty(t, n, parent, slot);
		if (err || n->level == 0)
			break;
		parent = n;
		slot = node_find_child(n, key);
		err = tree_child(t, parent, slot, &n);
	}
	return err;
}

enum cv_err tree_reserve(struct tree *t, size_t puts)
{
	/* one split per put, a second generation of splits among the parents, one new root */
	return node_cache_reserve(&t->cache, puts + puts / 16 + NODE_LEVEL_MAX + 1);
}

struct path {
	struct node *node[NODE_LEVEL_MAX];
	unsigned slot[NODE_LEVEL_MAX]; /* in node[i]: where node[i + 1] hangs */
	unsigned depth;                /* node[depth] is the leaf */
};

/* Every node on the way is in memory: the caller has prepared the key. */
static void path_find(struct tree *t, const struct item_key *key, struct path *p)
{
	struct node *n = node_cache_find(&t->cache, t->root.block);

	p->depth = 0;
	p->node[0] = n;
	while (n->level > 0) {
		size_t len;
		unsigned i = node_find_child(n, key);

		p->slot[p->depth] = i;
		n = node_cache_find(&t->cache, le48(node_value(n, i, &len)));
		p->node[++p->depth] = n;
	}
}

static void pointer_to_dirty(uint8_t out[POINTER_BYTES], const struct node *n)
{
	struct node_pointer p = { .block = n->id, .level = n->level };

	pointer_encode(out, &p);
}

static void root_grow(struct tree *t, const struct node *left)
{
	struct node *root = node_cache_take_spare(&t->cache, (uint8_t)(left->level + 1));
	const struct item_key lowest = { 0 };
	uint8_t pointer[POINTER_BYTES];

	pointer_to_dirty(pointer, left);
	node_insert(root, 0, &lowest, pointer, sizeof(pointer));
	node_cache_add_dirty(&t->cache, root);
	memset(&t->root, 0, sizeof(t->root));
	t->root.block = root->id;
	t->root.level = root->level;
}

/*
 * Where to cut a full node so that both halves hold, with a new value of `len` at slot i: how many
 * slots stay, and whether the new one is among the left. No half exceeds half of the whole by more
 * than one item, and an item is at most a quarter of a node.
 */
static unsigned split_point(const struct node *n, unsigned i, size_t len, bool *new_left)
{
	size_t half = (node_used(n) + NODE_SLOT_BYTES + len) / 2;
	size_t sum = 0;

	*new_left = false;
	for (unsigned k = 0; k < n->count && i < n->count; k++) {
		size_t value_len;

		if (k == i) {
			*new_left = true;
			sum += NODE_SLOT_BYTES + len;
			if (sum >= half)
				return k;
		}
		(void)node_value(n, k, &value_len);
		sum += NODE_SLOT_BYTES + value_len;
		if (sum >= half)
			return k + 1u;
	}
	return n->count; /* appending: the left node stays full */
}

static void insert_at(struct tree *t, struct path *p, unsigned depth, unsigned i,
	const struct item_key *key, const uint8_t *value, size_t len)
{
	struct node *n = p->node[depth];
	struct item_key separator;
	uint8_t pointer[POINTER_BYTES];
	struct node *right;
	bool new_left;
	unsigned at;

	if (node_has_room(n, len)) {
		node_insert(n, i, key, value, len);
		return;
	}
	right = node_cache_take_spare(&t->cache, n->level);
	node_cache_add_dirty(&t->cache, right);
	at = split_point(n, i, len, &new_left);
	node_move_tail(n, at, right);
	if (new_left)
		node_insert(n, i, key, value, len);
	else
		node_insert(right, i - at, key, value, len);
	separator = node_key(right, 0);
	pointer_to_dirty(pointer, right);
	if (depth == 0) {
		struct node *root;

		root_grow(t, n);
		root = node_cache_find(&t->cache, t->root.block);
		node_insert(root, 1, &separator, pointer, sizeof(pointer));
	} else {
		insert_at(t, p, depth - 1, p->slot[depth - 1] + 1, &separator, pointer,
			sizeof(pointer));
	}
}

void tree_put(struct tree *t, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct path p;
	struct node *leaf;
	bool exact;
	unsigned i;

	path_find(t, key, &p);
	leaf = p.node[p.depth];
	i = node_find(leaf, key, &exact);
	if (exact) {
		size_t old_len;
		uint8_t *old = node_value_mut(leaf, i, &old_len);

		if (old_len == len) {
			memmove(old, value, len);
			return;
		}
		node_remove(leaf, i);
	}
	insert_at(t, &p, p.depth, i, key, value, len);
}

/* A root with one child is not needed. */
static void root_shrink(struct tree *t)
{
	struct node *root = node_cache_find(&t->cache, t->root.block);

	while (root && root->dirty && root->level > 0 && root->count == 1) {
		size_t len;

		pointer_decode(&t->root, node_value(root, 0, &len));
		node_cache_discard(&t->cache, root);
		root = node_cache_find(&t->cache, t->root.block);
	}
}

/* Takes the child at `slot` out of an inner node; the node's lower bound stays slot 0's key. */
static void child_remove(struct node *parent, unsigned slot)
{
	struct item_key bound = node_key(parent, slot);

	node_remove(parent, slot);
	if (slot == 0 && parent->count > 0)
		node_set_key(parent, 0, &bound);
}

/* Joins the children at `slot` and slot + 1 if one node can hold both; true if it did. */
static bool merge(struct tree *t, struct node *parent, unsigned slot)
{
	struct node *left;
	struct node *right;

	/* a sibling that cannot be had is left alone: merging is only tidiness */
	if (tree_child(t, parent, slot, &left) || tree_child(t, parent, slot + 1, &right))
		return false;
	if (node_used(left) + node_used(right) > NODE_CAPACITY * 3 / 4)
		return false;
	if (tree_node_dirty(t, left, parent, slot) || tree_node_dirty(t, right, parent, slot + 1))
		return false;
	node_move_tail(right, 0, left);
	node_remove(parent, slot + 1);
	node_cache_discard(&t->cache, right);
	return true;
}

static void shrink(struct tree *t, struct path *p, unsigned depth)
{
	struct node *n = p->node[depth];
	struct node *parent;
	unsigned slot;

	if (depth == 0) {
		root_shrink(t);
		return;
	}
	parent = p->node[depth - 1];
	slot = p->slot[depth - 1];
	if (n->count == 0) {
		child_remove(parent, slot);
		node_cache_discard(&t->cache, n);
	} else if (node_used(n) >= NODE_CAPACITY / 4) {
		return;
	} else if (!(slot + 1u < parent->count && merge(t, parent, slot)) &&
		   !(slot > 0 && merge(t, parent, slot - 1))) {
		return;
	}
	shrink(t, p, depth - 1);
}

void tree_del(struct tree *t, const struct item_key *key)
{
	struct path p;
	bool exact;
	unsigned i;

	path_find(t, key, &p);
	i = node_find(p.node[p.depth], key, &exact);
	if (!exact)
		return;
	node_remove(p.node[p.depth], i);
	shrink(t, &p, p.depth);
}

void tree_trim(struct tree *t)
{
	node_cache_trim(&t->cache);
}
