/*
 * The non-volatile store over NOR flash (protocol/nv_format.h has the form). It survives a power
 * cut at any write: a value is the old or the new one.
 *
 * A record is appended; when the bank is full, or its end is torn, the newest records go into the
 * other bank, whose header is written last and so commits the move. A damaged record that is not
 * at the end is no torn write: the store is then refused, so that counters cannot fall back.
 *
 * Uses no memory but the caller's. Not thread safe.
 */
#ifndef CONCLAVE_MCU_STORE_H
#define CONCLAVE_MCU_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

struct store_flash {
	/* Offsets from the start of the partition. program: multiples of 4, only onto 0xff. */
	enum cv_err (*read)(void *context, uint32_t offset, void *out, size_t len);
	enum cv_err (*program)(void *context, uint32_t offset, const void *data, size_t len);
	/* One whole bank. */
	enum cv_err (*erase)(void *context, uint32_t offset);
	void *context;
	uint32_t bank_bytes;
};

struct store {
	const struct store_flash *flash;
	uint32_t base; /* of the bank in use */
	uint32_t end;  /* offset in the bank where the next record goes */
	uint32_t sequence;
	uint8_t torn;  /* what follows `end` is not erased */
};

/* CV_ERR_NOT_FOUND (never provisioned), CV_ERR_VERSION, CV_ERR_TAMPERED (damaged), CV_ERR_IO. */
CV_MUST_CHECK enum cv_err store_open(struct store *s, const struct store_flash *flash);
/* CV_ERR_NOT_FOUND, CV_ERR_TOO_LONG if it does not fit, CV_ERR_IO. */
CV_MUST_CHECK enum cv_err store_get(
	const struct store *s, const char *name, void *out, size_t cap, size_t *len);
/* CV_ERR_FULL, CV_ERR_TOO_LONG, CV_ERR_IO (also when what was written reads back otherwise). */
CV_MUST_CHECK enum cv_err store_set(
	struct store *s, const char *name, const void *data, size_t len);

#endif
