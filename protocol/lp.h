/*
 * lp(): the one canonical encoding. Each field is a u32 big-endian length and then its bytes; an
 * integer is a field of 8 bytes, big-endian. It is the input of every MAC, hash, KDF info, AAD and
 * signature of the project, and its first field is a label used nowhere else (docs/protocol.md).
 *
 * The encoder writes into the caller's buffer. An overflow sets a sticky error that lp_end
 * reports, so a caller may chain calls and check once.
 */
#ifndef CONCLAVE_PROTOCOL_LP_H
#define CONCLAVE_PROTOCOL_LP_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

struct lp {
	uint8_t *buf;
	size_t cap;
	size_t len;
	enum cv_err err;
};

/* Start in `buf` of `cap` bytes with the label (NUL-terminated ASCII, not empty). */
void lp_begin(struct lp *lp, uint8_t *buf, size_t cap, const char *label);
void lp_bytes(struct lp *lp, const void *data, size_t len);
void lp_text(struct lp *lp, const char *text);
void lp_u64(struct lp *lp, uint64_t value);
/* CV_OK, or CV_ERR_TOO_LONG if something did not fit; *len is set on success only. */
CV_MUST_CHECK enum cv_err lp_end(const struct lp *lp, size_t *len);

/*
 * The reader takes the same form apart; used between our own processes and in stored records.
 * Every call fails on a short field; lp_read_end fails (CV_ERR_FORMAT) on bytes left over.
 */
struct lp_reader {
	const uint8_t *pos;
	const uint8_t *end;
	enum cv_err err;
};

/* Starts and checks the label; a different label is CV_ERR_FORMAT. */
void lp_read_begin(struct lp_reader *r, const uint8_t *data, size_t len, const char *label);
/* Points into the input; NULL and 0 after an error. */
const uint8_t *lp_read_bytes(struct lp_reader *r, size_t *len);
/* A field of exactly n bytes, copied to out; untouched on error. */
void lp_read_exact(struct lp_reader *r, void *out, size_t n);
/* Copies to a NUL-terminated string; an embedded NUL or cap-1 exceeded is an error. */
void lp_read_text(struct lp_reader *r, char *out, size_t cap);
uint64_t lp_read_u64(struct lp_reader *r);
CV_MUST_CHECK enum cv_err lp_read_end(const struct lp_reader *r);

#endif
