/*
 * Space: which blocks are used, which may be taken.
 *
 * A block may be taken when neither the tree nor either of the two newest durable trees refers to
 * it: what the window ending at checkpoint g frees becomes free when g + 1 is durable in both of
 * its slots. So both superblock pairs always name a complete tree.
 *
 * Per region of 64 MiB five bit planes are held in memory, loaded when first needed: `used` (what
 * the tree refers to; this one is stored), `busy` (what may not be taken), and what three windows
 * have freed: the running one, the one whose checkpoint is being made durable, the one before. Those
 * that say no more than what is stored are let go of again when there are many.
 *
 * Threads  the volume's lock covers it.
 */
#ifndef CONCLAVE_FS_ALLOC_H
#define CONCLAVE_FS_ALLOC_H

#include "fs/tree.h"

#define REGION_WORDS (REGION_BLOCKS / 64)

struct region {
	uint64_t used[REGION_WORDS];
	uint64_t busy[REGION_WORDS];
	uint64_t freed_now[REGION_WORDS];
	uint64_t freed_cut[REGION_WORDS];
	uint64_t freed_before[REGION_WORDS];
	uint32_t free; /* blocks of it that are not busy */
	bool dirty;    /* used differs from what is stored */
	bool placed;   /* its leaf is prepared for this checkpoint */
	bool pending_now; /* a bit of freed_now is set, and so on */
	bool pending_cut;
	bool pending_before;
};

struct alloc {
	struct tree *tree;
	uint64_t blocks;
	uint64_t regions;
	struct region **region; /* NULL: not loaded */
	uint8_t *full;          /* not loaded, but known to have no free block */
	uint64_t loaded;
	uint64_t keep;    /* as many may stay loaded, more only when they must */
	uint64_t trim_at; /* beyond this many it is worth to look for some to let go of */
	uint64_t hand;
	uint64_t used_blocks;
	uint64_t used_groups;
	uint64_t busy_blocks;
	uint64_t busy_groups;
	uint64_t node_cursor;
	uint64_t data_cursor;
	uint64_t zone_first; /* blocks that were written before, for small writes (ahead.h) */
	uint64_t zone_count; /* 0: none */
	uint64_t zone_used;  /* how far it was looked through */
	uint64_t zone_credit; /* blocks of it that may go before the next fsync */
	uint64_t pending_now; /* blocks freed in the running window, and so on */
	uint64_t pending_cut;
	uint64_t pending_before;
};

CV_MUST_CHECK enum cv_err alloc_init(struct alloc *a, struct tree *tree, uint64_t blocks);
void alloc_wipe(struct alloc *a);
/* The volume has `blocks` now, more than before. CV_ERR_MEMORY: nothing has changed. */
CV_MUST_CHECK enum cv_err alloc_extend(struct alloc *a, uint64_t blocks);
/* Lets go of regions when there are too many: at the end of an operation. */
void alloc_trim(struct alloc *a);
/* Lets go of the loaded region i, of which nothing is known here only. */
void alloc_drop(struct alloc *a, uint64_t i);
/* Blocks of the volume in region i: the last one may end early. */
static inline uint64_t alloc_region_length(const struct alloc *a, uint64_t i)
{
	uint64_t left = a->blocks - i * REGION_BLOCKS;

	return left < REGION_BLOCKS ? left : REGION_BLOCKS;
}
/* Counters and cursors as the superblock has them. */
void alloc_resume(struct alloc *a, const struct super *s);
void alloc_report(const struct alloc *a, struct super *s);

static inline uint64_t alloc_free_blocks(const struct alloc *a)
{
	return a->blocks - a->busy_blocks;
}

/* Aligned groups of 4 free blocks: what nodes are made of. */
static inline uint64_t alloc_free_groups(const struct alloc *a)
{
	return a->blocks / NODE_BLOCKS - a->busy_groups;
}

static inline uint64_t alloc_pending(const struct alloc *a)
{
	return a->pending_now + a->pending_cut + a->pending_before;
}

/* Loads what is needed to know and change the state of `block`. */
CV_MUST_CHECK enum cv_err alloc_load(struct alloc *a, uint64_t block);

/*
 * Takes a run of 1 .. want blocks for data at the cursor or behind it, never going below
 * `groups_left` whole free groups. CV_ERR_FULL.
 */
CV_MUST_CHECK enum cv_err alloc_take_data(
	struct alloc *a, uint64_t want, uint64_t groups_left, uint64_t *first, uint64_t *count);
/* From now on small writes take their blocks there while it has any. It lies in one region. */
void alloc_zone_set(struct alloc *a, uint64_t first, uint64_t count);
/* Somebody waits for a flush: what has no fsync behind it shall not use up the zone. */
void alloc_zone_credit(struct alloc *a);
/* It comes to its end, or there is none. */
bool alloc_zone_low(const struct alloc *a);
/* Blocks of a part of one region that may be taken. */
CV_MUST_CHECK enum cv_err alloc_free_in(
	struct alloc *a, uint64_t first, uint64_t count, uint64_t *unused);
/* Once more from its start, if half of it has become free again. */
bool alloc_zone_again(struct alloc *a);
/* Gives back taken blocks that nothing came to use. */
void alloc_cancel(struct alloc *a, uint64_t first, uint64_t count);

/* Takes this very block, which a frame of the log maps. CV_ERR_TAMPERED if it is not free. */
CV_MUST_CHECK enum cv_err alloc_claim(struct alloc *a, uint64_t block);

/* The tree refers to it from now on (alloc_load was called). */
void alloc_use(struct alloc *a, uint64_t block);
/* The tree refers to it no more; it stays busy for two checkpoints. */
void alloc_retire(struct alloc *a, uint64_t first, uint64_t count);

/* Prepares the leaves of all changed bitmap items; *changed if there was one to prepare. */
CV_MUST_CHECK enum cv_err alloc_place(struct alloc *a, bool *changed);
/* Puts the bits into the prepared leaves. */
void alloc_store(struct alloc *a);
/* The tree of a checkpoint is complete: what is freed from now on belongs to the next window. */
void alloc_cut(struct alloc *a);
/* That checkpoint is durable in both of its slots. */
void alloc_release(struct alloc *a);

/* The stored bit of a block. */
static inline bool alloc_is_used(const struct region *r, uint64_t block)
{
	uint64_t bit = block % REGION_BLOCKS;

	return r->used[bit / 64] >> (bit % 64) & 1;
}

extern const struct tree_space alloc_tree_space; /* user: struct alloc */

#endif
