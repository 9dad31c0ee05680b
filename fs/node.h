/*
 * One node of the tree in memory: a slotted page. Slots (key, place and length of the value) grow
 * up behind the header, values grow down from the end. On disk the page is canonical: values lie
 * tight and in slot order, everything between is zero (docs/volume-format.md, 6).
 *
 * An inner node's values are node pointers; slot 0's key is the lower bound of the whole node.
 * Threads  none of its own: the tree's lock covers its nodes.
 */
#ifndef CONCLAVE_FS_NODE_H
#define CONCLAVE_FS_NODE_H

#include "fs/item.h"
#include "fs/pointer.h"
#include "protocol/err.h"

#define NODE_HEADER_BYTES 32
#define NODE_SLOT_BYTES 24
#define NODE_LEVEL_MAX 8
#define NODE_CAPACITY (NODE_PAGE_BYTES - NODE_HEADER_BYTES)

struct node {
	uint64_t id;             /* block number, or a number of its own while dirty */
	struct node_pointer ptr; /* where it is on disk; only while clean */
	struct node *hash_next;
	struct node *lru_prev;
	struct node *lru_next;
	uint64_t address; /* while dirty: where the running checkpoint puts it; 0 before */
	bool dirty;
	uint8_t level;
	uint16_t count;
	uint16_t heap;  /* where the lowest value starts */
	uint16_t waste; /* bytes in the heap that no slot uses */
	uint8_t page[NODE_PAGE_BYTES];
};

void node_init(struct node *n, uint8_t level);

struct item_key node_key(const struct node *n, unsigned i);
const uint8_t *node_value(const struct node *n, unsigned i, size_t *len);
uint8_t *node_value_mut(struct node *n, unsigned i, size_t *len);
/* The first slot whose key is not below `key`; *exact if it is that key. */
unsigned node_find(const struct node *n, const struct item_key *key, bool *exact);
/* In an inner node: the slot whose subtree holds `key`. */
unsigned node_find_child(const struct node *n, const struct item_key *key);

/* Bytes of slots and values in use. */
static inline size_t node_used(const struct node *n)
{
	return n->count * (size_t)NODE_SLOT_BYTES + (NODE_PAGE_BYTES - n->heap) - n->waste;
}

static inline bool node_has_room(const struct node *n, size_t value_len)
{
	return node_used(n) + NODE_SLOT_BYTES + value_len <= NODE_CAPACITY;
}

/* The caller has checked node_has_room. */
void node_insert(
	struct node *n, unsigned i, const struct item_key *key, const uint8_t *value, size_t len);
void node_remove(struct node *n, unsigned i);
void node_set_key(struct node *n, unsigned i, const struct item_key *key);
/* Moves the slots from `at` on to the end of `to`, which has room for them. */
void node_move_tail(struct node *n, unsigned at, struct node *to);

/* The canonical page, as it is sealed. */
void node_encode(const struct node *n, uint64_t generation, uint8_t page[NODE_PAGE_BYTES]);
/*
 * n->page holds a decrypted page: check every rule and fill in the rest of *n. `blocks` is the
 * size of the volume; level and generation are what the pointer says. CV_ERR_TAMPERED.
 */
CV_MUST_CHECK enum cv_err node_decode(
	struct node *n, uint8_t level, uint64_t generation, uint64_t blocks);

#endif
