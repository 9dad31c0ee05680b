/* The sealed header: revision, audit head, sum and trusted time, with the head signed beside it. */
#include "gateway/store_db.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/lp.h"

#define LABEL "conclave-store-header-v1"
#define HEADER_PLAIN_MAX 512

static enum cv_err encode(uint8_t out[HEADER_PLAIN_MAX], size_t *len, const struct store_state *st)
{
	struct lp lp;

	lp_begin(&lp, out, HEADER_PLAIN_MAX, LABEL);
	lp_u64(&lp, st->revision);
	lp_u64(&lp, st->devices);
	lp_u64(&lp, st->audit_seq);
	lp_bytes(&lp, st->audit_head, sizeof(st->audit_head));
	lp_u64(&lp, st->trusted_time_s);
	lp_bytes(&lp, st->sum, sizeof(st->sum));
	return lp_end(&lp, len);
}

static enum cv_err decode(struct store_state *st, const uint8_t *data, size_t len)
{
	struct lp_reader r;

	lp_read_begin(&r, data, len, LABEL);
	st->revision = lp_read_u64(&r);
	st->devices = lp_read_u64(&r);
	st->audit_seq = lp_read_u64(&r);
	lp_read_exact(&r, st->audit_head, sizeof(st->audit_head));
	st->trusted_time_s = lp_read_u64(&r);
	lp_read_exact(&r, st->sum, sizeof(st->sum));
	return lp_read_end(&r);
}

enum cv_err store_header_write(struct store *s, uint64_t time_s)
{
	uint8_t plain[HEADER_PLAIN_MAX], sealed[HEADER_PLAIN_MAX + SEAL_OVERHEAD];
	uint8_t hash[CV_HASH_BYTES], sig[CV_ES256_SIG_BYTES];
	const struct store_state *st = &s->staged;
	sqlite3_stmt *put;
	size_t len;
	enum cv_err err = encode(plain, &len, st);

	if (err == CV_OK)
		err = seal_header(sealed, s->keys, s->gateway, plain, len);
	if (err == CV_OK)
		err = audit_head_hash(hash, s->gateway, st->audit_seq, st->audit_head, time_s);
	if (err == CV_OK)
		err = s->signer->sign(s->signer->context, hash, sig);
	if (err != CV_OK)
		return err;
	put = store_statement(s, ST_HEADER_PUT);
	if (put == NULL)
		return store_fail(s, "header");
	sqlite3_bind_blob(put, 1, sealed, (int)(len + SEAL_OVERHEAD), SQLITE_STATIC);
	sqlite3_bind_int64(put, 2, (sqlite3_int64)st->audit_seq);
	sqlite3_bind_blob(put, 3, st->audit_head, sizeof(st->audit_head), SQLITE_STATIC);
	sqlite3_bind_int64(put, 4, (sqlite3_int64)time_s);
	sqlite3_bind_blob(put, 5, sig, sizeof(sig), SQLITE_STATIC);
	err = store_run(s, put, "header");
	sqlite3_clear_bindings(put);
	return err;
}

enum cv_err store_header_read(struct store *s)
{
	uint8_t plain[HEADER_PLAIN_MAX];
	sqlite3_stmt *get = store_statement(s, ST_HEADER_GET);
	size_t len = 0;
	enum cv_err err;

	if (get == NULL)
		return store_fail(s, "header");
	switch (sqlite3_step(get)) {
	case SQLITE_ROW:
		break;
	case SQLITE_DONE:
		return store_damaged(s, "the header is missing");
	default:
		return store_fail(s, "header");
	}
	err = open_header(plain, sizeof(plain), &len, s->keys, s->gateway,
		sqlite3_column_blob(get, 0), (size_t)sqlite3_column_bytes(get, 0));
	sqlite3_reset(get);
	if (err != CV_OK) {
		(void)store_damaged(s,
			"the header does not open: another store key, or the file is damaged");
		return err;
	}
	if (decode(&s->committed, plain, len) != CV_OK)
		return store_damaged(s, "the header has a wrong form");
	s->staged = s->committed;
	return CV_OK;
}

enum cv_err store_audit_signed_head(struct store *s, uint64_t *seq, uint8_t head[CV_HASH_BYTES],
	uint64_t *time_s, uint8_t sig[CV_ES256_SIG_BYTES])
{
	sqlite3_stmt *get = store_statement(s, ST_HEADER_GET);
	enum cv_err err = CV_OK;

	if (get == NULL || sqlite3_step(get) != SQLITE_ROW)
		return store_fail(s, "header");
	if (sqlite3_column_bytes(get, 2) != CV_HASH_BYTES ||
		sqlite3_column_bytes(get, 4) != CV_ES256_SIG_BYTES) {
		err = store_damaged(s, "the signed audit head has a wrong form");
	} else {
		*seq = (uint64_t)sqlite3_column_int64(get, 1);
		memcpy(head, sqlite3_column_blob(get, 2), CV_HASH_BYTES);
		*time_s = (uint64_t)sqlite3_column_int64(get, 3);
		memcpy(sig, sqlite3_column_blob(get, 4), CV_ES256_SIG_BYTES);
	}
	sqlite3_reset(get);
	return err;
}
