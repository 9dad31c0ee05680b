/* The SQLite handle of the store: opening, statements, errors. */
#include "gateway/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/secret.h"

static const char *const sql[ST_COUNT_] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_FREE_PAGES] = "PRAGMA freelist_count",
	[ST_PAGES] = "PRAGMA page_count",
	[ST_GROW] = "INSERT INTO filler(id, bytes) VALUES(0, zeroblob(?1))",
	[ST_GROW_DROP] = "DELETE FROM filler WHERE id = 0",
	[ST_RESERVE_COUNT] = "SELECT count(*) FROM filler WHERE id > 0",
	[ST_RESERVE_PUT] = "INSERT INTO filler(id, bytes) "
			   "VALUES((SELECT ifnull(max(id), 0) + 1 FROM filler), zeroblob(?1))",
	[ST_RESERVE_TAKE] = "DELETE FROM filler WHERE id > 0 AND id = (SELECT max(id) FROM filler)",
	[ST_HEADER_GET] = "SELECT sealed, audit_seq, audit_head, head_time_s, head_sig FROM header "
			  "WHERE id = 1",
	[ST_HEADER_PUT] = "INSERT OR REPLACE INTO header(id, sealed, audit_seq, audit_head, "
			  "head_time_s, head_sig) VALUES(1, ?1, ?2, ?3, ?4, ?5)",
	/* '-' sorts before every id, so both rows are always looked up and the real one wins. */
	[ST_DEVICE_GET] = "SELECT id, revision, sealed FROM device WHERE id IN (?1, '-') "
			  "ORDER BY id DESC LIMIT 1",
	[ST_DEVICE_REVISION] = "SELECT revision FROM device WHERE id = ?1",
	[ST_DEVICE_PUT] = "INSERT INTO device(id, revision, sealed) VALUES(?1, ?2, ?3) "
			  "ON CONFLICT(id) DO UPDATE SET revision = ?2, sealed = ?3",
	[ST_DEVICE_IDS] = "SELECT id FROM device WHERE id > ?1 AND id <> '-' ORDER BY id LIMIT ?2",
	[ST_DEVICE_ALL] = "SELECT id, revision, sealed FROM device ORDER BY id",
	[ST_DOCUMENT_GET] = "SELECT revision, sealed FROM document WHERE name = ?1",
	[ST_DOCUMENT_PUT] = "INSERT INTO document(name, revision, sealed) VALUES(?1, ?2, ?3) "
			    "ON CONFLICT(name) DO UPDATE SET revision = ?2, sealed = ?3",
	[ST_DOCUMENT_ALL] = "SELECT name, revision, sealed FROM document ORDER BY name",
	[ST_DOCUMENT_DROP] = "DELETE FROM document WHERE name = ?1",
	[ST_DOCUMENT_NEXT] = "SELECT name FROM document WHERE name > ?1 ORDER BY name LIMIT 1",
	[ST_SCHEMA_PUT] = "UPDATE meta SET value = ?1 WHERE name = 'schema'",
	[ST_AUDIT_PUT] = "INSERT INTO audit(seq, text, head) VALUES(?1, ?2, ?3)",
	[ST_AUDIT_FROM] = "SELECT seq, text, head FROM audit WHERE seq >= ?1 ORDER BY seq",
};

static enum cv_err map_result(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return CV_ERR_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return CV_ERR_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* our statements are right: a table is missing */
		return CV_ERR_TAMPERED;
	case SQLITE_NOMEM:
		return CV_ERR_MEMORY;
	case SQLITE_READONLY:
		return CV_ERR_READ_ONLY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return CV_ERR_PERMISSION;
	default:
		return CV_ERR_IO;
	}
}

enum cv_err store_fail(struct store *s, const char *what)
{
	const int rc = sqlite3_extended_errcode(s->db);

	snprintf(s->why, sizeof(s->why), "%s: %s", what, sqlite3_errmsg(s->db));
	return map_result(rc);
}

enum cv_err store_damaged(struct store *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
	return CV_ERR_TAMPERED;
}

sqlite3_stmt *store_statement(struct store *s, enum store_statement which)
{
	sqlite3_stmt **st = &s->statements[which];

	if (*st == NULL) {
		if (sqlite3_prepare_v3(s->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, st,
			    NULL) != SQLITE_OK)
			return NULL;
		return *st;
	}
	sqlite3_reset(*st);
	sqlite3_clear_bindings(*st);
	return *st;
}

