/* Between data.c and the layers below: runs of file blocks and of container blocks. */
#ifndef CONCLAVE_FS_DATA_BLOCKS_H
#define CONCLAVE_FS_DATA_BLOCKS_H

#include "fs/state.h"
#include "fs/txn.h"

/* The entries of `count` file blocks from `first` on; holes have block 0. */
CV_MUST_CHECK enum cv_err blocks_map(
	struct volume *v, uint64_t object, uint64_t first, size_t count, struct map_entry *entries);
/* How many of the first `count` entries follow each other in the container, or are holes. */
size_t blocks_run(const struct map_entry *entries, size_t count);
/* Reads and opens a run; v->tree.bad_block names what is wrong. */
CV_MUST_CHECK enum cv_err blocks_read(
	struct volume *v, const struct map_entry *entries, size_t count, uint8_t *buf);
/* Makes the keys of the entries ready for blocks_fetch. */
CV_MUST_CHECK enum cv_err blocks_keys(struct volume *v, struct keyring_user *keys,
	const struct map_entry *entries, size_t count);
/* blocks_read without the lock; *bad names what is wrong. */
CV_MUST_CHECK enum cv_err blocks_fetch(struct store *store, struct keyring_user *keys,
	const struct map_entry *entries, size_t count, uint8_t *buf, uint64_t *bad);

/* Takes space for `count` blocks: sets entries[i].block. Gathers freed space if it must. */
CV_MUST_CHECK enum cv_err blocks_take(
	struct volume *v, struct map_entry *entries, size_t count, enum txn_class class);
void blocks_cancel(struct volume *v, const struct map_entry *entries, size_t count);
/* Writes sealed blocks to their places; needs no lock. */
CV_MUST_CHECK enum cv_err blocks_write(
	struct volume *v, const struct map_entry *entries, size_t count, const uint8_t *cipher);
/* Adds the MAP records. */
void blocks_put(struct txn *txn, uint64_t object, uint64_t first, size_t count,
	const struct map_entry *entries);

#endif
