/*
 * The nodes in memory: found by id, clean ones in the order of their last use, dirty ones kept.
 * A node pointer handed out stays valid until node_cache_trim, which alone lets go of clean nodes.
 */
#ifndef CONCLAVE_FS_NODE_CACHE_H
#define CONCLAVE_FS_NODE_CACHE_H

#include "fs/node.h"

#define NODE_CACHE_BUCKETS 4096
#define NODE_ID_DIRTY ((uint64_t)1 << 47) /* ids of dirty nodes; above any block number */

struct node_list {
	struct node *first;
	struct node *last;
	size_t count;
};

struct node_cache {
	struct node *buckets[NODE_CACHE_BUCKETS];
	struct node_list clean; /* least recently used first */
	struct node_list dirty;
	struct node_list spare; /* for splits that may not fail */
	size_t clean_max;
	uint64_t next_id;
	uint64_t hits; /* nodes that were here when they were needed, and those that were not */
	uint64_t misses;
};

void node_cache_init(struct node_cache *c, size_t bytes);
void node_cache_wipe(struct node_cache *c);

/* NULL if it is not here. */
struct node *node_cache_find(struct node_cache *c, uint64_t id);
/* An empty node of no list, or NULL. */
struct node *node_cache_new(struct node_cache *c, uint8_t level);
/* One of the spare nodes; node_cache_reserve has made sure that there is one. */
struct node *node_cache_take_spare(struct node_cache *c, uint8_t level);
CV_MUST_CHECK enum cv_err node_cache_reserve(struct node_cache *c, size_t nodes);

/* Enter a node of no list: as clean under its ptr.block, or as dirty under a fresh id. */
void node_cache_add_clean(struct node_cache *c, struct node *n);
void node_cache_add_dirty(struct node_cache *c, struct node *n);
/* Take it out of hash and list; it stays the caller's. */
void node_cache_remove(struct node_cache *c, struct node *n);
void node_cache_discard(struct node_cache *c, struct node *n);
void node_cache_touch(struct node_cache *c, struct node *n);
void node_cache_trim(struct node_cache *c);

#endif
