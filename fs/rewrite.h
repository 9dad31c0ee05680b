/*
 * Sealing data blocks and nodes anew, in other places, slice by slice, while nothing else of the
 * tree changes: what a rekey and a compaction have in common.
 */
#ifndef CONCLAVE_FS_REWRITE_H
#define CONCLAVE_FS_REWRITE_H

#include "fs/item.h"
#include "fs/volume.h"

#define REWRITE_SLICE_BLOCKS 256

/* One or more passes over the tree, in the order of its keys. */
struct rewrite {
	/* What is at this place, under this key, is to be written anew. */
	bool (*wanted)(const struct volume *v, const struct rewrite *r, uint64_t block, unsigned key);
	uint64_t below;     /* new places are below this block; 0: anywhere */
	struct item_key at; /* the next item to look at */
	bool end;	    /* the pass is over; the next slice begins another */
	bool found;	    /* something was wanted in this pass; the caller clears it */
	uint64_t seen;	    /* data blocks looked at, over all passes */
	uint64_t blocks;    /* data blocks written */
	uint64_t nodes;	    /* paths dirtied for their nodes' sake */
	uint64_t damaged;   /* wanted blocks that do not open: they stay */
};

/*
 * One slice, volume lock held: at most REWRITE_SLICE_BLOCKS blocks of data or some hundred nodes.
 * *blocks: how many were written. CV_ERR_FULL: no place to write to.
 */
CV_MUST_CHECK enum cv_err rewrite_slice(struct volume *v, struct rewrite *r, uint64_t *blocks);

#endif
