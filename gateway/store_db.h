/* Inside the store: the SQLite handle, its statements and the header. Not for other modules. */
#ifndef CONCLAVE_GATEWAY_STORE_DB_H
#define CONCLAVE_GATEWAY_STORE_DB_H

#include <sqlite3.h>

#include "gateway/store.h"

#define STORE_PAGE_BYTES 4096
#define STORE_WAL_BYTES (8u << 20)   /* physical size of the WAL file */
#define STORE_WAL_FRAMES 512	     /* checkpoint beyond */
#define STORE_BATCH_PAGES 256	     /* what one transaction may need */
#define STORE_GROW_PAGES 1024	     /* by so many the file grows; one piece of the reserve */
#define STORE_SEALED_MAX (STORE_DOCUMENT_MAX + SEAL_OVERHEAD)

enum store_statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_FREE_PAGES,
	ST_PAGES,
	ST_GROW,
	ST_GROW_DROP,
	ST_RESERVE_COUNT,
	ST_RESERVE_PUT,
	ST_RESERVE_TAKE,
	ST_HEADER_GET,
	ST_HEADER_PUT,
	ST_DEVICE_GET,
	ST_DEVICE_REVISION,
	ST_DEVICE_PUT,
	ST_DEVICE_IDS,
	ST_DEVICE_ALL,
	ST_DOCUMENT_GET,
	ST_DOCUMENT_PUT,
	ST_DOCUMENT_ALL,
	ST_DOCUMENT_DROP,
	ST_DOCUMENT_NEXT,
	ST_SCHEMA_PUT,
	ST_AUDIT_PUT,
	ST_AUDIT_FROM,
	ST_COUNT_
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[ST_COUNT_];
	char path[4096];
	char gateway[CV_ID_BUF];
	const struct seal_keys *keys;
	const struct jws_signer *signer;
	uint8_t signer_public[CV_ES256_PUBLIC_BYTES];
	uint64_t reserve_pieces; /* wanted; rows of filler from id 1 on are what is there */
	int wal_frames;
	struct store_state committed;
	struct store_state staged;
	uint8_t *plain;	 /* secret_alloc, STORE_DOCUMENT_MAX */
	uint8_t *sealed; /* STORE_SEALED_MAX */
	char why[STORE_WHY_BUF];
};

/* Maps and records an SQLite result; `what` says what was being done. */
enum cv_err store_fail(struct store *s, const char *what);
/* store_fail for something that SQLite did not say. */
enum cv_err store_damaged(struct store *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A statement, prepared once, reset and without bindings; NULL after a failure (store_fail). */
sqlite3_stmt *store_statement(struct store *s, enum store_statement which);
/* Steps a statement that gives no rows. */
enum cv_err store_run(struct store *s, sqlite3_stmt *st, const char *what);
enum cv_err store_exec(struct store *s, const char *sql);
/* A statement that gives one number. */
enum cv_err store_number(struct store *s, enum store_statement which, uint64_t *out);

/* store_file.c: open the handle with its pragmas; `fresh`: a new file, without WAL. */
enum cv_err store_handle_open(struct store *s, const char *path, bool fresh);
void store_handle_close(struct store *s);
enum cv_err store_alloc(struct store **out, const struct store_config *cfg);
void store_release(struct store *s);

/* store_header.c */
enum cv_err store_header_read(struct store *s);
enum cv_err store_header_write(struct store *s, uint64_t time_s);

/* store_check.c: reads everything and compares it with the header. */
enum cv_err store_check(struct store *s);

#endif
