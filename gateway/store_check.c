/* What the store is checked for before anything is believed: each record, the sum, the audit. */
#include "gateway/store_db.h"

#include <inttypes.h>
#include <string.h>

#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/id.h"

struct check {
	uint8_t sum[SUM_BYTES];
	uint64_t devices;
	struct record *rec;
};

static enum cv_err check_row(struct store *s, sqlite3_stmt *row, const char *table,
	struct check *c, size_t *plain_len)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	const struct seal_place place = { s->gateway, table, name == NULL ? "" : name,
		(uint64_t)sqlite3_column_int64(row, 1) };
	const uint8_t *sealed = sqlite3_column_blob(row, 2);
	const size_t len = (size_t)sqlite3_column_bytes(row, 2);

	if (strlen(place.name) >= STORE_NAME_BUF || place.revision > s->committed.revision)
		return store_damaged(s, "%s %.63s: a revision that the store never had", table,
			place.name);
	if (open_record(s->plain, STORE_DOCUMENT_MAX, plain_len, s->keys, &place, sealed, len) !=
		CV_OK)
		return store_damaged(s, "%s %s: the record does not open", table, place.name);
	return sum_add(c->sum, s->keys, &place);
}

static enum cv_err check_devices(struct store *s, struct check *c)
{
	sqlite3_stmt *row = store_statement(s, ST_DEVICE_ALL);
	enum cv_err err = CV_OK;
	size_t len;
	int rc;

	if (row == NULL)
		return store_fail(s, "table device");
	while ((rc = sqlite3_step(row)) == SQLITE_ROW && err == CV_OK) {
		const char *id = (const char *)sqlite3_column_text(row, 0);

		err = check_row(s, row, "device", c, &len);
		if (err == CV_OK && (record_decode(c->rec, s->plain, len) != CV_OK ||
					    strcmp(c->rec->device, id) != 0))
			err = store_damaged(s, "device %s: the record has a wrong form", id);
		if (err == CV_OK && strcmp(id, RECORD_DUMMY_ID) != 0)
			c->devices++;
	}
	if (err == CV_OK && rc != SQLITE_DONE)
		err = store_fail(s, "table device");
	sqlite3_reset(row);
	crypto_wipe(s->plain, STORE_DOCUMENT_MAX);
	return err;
}

static enum cv_err check_documents(struct store *s, struct check *c)
{
	sqlite3_stmt *row = store_statement(s, ST_DOCUMENT_ALL);
	enum cv_err err = CV_OK;
	size_t len;
	int rc;

	if (row == NULL)
		return store_fail(s, "table document");
	while ((rc = sqlite3_step(row)) == SQLITE_ROW && err == CV_OK)
		err = check_row(s, row, "document", c, &len);
	if (err == CV_OK && rc != SQLITE_DONE)
		err = store_fail(s, "table document");
	sqlite3_reset(row);
	return err;
}

static enum cv_err check_audit_row(
	struct store *s, sqlite3_stmt *row, uint64_t seq, uint8_t head[CV_HASH_BYTES])
{
	const char *text = (const char *)sqlite3_column_text(row, 1);
	const size_t len = (size_t)sqlite3_column_bytes(row, 1);

	if ((uint64_t)sqlite3_column_int64(row, 0) != seq)
		return store_damaged(s, "audit record %" PRIu64 " is missing", seq);
	if (text == NULL || audit_chain_next(head, s->gateway, seq, text, len) != CV_OK ||
		sqlite3_column_bytes(row, 2) != CV_HASH_BYTES ||
		memcmp(head, sqlite3_column_blob(row, 2), CV_HASH_BYTES) != 0)
		return store_damaged(s, "audit record %" PRIu64 " was changed", seq);
	return CV_OK;
}

static enum cv_err check_audit(struct store *s)
{
	sqlite3_stmt *row = store_statement(s, ST_AUDIT_FROM);
	uint8_t head[CV_HASH_BYTES] = {0};
	enum cv_err err = CV_OK;
	uint64_t seq = 0;
	int rc;

	if (row == NULL)
		return store_fail(s, "table audit");
	sqlite3_bind_int64(row, 1, 0);
	while ((rc = sqlite3_step(row)) == SQLITE_ROW && err == CV_OK)
		err = check_audit_row(s, row, ++seq, head);
	if (err == CV_OK && rc != SQLITE_DONE)
		err = store_fail(s, "table audit");
	sqlite3_reset(row);
	if (err == CV_OK && seq != s->committed.audit_seq)
		err = store_damaged(s, "the audit ends at record %" PRIu64 " and not at %" PRIu64,
			seq, s->committed.audit_seq);
	if (err == CV_OK && memcmp(head, s->committed.audit_head, CV_HASH_BYTES) != 0)
		err = store_damaged(s, "the audit's head is not the header's");
	return err;
}

static enum cv_err check_signed_head(struct store *s)
{
	uint8_t head[CV_HASH_BYTES], hash[CV_HASH_BYTES], sig[CV_ES256_SIG_BYTES];
	uint64_t seq, time_s;
	enum cv_err err = store_audit_signed_head(s, &seq, head, &time_s, sig);

	if (err != CV_OK)
		return err;
	if (seq != s->committed.audit_seq ||
		memcmp(head, s->committed.audit_head, CV_HASH_BYTES) != 0)
		return store_damaged(s, "the signed audit head is not the header's");
	err = audit_head_hash(hash, s->gateway, seq, head, time_s);
	if (err == CV_OK && crypto_es256_verify(s->signer_public, hash, sig) != CV_OK)
		err = store_damaged(s, "the audit head's signature does not hold: another "
				       "keeper.key, or the file is damaged");
	return err;
}

enum cv_err store_check(struct store *s)
{
	struct check c = { {0}, 0, secret_alloc(sizeof(struct record)) };
	enum cv_err err = c.rec == NULL ? CV_ERR_MEMORY : CV_OK;

	if (err == CV_OK)
		err = check_devices(s, &c);
	if (err == CV_OK)
		err = check_documents(s, &c);
	if (err == CV_OK && c.devices != s->committed.devices)
		err = store_damaged(s, "%" PRIu64 " devices where the header has %" PRIu64,
			c.devices, s->committed.devices);
	if (err == CV_OK && !crypto_equal(c.sum, s->committed.sum, SUM_BYTES))
		err = store_damaged(s, "a record is missing, or older than the header");
	if (err == CV_OK)
		err = check_audit(s);
	if (err == CV_OK)
		err = check_signed_head(s);
	secret_free(c.rec);
	return err;
}
