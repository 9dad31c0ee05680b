/*
 * Making the tree durable: addresses, nodes, flush, superblock, flush, its copy, flush; only then
 * is freed space given out again. After a failed write or flush the volume is frozen: what is
 * durable stays as it is, and every later change is CV_ERR_READ_ONLY.
 */
#ifndef CONCLAVE_FS_CHECKPOINT_H
#define CONCLAVE_FS_CHECKPOINT_H

#include "fs/super.h"
#include "fs/txn.h"

/* Everything applied so far becomes durable. Writes a superblock even if nothing was dirty. */
CV_MUST_CHECK enum cv_err checkpoint_run(struct volume *v, enum super_state state);
/* The same, but nothing to do when nothing is dirty. */
CV_MUST_CHECK enum cv_err checkpoint_if_dirty(struct volume *v);
/* At the end of an operation: a checkpoint when enough is dirty; lets go of cached nodes. */
CV_MUST_CHECK enum cv_err checkpoint_if_due(struct volume *v);

/* Groups of 4 blocks that a class of transactions must leave free. */
uint64_t checkpoint_reserve(const struct volume *v, enum txn_class class);
/* CV_ERR_FULL if the class may not go on even after freed space was gathered by checkpoints. */
CV_MUST_CHECK enum cv_err checkpoint_make_room(struct volume *v, enum txn_class class);
/* Gathers freed space; false if there was none to gather or it failed. */
bool checkpoint_gather(struct volume *v);

/* Writes the sealed superblock block into slot `i` and flushes. */
CV_MUST_CHECK enum cv_err checkpoint_write_slot(
	struct volume *v, unsigned i, const uint8_t block[BLOCK_BYTES]);

#endif
