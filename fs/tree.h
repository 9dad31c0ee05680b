/*
 * The B+tree over sealed nodes: every change makes a node dirty on its whole path to the root;
 * nothing on disk is touched before tree_seal (copy-on-write).
 *
 * A change is made in two steps. tree_prepare (may fail, changes nothing that is stored) loads and
 * dirties the path to a key and takes memory; then tree_put and tree_del on prepared keys cannot
 * fail. Pointers to values hold until the next change or tree_trim.
 *
 * Errors   CV_ERR_TAMPERED (a node does not open or breaks a rule; tree->bad_block names it),
 *          CV_ERR_IO, CV_ERR_MEMORY, CV_ERR_NOT_FOUND.
 * Threads  the volume's lock covers it.
 */
#ifndef CONCLAVE_FS_TREE_H
#define CONCLAVE_FS_TREE_H

#include "fs/keyring.h"
#include "fs/node_cache.h"
#include "fs/store.h"

struct tree;

/* What the tree asks of the allocator. */
struct tree_space {
	/* A later retire of the 4 blocks at `block` will not fail. */
	enum cv_err (*prepare)(void *user, uint64_t block);
	void (*retire)(void *user, uint64_t block);
	enum cv_err (*take)(void *user, uint64_t *block);
};

struct tree {
	struct store *store;
	struct keyring *keys;
	uint64_t blocks; /* size of the volume */
	const struct tree_space *space;
	void *space_user;
	struct node_pointer root; /* .block is the node's id */
	struct node_cache cache;
	uint64_t bad_block;
	uint8_t *io;   /* NODE_BYTES */
	uint8_t *page; /* NODE_PAGE_BYTES */
};

CV_MUST_CHECK enum cv_err tree_init(struct tree *t, struct store *store, struct keyring *keys,
	uint64_t blocks, size_t cache_bytes);
void tree_wipe(struct tree *t);
void tree_set_space(struct tree *t, const struct tree_space *space, void *user);
/* An empty tree: one dirty leaf. */
CV_MUST_CHECK enum cv_err tree_create(struct tree *t);
/* Opens the root node. */
CV_MUST_CHECK enum cv_err tree_open(struct tree *t, const struct node_pointer *root);

/* CV_ERR_NOT_FOUND if there is no such item. */
CV_MUST_CHECK enum cv_err tree_get(
	struct tree *t, const struct item_key *key, const uint8_t **value, size_t *len);
/*
 * The first item of key's object and type that is at or after *key, which is set to its key.
 * CV_ERR_NOT_FOUND, and *key stays, behind the last of them.
 */
CV_MUST_CHECK enum cv_err tree_next(
	struct tree *t, struct item_key *key, const uint8_t **value, size_t *len);
/*
 * The first item at or after *key of whatever object and type, for a walk from item to item: begin
 * with an empty place, and have *key just behind the item that came last. Without a descent for each
 * item. The place ends where node pointers do, and with any change of the tree.
 */
struct tree_place {
	const struct node *leaf;
	unsigned slot;
};
CV_MUST_CHECK enum cv_err tree_step(struct tree *t, struct tree_place *p, struct item_key *key,
	const uint8_t **value, size_t *len);

CV_MUST_CHECK enum cv_err tree_prepare(struct tree *t, const struct item_key *key);
/* Memory for `puts` more tree_put. */
CV_MUST_CHECK enum cv_err tree_reserve(struct tree *t, size_t puts);
void tree_put(struct tree *t, const struct item_key *key, const uint8_t *value, size_t len);
void tree_del(struct tree *t, const struct item_key *key);

static inline size_t tree_dirty(const struct tree *t)
{
	return t->cache.dirty.count;
}

/* Let go of clean nodes over the limit; node and value pointers end here. */
void tree_trim(struct tree *t);

/* Gives every dirty node an address; *changed if one had none. */
CV_MUST_CHECK enum cv_err tree_assign(struct tree *t, bool *changed);
/* Seals and writes every dirty node, children first; they are clean afterwards. */
CV_MUST_CHECK enum cv_err tree_seal(struct tree *t, uint64_t generation);

/* Opens a child for a walk over the whole tree (check.h); *out is a node of the cache. */
CV_MUST_CHECK enum cv_err tree_child(
	struct tree *t, const struct node *parent, unsigned slot, struct node **out);
CV_MUST_CHECK enum cv_err tree_root(struct tree *t, struct node **out);

#endif
