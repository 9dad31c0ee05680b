/*
 * The keeper's store: one SQLite file with a sealed record per device, the audit chain and a sealed
 * header that ties them together. Format: docs/operations.md; sealing: record_seal.h.
 *
 * Durable  WAL with synchronous=FULL in exclusive locking mode: after store_commit returned CV_OK
 *          the transaction survives a power cut. One fsync for each commit; store_tidy does the
 *          checkpoints, outside the path of a request.
 * Room     the file carries filler in place of `reserve_records` release records, and the WAL file
 *          has its whole size, both allocated on disk when the store is made or opened. While the
 *          file can grow the reserve is not touched; when it cannot, store_room says
 *          STORE_ROOM_RESERVE, filler becomes free pages, and the caller writes nothing but
 *          releases and revocations. Once the file can grow again the filler comes back. (On file
 *          systems that copy on write or compress, an allocated page is no promise, and the disk
 *          needs a margin.)
 * Threads  one thread per struct. One process per file.
 * Errors   CV_ERR_FULL: no space; CV_ERR_IO; CV_ERR_BUSY: another process has the file;
 *          CV_ERR_VERSION: another schema; CV_ERR_MISMATCH: another gateway's; CV_ERR_SEAL: the
 *          header does not open, so the key is another one or the file damaged; CV_ERR_TAMPERED:
 *          damaged or older parts in a newer store; CV_ERR_NOT_FOUND. store_why names the place.
 */
#ifndef CONCLAVE_GATEWAY_STORE_H
#define CONCLAVE_GATEWAY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/record.h"
#include "gateway/record_seal.h"
#include "protocol/audit_chain.h"
#include "protocol/err.h"
#include "protocol/jws.h"

#define STORE_SCHEMA 3	 /* 1 (no groups) and 2 (no events on record) are brought up when opened */
#define STORE_NAME_BUF 128 /* of a document */
#define STORE_WHY_BUF 256
#define STORE_DOCUMENT_MAX CV_JWS_MAX
#define STORE_BATCH_MAX 256 /* requests in one transaction, so that the reserve can hold it */

struct store;

struct store_config {
	const char *path;
	const char *gateway;
	const struct seal_keys *keys;	   /* must outlive the store */
	const struct jws_signer *signer;   /* signs the audit's head; must outlive the store */
	const uint8_t *signer_public;	   /* CV_ES256_PUBLIC_BYTES */
	uint32_t reserve_records;	   /* store_create only */
};

struct store_state {
	uint64_t revision; /* grows with each record written */
	uint64_t devices;
	uint64_t audit_seq;
	uint8_t audit_head[CV_HASH_BYTES];
	uint64_t trusted_time_s; /* newest time that counted as trusted */
	uint8_t sum[SUM_BYTES];
};

enum store_room {
	STORE_ROOM_PLENTY,  /* the file can grow */
	STORE_ROOM_RESERVE, /* it cannot: releases and revocations only */
	STORE_ROOM_NONE	    /* the reserve is used up as well */
};

/* Makes the file, complete or not at all. CV_ERR_EXISTS if there is one. */
CV_MUST_CHECK enum cv_err store_create(const struct store_config *cfg, char why[STORE_WHY_BUF]);
/* Opens and checks everything: schema, header, every record, the sum, the audit's chain. */
CV_MUST_CHECK enum cv_err store_open(
	struct store **out, const struct store_config *cfg, char why[STORE_WHY_BUF]);
/* Rolls back what is not committed; NULL is allowed. */
void store_close(struct store *s);

/* What is durable, and what the open transaction would make of it. */
const struct store_state *store_committed(const struct store *s);
const struct store_state *store_staged(const struct store *s);
/* The last failure, in words for a log. */
const char *store_why(const struct store *s);

/* Looks at the room first; *room is for this transaction. */
CV_MUST_CHECK enum cv_err store_begin(struct store *s, enum store_room *room);
bool store_in_transaction(const struct store *s);
/* time_s is for the signed head; trusted_time_s 0 leaves the newest trusted time as it is. */
CV_MUST_CHECK enum cv_err store_commit(struct store *s, uint64_t time_s, uint64_t trusted_time_s);
void store_rollback(struct store *s);
/* Checkpoint if the WAL is long. A failure shows in later commits, if it matters. */
void store_tidy(struct store *s);
/* Bytes still set aside for releases, free pages beyond the reserve included. */
uint64_t store_reserve_bytes(struct store *s);

/*
 * The record of `id`. For a device that is not there *known is false and `rec` is the dummy record:
 * the same rows read, the same bytes opened. rec must be in secret memory.
 */
CV_MUST_CHECK enum cv_err store_device_get(
	struct store *s, const char *id, struct record *rec, bool *known);
/* Inserts or replaces, inside a transaction; sets rec->revision. */
CV_MUST_CHECK enum cv_err store_device_put(struct store *s, struct record *rec);
/* Ids after `after` ("" for the first), at most max; *more says whether others follow. */
CV_MUST_CHECK enum cv_err store_device_ids(struct store *s, const char *after,
	char (*ids)[CV_ID_BUF], size_t max, size_t *count, bool *more);

/*
 * Named documents (the revocation list, policies of groups, recorded evidence), sealed as records
 * are. CV_ERR_NOT_FOUND.
 */
CV_MUST_CHECK enum cv_err store_document_get(
	struct store *s, const char *name, uint8_t *out, size_t cap, size_t *len);
CV_MUST_CHECK enum cv_err store_document_put(
	struct store *s, const char *name, const void *data, size_t len);

/* Nothing happens if there is none. */
CV_MUST_CHECK enum cv_err store_document_drop(struct store *s, const char *name);
/*
 * The first name after `after` that begins with `prefix`; CV_ERR_NOT_FOUND when there is no more.
 */
CV_MUST_CHECK enum cv_err store_document_next(struct store *s, const char *prefix,
	const char *after, char name[STORE_NAME_BUF]);

/* One more record of the audit, inside a transaction. */
CV_MUST_CHECK enum cv_err store_audit_append(struct store *s, const char *text, size_t len);
/* Calls `each` for records from `from` until it returns false; borrowed text. */
CV_MUST_CHECK enum cv_err store_audit_read(struct store *s, uint64_t from,
	bool (*each)(void *context, uint64_t seq, const char *text, size_t len), void *context);
/* The signed head of the last commit. */
CV_MUST_CHECK enum cv_err store_audit_signed_head(struct store *s, uint64_t *seq,
	uint8_t head[CV_HASH_BYTES], uint64_t *time_s, uint8_t sig[CV_ES256_SIG_BYTES]);

#endif
