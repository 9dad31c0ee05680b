/*
 * Making the tree durable: addresses, nodes, flush, superblock, flush, its copy, flush; only then
 * is freed space given out again. After a failed write or flush the volume is frozen: what is
 * durable stays as it is, and every later change is CV_ERR_READ_ONLY.
 *
 * A checkpoint has three parts. The cut (volume lock held) seals the tree as it is and a superblock
 * for it; the log goes on in a new window. Hardening writes and flushes and needs no lock. The end
 * (lock held) releases what waited for it. The background thread lets go of the lock in the middle;
 * checkpoint_run keeps it, so that an operation may call it without losing what it has read.
 */
#ifndef CONCLAVE_FS_CHECKPOINT_H
#define CONCLAVE_FS_CHECKPOINT_H

#include <pthread.h>

#include "fs/super.h"
#include "fs/txn.h"

/* Between cut and end. */
struct checkpoint {
	bool running; /* volume lock */
	uint64_t generation;
	uint64_t newest; /* frame that is part of it */
	uint64_t tail;   /* position of the first frame that is not */
	uint8_t block[BLOCK_BYTES];
	pthread_mutex_t lock; /* of the two below; taken after the volume's lock or without it */
	pthread_cond_t hardened;
	bool hard;
	enum cv_err result;
};

void checkpoint_init(struct checkpoint *c);
void checkpoint_wipe(struct checkpoint *c);

/* Everything applied so far becomes durable. Writes a superblock even if nothing was dirty. */
CV_MUST_CHECK enum cv_err checkpoint_run(struct volume *v, enum super_state state);
/* The same, but nothing to do when nothing is dirty. */
CV_MUST_CHECK enum cv_err checkpoint_if_dirty(struct volume *v);
/* At the end of an operation: a checkpoint when enough is dirty; lets go of cached nodes. */
CV_MUST_CHECK enum cv_err checkpoint_if_due(struct volume *v);
/* Lets go of the lock while it hardens. For one thread only (flush.h); a failure freezes. */
void checkpoint_background(struct volume *v);

/* Groups of 4 blocks that a class of transactions must leave free. */
uint64_t checkpoint_reserve(const struct volume *v, enum txn_class class);
/* Blocks of data that fit into `unused` blocks: less the reserve, and the nodes that map them. */
uint64_t checkpoint_room(const struct volume *v, uint64_t unused);
/*
 * Room for a transaction of this class and for its `len` bytes in the log. CV_ERR_FULL if the class
 * may not go on even after freed space was gathered by checkpoints.
 */
CV_MUST_CHECK enum cv_err checkpoint_make_room(struct volume *v, enum txn_class class, size_t len);
/* Gathers freed space; false if there was none to gather or it failed. */
bool checkpoint_gather(struct volume *v);

/* Writes the sealed superblock block into slot `i` and flushes. */
CV_MUST_CHECK enum cv_err checkpoint_write_slot(
	struct volume *v, unsigned i, const uint8_t block[BLOCK_BYTES]);

#endif
