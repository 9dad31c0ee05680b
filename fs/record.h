/*
 * The records of a transaction: what a frame of the log holds and what txn_apply runs.
 *
 * A record is {type u8, item type u8, length u16, zero u32, object u64, offset u64} and `length`
 * bytes. PUT: the value of the item. DEL: nothing. MAP (offset is the group of 16 file blocks): a
 * mask u16 and one map entry per set bit. UNMAP: a mask u16; its blocks become holes.
 */
#ifndef CONCLAVE_FS_RECORD_H
#define CONCLAVE_FS_RECORD_H

#include "fs/item.h"

#define RECORD_HEAD_BYTES 24
#define RECORD_MASK_BYTES 2

enum record_type { RECORD_PUT = 1, RECORD_DEL = 2, RECORD_MAP = 3, RECORD_UNMAP = 4 };

struct record {
	enum record_type type;
	struct item_key key;
	const uint8_t *value; /* points into the records */
	size_t len;
};

void record_head_encode(
	uint8_t out[RECORD_HEAD_BYTES], enum record_type type, const struct item_key *key, size_t len);

/* Takes the next record; false at the end. The bytes are the volume's own or have been checked. */
bool record_next(struct record *r, const uint8_t **p, const uint8_t *end);

/*
 * Every byte follows the rules, for a volume of `blocks`: what may be applied without a further
 * look at its form. Whether mapped blocks are free is not asked here.
 */
bool records_valid(const uint8_t *records, size_t len, uint64_t blocks);

/* The mask of MAP and UNMAP. */
static inline uint16_t record_mask(const struct record *r)
{
	return le16(r->value);
}

/* Entry i of those that a MAP has; NULL behind the last, and for every other record. */
static inline const uint8_t *record_entry(const struct record *r, size_t i)
{
	size_t at = RECORD_MASK_BYTES + i * MAP_ENTRY_BYTES;

	return r->type == RECORD_MAP && at < r->len ? r->value + at : NULL;
}

#endif