enum cv_err store_run(struct store *s, sqlite3_stmt *st, const char *what)
{
	enum cv_err err = CV_OK;

	if (st == NULL)
		return store_fail(s, what);
	if (sqlite3_step(st) != SQLITE_DONE)
		err = store_fail(s, what);
	sqlite3_reset(st);
	return err;
}

enum cv_err store_exec(struct store *s, const char *text)
{
	if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK)
		return store_fail(s, text);
	return CV_OK;
}

enum cv_err store_number(struct store *s, enum store_statement which, uint64_t *out)
{
	sqlite3_stmt *st = store_statement(s, which);
	enum cv_err err = CV_OK;

	if (st == NULL || sqlite3_step(st) != SQLITE_ROW)
		return store_fail(s, sql[which]);
	*out = (uint64_t)sqlite3_column_int64(st, 0);
	if (sqlite3_reset(st) != SQLITE_OK)
		err = store_fail(s, sql[which]);
	return err;
}

/* The WAL gets its whole size now, so that a commit on a full disk only writes over it. */
static void allocate_wal(const char *path)
{
	char wal[4096 + 8];
	int fd;

	snprintf(wal, sizeof(wal), "%s-wal", path);
	fd = open(wal, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	(void)posix_fallocate(fd, 0, STORE_WAL_BYTES);
	close(fd);
}

static int on_wal(void *context, sqlite3 *db, const char *name, int frames)
{
	struct store *s = context;

	(void)db;
	(void)name;
	s->wal_frames = frames;
	return SQLITE_OK;
}

static enum cv_err use_wal(struct store *s)
{
	int persist = 1;
	int chunk = 1 << 20;
	enum cv_err err;

	(void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	(void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk);
	err = store_exec(s, "PRAGMA journal_mode = WAL");
	if (err == CV_OK)
		err = store_exec(s, "PRAGMA synchronous = FULL");
	if (err == CV_OK)
		err = store_exec(s, "PRAGMA wal_autocheckpoint = 0");
	if (err == CV_OK)
		sqlite3_wal_hook(s->db, on_wal, s);
	return err;
}

enum cv_err store_handle_open(struct store *s, const char *path, bool fresh)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
		SQLITE_OPEN_NOFOLLOW | (fresh ? SQLITE_OPEN_CREATE : 0);
	enum cv_err err;

	if (!fresh && access(path, F_OK) != 0) {
		snprintf(s->why, sizeof(s->why), "%s: %s", path, strerror(errno));
		return errno == ENOENT ? CV_ERR_NOT_FOUND : CV_ERR_PERMISSION;
	}
	if (!fresh)
		allocate_wal(path);
	if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK)
		return store_fail(s, path);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	err = store_exec(s, "PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE;"
			    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;"
			    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
			    "PRAGMA mmap_size = 0");
	if (err != CV_OK)
		return err;
	return fresh ? store_exec(s, "PRAGMA journal_mode = MEMORY") : use_wal(s);
}

void store_handle_close(struct store *s)
{
	for (size_t i = 0; i < ST_COUNT_; i++) {
		sqlite3_finalize(s->statements[i]);
		s->statements[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

enum cv_err store_alloc(struct store **out, const struct store_config *cfg)
{
	struct store *s;

	if (strlen(cfg->path) >= sizeof(s->path) || strlen(cfg->gateway) >= sizeof(s->gateway))
		return CV_ERR_ARGUMENT;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return CV_ERR_MEMORY;
	strcpy(s->path, cfg->path);
	strcpy(s->gateway, cfg->gateway);
	s->keys = cfg->keys;
	s->signer = cfg->signer;
	memcpy(s->signer_public, cfg->signer_public, sizeof(s->signer_public));
	s->plain = secret_alloc(STORE_DOCUMENT_MAX);
	s->sealed = malloc(STORE_SEALED_MAX);
	if (s->plain == NULL || s->sealed == NULL) {
		store_release(s);
		return CV_ERR_MEMORY;
	}
	*out = s;
	return CV_OK;
}

void store_release(struct store *s)
{
	if (s == NULL)
		return;
	store_handle_close(s);
	secret_free(s->plain);
	free(s->sealed);
	free(s);
}
