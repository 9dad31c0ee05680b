/*
 * The one door for changes: an operation gathers records (record.h), txn_commit writes them to the
 * log as one frame and makes all of them happen, or none. txn_apply is what a replay of the log runs
 * over the same bytes. No transaction touches more than TXN_LEAVES_MAX leaves or has more than
 * FRAME_RECORDS_MAX bytes: longer work goes in slices behind an ORPHAN item (reap.h).
 */
#ifndef CONCLAVE_FS_TXN_H
#define CONCLAVE_FS_TXN_H

#include "fs/record.h"
#include "protocol/err.h"

#define TXN_LEAVES_MAX 64

struct volume;

enum txn_class {
	TXN_DATA,  /* taking whole groups for data: stays above the whole reserve */
	TXN_ADDS,  /* may need more space for nodes than it gives back: three quarters of it */
	TXN_FREES, /* unlink, truncate, rename: may use half of it */
	TXN_REAPS  /* gives space back: may use nearly all of it */
};

struct txn {
	uint8_t *buf; /* malloc'ed */
	size_t len;
	size_t cap;
	size_t records;
	enum cv_err err; /* sticky; txn_commit returns it */
};

void txn_init(struct txn *t);
void txn_wipe(struct txn *t);

void txn_put(struct txn *t, const struct item_key *key, const uint8_t *value, size_t len);
void txn_del(struct txn *t, const struct item_key *key);
/* entries[i] is for bit i of the mask; block 0 makes a hole. */
void txn_map(struct txn *t, uint64_t object, uint64_t group, uint16_t mask,
	const struct map_entry entries[MAP_BLOCKS]);
void txn_put_inode(struct txn *t, uint64_t object, const struct inode *inode);

/*
 * CV_ERR_FULL, CV_ERR_READ_ONLY, CV_ERR_MEMORY, CV_ERR_IO, CV_ERR_TAMPERED: nothing has changed.
 * Data blocks that MAP records name were taken and written before. The lock stays held, so what an
 * operation has read before stays true. On CV_OK the change outlives the process.
 */
CV_MUST_CHECK enum cv_err txn_commit(struct volume *v, struct txn *t, enum txn_class class);

/* Loads and takes all that txn_apply will need. */
CV_MUST_CHECK enum cv_err txn_prepare(struct volume *v, const uint8_t *records, size_t len);
void txn_apply(struct volume *v, const uint8_t *records, size_t len);

#endif
