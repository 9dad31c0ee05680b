#include "gateway/store_db.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"
#include "protocol/crypto.h"

#define SCHEMA_WITHOUT_GROUPS "1"
#define SCHEMA_WITHOUT_EVENTS "2" /* of the boots on record */

const struct store_state *store_committed(const struct store *s)
{
	return &s->committed;
}

const struct store_state *store_staged(const struct store *s)
{
	return &s->staged;
}

const char *store_why(const struct store *s)
{
	return s->why;
}

bool store_in_transaction(const struct store *s)
{
	return sqlite3_get_autocommit(s->db) == 0;
}

static enum cv_err read_meta(struct store *s, const char *name, char *out, size_t cap)
{
	sqlite3_stmt *st = NULL;
	const char *text;
	enum cv_err err = CV_ERR_VERSION;

	if (sqlite3_prepare_v2(s->db, "SELECT value FROM meta WHERE name = ?1", -1, &st, NULL) !=
		SQLITE_OK) {
		/* A readable database without our table is not a damaged store: it is no store. */
		err = store_fail(s, "table meta");
		return (sqlite3_errcode(s->db) & 0xff) == SQLITE_ERROR ? CV_ERR_VERSION : err;
	}
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(st, 0);
		if (text != NULL && strlen(text) < cap) {
			strcpy(out, text);
			err = CV_OK;
		}
	}
	if (err != CV_OK)
		snprintf(s->why, sizeof(s->why), "table meta has no %s", name);
	sqlite3_finalize(st);
	return err;
}

static enum cv_err check_meta(struct store *s, bool *old)
{
	char value[CV_ID_BUF], wanted[16];
	unsigned long long pages = 0;
	enum cv_err err = read_meta(s, "schema", value, sizeof(value));

	if (err != CV_OK)
		return err;
	snprintf(wanted, sizeof(wanted), "%d", STORE_SCHEMA);
	*old = strcmp(value, SCHEMA_WITHOUT_GROUPS) == 0 ||
	       strcmp(value, SCHEMA_WITHOUT_EVENTS) == 0;
	if (!*old && strcmp(value, wanted) != 0) {
		snprintf(s->why, sizeof(s->why),
			"the store has schema %s, this program works with schema %s only", value,
			wanted);
		return CV_ERR_VERSION;
	}
	err = read_meta(s, "gateway", value, sizeof(value));
	if (err == CV_OK && strcmp(value, s->gateway) != 0) {
		snprintf(s->why, sizeof(s->why), "the store belongs to gateway %s, not to %s",
			value, s->gateway);
		err = CV_ERR_MISMATCH;
	}
	if (err == CV_OK)
		err = read_meta(s, "reserve_pages", value, sizeof(value));
	if (err == CV_OK && sscanf(value, "%19llu", &pages) == 1)
		s->reserve_pieces = (pages + STORE_GROW_PAGES - 1) / STORE_GROW_PAGES;
	return err;
}

/*
 * What is there stays as it is: from now on there may be more, which a program of the old schema
 * would take for damage. So it must not open the file again.
 */
static enum cv_err migrate(struct store *s)
{
	char wanted[16];
	sqlite3_stmt *st = store_statement(s, ST_SCHEMA_PUT);

	if (st == NULL)
		return store_fail(s, "table meta");
	snprintf(wanted, sizeof(wanted), "%d", STORE_SCHEMA);
	sqlite3_bind_text(st, 1, wanted, -1, SQLITE_TRANSIENT);
	return store_run(s, st, "table meta");
}

enum cv_err store_open(struct store **out, const struct store_config *cfg, char why[STORE_WHY_BUF])
{
	struct store *s = NULL;
	bool old = false;
	enum cv_err err = store_alloc(&s, cfg);

	if (err != CV_OK) {
		snprintf(why, STORE_WHY_BUF, "no memory");
		return err;
	}
	err = store_handle_open(s, cfg->path, false);
	if (err == CV_OK)
		err = check_meta(s, &old);
	if (err == CV_OK)
		err = store_header_read(s);
	if (err == CV_OK)
		err = store_check(s);
	if (err == CV_OK && old)
		err = migrate(s);
	if (err != CV_OK) {
		snprintf(why, STORE_WHY_BUF, "%s", s->why);
		store_release(s);
		return err;
	}
	*out = s;
	return CV_OK;
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	store_rollback(s);
	store_release(s);
}

static uint64_t file_pages(const struct store *s)
{
	struct stat st;

	return stat(s->path, &st) == 0 ? (uint64_t)st.st_size / STORE_PAGE_BYTES : 0;
}

/* Bytes first, then pages: the WAL never holds a page that the file has no room for. */
static enum cv_err make_room_in_file(struct store *s)
{
	uint64_t pages = 0;
	sqlite3_int64 size;
	enum cv_err err = store_number(s, ST_PAGES, &pages);

