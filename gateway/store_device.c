/* Sealed rows of the store: device records and documents. */
#include "gateway/store_db.h"

#include <stdio.h>
#include <string.h>

#include "protocol/crypto.h"

static enum cv_err open_row(struct store *s, sqlite3_stmt *row, int first, const char *table,
	const char *name, uint8_t *plain, size_t cap, size_t *len)
{
	const struct seal_place place = { s->gateway, table, name,
		(uint64_t)sqlite3_column_int64(row, first) };
	const uint8_t *sealed = sqlite3_column_blob(row, first + 1);
	const enum cv_err err = open_record(plain, cap, len, s->keys, &place, sealed,
		(size_t)sqlite3_column_bytes(row, first + 1));

	if (err == CV_ERR_SEAL)
		return store_damaged(s, "%s %s: the record does not open", table, name);
	return err;
}

enum cv_err store_device_get(struct store *s, const char *id, struct record *rec, bool *known)
{
	sqlite3_stmt *row = store_statement(s, ST_DEVICE_GET);
	char found[CV_ID_BUF];
	size_t len = 0;
	enum cv_err err;

	if (row == NULL)
		return store_fail(s, "table device");
	sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
	if (sqlite3_step(row) != SQLITE_ROW) {
		err = store_fail(s, "table device");
		sqlite3_reset(row);
		return err == CV_OK ? CV_ERR_IO : err;
	}
	snprintf(found, sizeof(found), "%s", (const char *)sqlite3_column_text(row, 0));
	err = open_row(s, row, 1, "device", found, s->plain, RECORD_PLAIN_MAX, &len);
	if (err == CV_OK)
		err = record_decode(rec, s->plain, len);
	if (err == CV_OK) {
		rec->revision = (uint64_t)sqlite3_column_int64(row, 1);
		*known = strcmp(found, id) == 0;
	}
	crypto_wipe(s->plain, RECORD_PLAIN_MAX);
	sqlite3_reset(row);
	sqlite3_clear_bindings(row);
	return err;
}

/* The revision of a row before it is replaced; 0 if there is none. */
static enum cv_err old_revision(
	struct store *s, enum store_statement which, const char *name, uint64_t *revision)
{
	sqlite3_stmt *row = store_statement(s, which);
	enum cv_err err = CV_OK;

	*revision = 0;
	if (row == NULL)
		return store_fail(s, name);
	sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
	switch (sqlite3_step(row)) {
	case SQLITE_ROW:
		*revision = (uint64_t)sqlite3_column_int64(row, 0);
		break;
	case SQLITE_DONE:
		break;
	default:
		err = store_fail(s, name);
	}
	sqlite3_reset(row);
	sqlite3_clear_bindings(row);
	return err;
}

