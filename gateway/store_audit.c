/* The audit's rows. */
#include "gateway/store_db.h"

#include <string.h>

enum cv_err store_audit_append(struct store *s, const char *text, size_t len)
{
	uint8_t head[CV_HASH_BYTES];
	const uint64_t seq = s->staged.audit_seq + 1;
	sqlite3_stmt *put;
	enum cv_err err;

	if (len > AUDIT_TEXT_MAX)
		return CV_ERR_TOO_LONG;
	memcpy(head, s->staged.audit_head, sizeof(head));
	err = audit_chain_next(head, s->gateway, seq, text, len);
	if (err != CV_OK)
		return err;
	put = store_statement(s, ST_AUDIT_PUT);
	if (put == NULL)
		return store_fail(s, "table audit");
	sqlite3_bind_int64(put, 1, (sqlite3_int64)seq);
	sqlite3_bind_text(put, 2, text, (int)len, SQLITE_STATIC);
	sqlite3_bind_blob(put, 3, head, sizeof(head), SQLITE_STATIC);
	err = store_run(s, put, "table audit");
	sqlite3_clear_bindings(put);
	if (err != CV_OK)
		return err;
	s->staged.audit_seq = seq;
	memcpy(s->staged.audit_head, head, sizeof(head));
	return CV_OK;
}

enum cv_err store_audit_read(struct store *s, uint64_t from,
	bool (*each)(void *context, uint64_t seq, const char *text, size_t len), void *context)
{
	sqlite3_stmt *row = store_statement(s, ST_AUDIT_FROM);
	enum cv_err err = CV_OK;
	int rc;

	if (row == NULL)
		return store_fail(s, "table audit");
	sqlite3_bind_int64(row, 1, (sqlite3_int64)from);
	while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
		if (!each(context, (uint64_t)sqlite3_column_int64(row, 0),
			    (const char *)sqlite3_column_text(row, 1),
			    (size_t)sqlite3_column_bytes(row, 1)))
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		err = store_fail(s, "table audit");
	sqlite3_reset(row);
	return err;
}