	if (err != CV_OK)
		return err;
	/* A margin for the pages of the b-tree that carries the filler. */
	size = (sqlite3_int64)(pages + STORE_GROW_PAGES + 8) * STORE_PAGE_BYTES;
	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_SIZE_HINT, &size) != SQLITE_OK ||
		file_pages(s) < pages + STORE_GROW_PAGES + 8)
		return CV_ERR_FULL;
	return CV_OK;
}

static enum cv_err put_filler(struct store *s, enum store_statement which)
{
	sqlite3_stmt *st = store_statement(s, which);

	if (st == NULL)
		return store_fail(s, "grow");
	sqlite3_bind_int64(st, 1, (sqlite3_int64)STORE_GROW_PAGES * (STORE_PAGE_BYTES - 4));
	return store_run(s, st, "grow");
}

/*
 * More free pages. SQLite takes free pages before it makes a file larger, so this is for when there
 * are few of them; and for the same reason the reserve is not kept as free pages but as filler.
 */
static enum cv_err grow(struct store *s)
{
	enum cv_err err = make_room_in_file(s);

	if (err == CV_OK)
		err = put_filler(s, ST_GROW);
	if (err == CV_OK)
		err = store_run(s, store_statement(s, ST_GROW_DROP), "grow");
	return err;
}

/* One piece of what a full disk has cost the reserve. */
static enum cv_err refill(struct store *s)
{
	enum cv_err err = make_room_in_file(s);

	return err == CV_OK ? put_filler(s, ST_RESERVE_PUT) : err;
}

static enum cv_err begin(struct store *s)
{
	s->staged = s->committed;
	return store_run(s, store_statement(s, ST_BEGIN), "begin");
}

/* On a disk that is full: what is left for releases. */
static enum cv_err begin_from_reserve(struct store *s, enum store_room *room)
{
	uint64_t free_pages = 0, pieces = 0;
	enum cv_err err;

	store_rollback(s);
	err = begin(s);
	if (err == CV_OK)
		err = store_number(s, ST_FREE_PAGES, &free_pages);
	if (err == CV_OK)
		err = store_number(s, ST_RESERVE_COUNT, &pieces);
	if (err != CV_OK)
		return err;
	*room = STORE_ROOM_RESERVE;
	if (free_pages >= STORE_BATCH_PAGES)
		return CV_OK;
	if (pieces > 0)
		return store_run(s, store_statement(s, ST_RESERVE_TAKE), "reserve");
	*room = STORE_ROOM_NONE;
	return CV_OK;
}

enum cv_err store_begin(struct store *s, enum store_room *room)
{
	uint64_t free_pages = 0, pieces = 0;
	enum cv_err err = begin(s);

	*room = STORE_ROOM_PLENTY;
	if (err == CV_OK)
		err = store_number(s, ST_RESERVE_COUNT, &pieces);
	if (err != CV_OK)
		return err;
	if (pieces < s->reserve_pieces && refill(s) != CV_OK)
		return begin_from_reserve(s, room);
	err = store_number(s, ST_FREE_PAGES, &free_pages);
	if (err != CV_OK || free_pages >= STORE_BATCH_PAGES || grow(s) == CV_OK)
		return err;
	return begin_from_reserve(s, room);
}

enum cv_err store_commit(struct store *s, uint64_t time_s, uint64_t trusted_time_s)
{
	enum cv_err err;

	if (trusted_time_s != 0)
		s->staged.trusted_time_s = trusted_time_s;
	err = store_header_write(s, time_s);
	if (err == CV_OK)
		err = store_run(s, store_statement(s, ST_COMMIT), "commit");
	if (err != CV_OK) {
		store_rollback(s);
		return err;
	}
	s->committed = s->staged;
	return CV_OK;
}

void store_rollback(struct store *s)
{
	char why[STORE_WHY_BUF];

	memcpy(why, s->why, sizeof(why));
	if (s->db != NULL && store_in_transaction(s) &&
		store_run(s, store_statement(s, ST_ROLLBACK), "rollback") == CV_OK)
		memcpy(s->why, why, sizeof(why));
	s->staged = s->committed;
}

void store_tidy(struct store *s)
{
	if (s->wal_frames < STORE_WAL_FRAMES || store_in_transaction(s))
		return;
	if (sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) ==
		SQLITE_OK)
		s->wal_frames = 0;
}

uint64_t store_reserve_bytes(struct store *s)
{
	uint64_t pages = 0, pieces = 0;

	if (store_number(s, ST_FREE_PAGES, &pages) != CV_OK ||
		store_number(s, ST_RESERVE_COUNT, &pieces) != CV_OK)
		return 0;
	return (pages + pieces * STORE_GROW_PAGES) * STORE_PAGE_BYTES;
}