/* Seals and writes a row under the next revision, and moves the sum. */
static enum cv_err put_row(struct store *s, enum store_statement which, const char *table,
	const char *name, uint64_t old, const uint8_t *plain, size_t len)
{
	struct seal_place place = { s->gateway, table, name, old };
	sqlite3_stmt *put;
	enum cv_err err = CV_OK;

	if (old != 0)
		err = sum_remove(s->staged.sum, s->keys, &place);
	place.revision = s->staged.revision + 1;
	if (err == CV_OK)
		err = sum_add(s->staged.sum, s->keys, &place);
	if (err == CV_OK)
		err = seal_record(s->sealed, s->keys, &place, plain, len);
	if (err != CV_OK)
		return err;
	put = store_statement(s, which);
	if (put == NULL)
		return store_fail(s, table);
	sqlite3_bind_text(put, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(put, 2, (sqlite3_int64)place.revision);
	sqlite3_bind_blob(put, 3, s->sealed, (int)(len + SEAL_OVERHEAD), SQLITE_STATIC);
	err = store_run(s, put, table);
	sqlite3_clear_bindings(put);
	if (err == CV_OK)
		s->staged.revision = place.revision;
	return err;
}

enum cv_err store_device_put(struct store *s, struct record *rec)
{
	uint64_t old = 0;
	size_t len = 0;
	enum cv_err err = old_revision(s, ST_DEVICE_REVISION, rec->device, &old);

	if (err == CV_OK)
		err = record_encode(s->plain, &len, rec);
	if (err == CV_OK)
		err = put_row(s, ST_DEVICE_PUT, "device", rec->device, old, s->plain, len);
	crypto_wipe(s->plain, RECORD_PLAIN_MAX);
	if (err != CV_OK)
		return err;
	rec->revision = s->staged.revision;
	if (old == 0)
		s->staged.devices++;
	return CV_OK;
}

enum cv_err store_device_ids(struct store *s, const char *after, char (*ids)[CV_ID_BUF],
	size_t max, size_t *count, bool *more)
{
	sqlite3_stmt *row = store_statement(s, ST_DEVICE_IDS);
	enum cv_err err = CV_OK;
	size_t n = 0;
	int rc;

	if (row == NULL)
		return store_fail(s, "table device");
	sqlite3_bind_text(row, 1, after, -1, SQLITE_STATIC);
	sqlite3_bind_int64(row, 2, (sqlite3_int64)max + 1);
	*more = false;
	while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
		if (n == max) {
			*more = true;
			break;
		}
		snprintf(ids[n++], CV_ID_BUF, "%s", (const char *)sqlite3_column_text(row, 0));
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		err = store_fail(s, "table device");
	sqlite3_reset(row);
	sqlite3_clear_bindings(row);
	*count = n;
	return err;
}

enum cv_err store_document_get(
	struct store *s, const char *name, uint8_t *out, size_t cap, size_t *len)
{
	sqlite3_stmt *row = store_statement(s, ST_DOCUMENT_GET);
	enum cv_err err;

	if (row == NULL)
		return store_fail(s, "table document");
	sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
	switch (sqlite3_step(row)) {
	case SQLITE_ROW:
		err = open_row(s, row, 0, "document", name, out, cap, len);
		break;
	case SQLITE_DONE:
		err = CV_ERR_NOT_FOUND;
		break;
	default:
		err = store_fail(s, "table document");
	}
	sqlite3_reset(row);
	sqlite3_clear_bindings(row);
	return err;
}

enum cv_err store_document_put(struct store *s, const char *name, const void *data, size_t len)
{
	uint64_t old = 0;
	enum cv_err err;

	if (len > STORE_DOCUMENT_MAX)
		return CV_ERR_TOO_LONG;
	err = old_revision(s, ST_DOCUMENT_GET, name, &old);
	return err != CV_OK ? err
			    : put_row(s, ST_DOCUMENT_PUT, "document", name, old, data, len);
}

enum cv_err store_document_drop(struct store *s, const char *name)
{
	struct seal_place place = { s->gateway, "document", name, 0 };
	sqlite3_stmt *drop;
	enum cv_err err = old_revision(s, ST_DOCUMENT_GET, name, &place.revision);

	if (err != CV_OK || place.revision == 0)
		return err;
	err = sum_remove(s->staged.sum, s->keys, &place);
	if (err != CV_OK)
		return err;
	drop = store_statement(s, ST_DOCUMENT_DROP);
	if (drop == NULL)
		return store_fail(s, "table document");
	sqlite3_bind_text(drop, 1, name, -1, SQLITE_STATIC);
	err = store_run(s, drop, "table document");
	sqlite3_clear_bindings(drop);
	/* A header of the same revision must not fit both the store with and without it. */
	if (err == CV_OK)
		s->staged.revision++;
	return err;
}

enum cv_err store_document_next(
	struct store *s, const char *prefix, const char *after, char name[STORE_NAME_BUF])
{
	sqlite3_stmt *row = store_statement(s, ST_DOCUMENT_NEXT);
	enum cv_err err = CV_ERR_NOT_FOUND;

	if (row == NULL)
		return store_fail(s, "table document");
	sqlite3_bind_text(row, 1, strcmp(after, prefix) > 0 ? after : prefix, -1, SQLITE_TRANSIENT);
	switch (sqlite3_step(row)) {
	case SQLITE_ROW:
		snprintf(name, STORE_NAME_BUF, "%s", (const char *)sqlite3_column_text(row, 0));
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			err = CV_OK;
		break;
	case SQLITE_DONE:
		break;
	default:
		err = store_fail(s, "table document");
	}
	sqlite3_reset(row);
	sqlite3_clear_bindings(row);
	return err;
}
