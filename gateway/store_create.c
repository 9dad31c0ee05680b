/* A new store: schema, reserve, dummy record and header, under another name until it is whole. */
#include "gateway/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/keeper.h"
#include "host/file.h"
#include "host/secret.h"
#include "protocol/crypto.h"

/* As long as a common policy, so that opening the dummy takes as long as opening a real record. */
#define DUMMY_POLICY_BYTES 320

static const char schema[] =
	"CREATE TABLE meta(name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);"
	"CREATE TABLE header(id INTEGER PRIMARY KEY, sealed BLOB NOT NULL, "
	"  audit_seq INTEGER NOT NULL, audit_head BLOB NOT NULL, head_time_s INTEGER NOT NULL, "
	"  head_sig BLOB NOT NULL);"
	"CREATE TABLE device(id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, "
	"  sealed BLOB NOT NULL);"
	"CREATE TABLE document(name TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, "
	"  sealed BLOB NOT NULL);"
	"CREATE TABLE audit(seq INTEGER PRIMARY KEY, text TEXT NOT NULL, head BLOB NOT NULL);"
	"CREATE TABLE filler(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);";

static enum cv_err put_meta(struct store *s, const char *name, const char *value)
{
	sqlite3_stmt *st = NULL;
	enum cv_err err;

	if (sqlite3_prepare_v2(s->db, "INSERT INTO meta(name, value) VALUES(?1, ?2)", -1, &st,
		    NULL) != SQLITE_OK)
		return store_fail(s, "table meta");
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, value, -1, SQLITE_STATIC);
	err = store_run(s, st, "table meta");
	sqlite3_finalize(st);
	return err;
}

static enum cv_err put_dummy(struct store *s)
{
	struct record *rec = secret_alloc(sizeof(*rec));
	enum cv_err err = rec == NULL ? CV_ERR_MEMORY : CV_OK;

	if (err == CV_OK)
		err = crypto_random(rec->mac_key, sizeof(rec->mac_key));
	if (err == CV_OK)
		err = crypto_random(rec->attestation_key, sizeof(rec->attestation_key));
	if (err == CV_OK) {
		strcpy(rec->device, RECORD_DUMMY_ID);
		rec->state = DEVICE_REVOKED;
		rec->trust_class = TRUST_SOFTWARE;
		memset(rec->policy, ' ', DUMMY_POLICY_BYTES);
		rec->policy_len = DUMMY_POLICY_BYTES;
		rec->volume_count = 1;
		rec->boot.key_count = 1;
		err = store_device_put(s, rec);
	}
	secret_free(rec);
	return err;
}

/* The reserve lies in the file as rows of filler, which a full disk makes free, piece by piece. */
static enum cv_err put_reserve(struct store *s, uint64_t pages)
{
	enum cv_err err = store_run(s, store_statement(s, ST_BEGIN), "begin");

	for (uint64_t done = 0; err == CV_OK && done < pages; done += STORE_GROW_PAGES) {
		sqlite3_stmt *st = store_statement(s, ST_RESERVE_PUT);

		if (st == NULL)
			return store_fail(s, "reserve");
		sqlite3_bind_int64(
			st, 1, (sqlite3_int64)STORE_GROW_PAGES * (STORE_PAGE_BYTES - 4));
		err = store_run(s, st, "reserve");
	}
	if (err == CV_OK)
		err = store_run(s, store_statement(s, ST_COMMIT), "reserve");
	return err;
}

static enum cv_err fill(struct store *s, uint64_t pages)
{
	char number[24];
	enum store_room room;
	enum cv_err err = store_exec(s, schema);

	if (err == CV_OK)
		err = put_reserve(s, pages);
	if (err == CV_OK)
		err = store_begin(s, &room);
	snprintf(number, sizeof(number), "%d", STORE_SCHEMA);
	if (err == CV_OK)
		err = put_meta(s, "schema", number);
	if (err == CV_OK)
		err = put_meta(s, "gateway", s->gateway);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)pages);
	if (err == CV_OK)
		err = put_meta(s, "reserve_pages", number);
	if (err == CV_OK)
		err = put_dummy(s);
	s->staged.devices = 0;
	if (err == CV_OK)
		err = store_commit(s, 0, 0);
	return err;
}

/* The file's holes become blocks, its bytes durable, and only then does it get its name. */
static enum cv_err finish(const char *temporary, const char *path)
{
	char dir[4096];
	struct stat st;
	char *slash;
	enum cv_err err = CV_ERR_IO;
	const int fd = open(temporary, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return file_error(errno);
	if (fstat(fd, &st) == 0 && fchmod(fd, 0600) == 0) {
		const int full = posix_fallocate(fd, 0, st.st_size);

		err = full != 0 ? file_error(full) : CV_OK;
	}
	if (err == CV_OK && fsync(fd) != 0)
		err = file_error(errno);
	close(fd);
	if (err == CV_OK && link(temporary, path) != 0)
		err = file_error(errno);
	if (err == CV_OK) {
		snprintf(dir, sizeof(dir), "%s", path);
		slash = strrchr(dir, '/');
		if (slash == NULL)
			strcpy(dir, ".");
		else
			*slash = '\0';
		err = file_sync_dir(dir);
	}
	return err;
}

enum cv_err store_create(const struct store_config *cfg, char why[STORE_WHY_BUF])
{
	const uint64_t bytes = (uint64_t)cfg->reserve_records * KEEPER_RESERVE_RECORD_BYTES;
	char temporary[4096];
	struct store *s = NULL;
	enum cv_err err;

	if (file_exists(cfg->path)) {
		snprintf(why, STORE_WHY_BUF, "%s is there already", cfg->path);
		return CV_ERR_EXISTS;
	}
	if (snprintf(temporary, sizeof(temporary), "%s.new", cfg->path) >= (int)sizeof(temporary))
		return CV_ERR_TOO_LONG;
	snprintf(why, STORE_WHY_BUF, "no memory");
	(void)unlink(temporary);
	err = store_alloc(&s, cfg);
	if (err != CV_OK)
		return err;
	err = store_handle_open(s, temporary, true);
	if (err == CV_OK) {
		strcpy(s->path, temporary);
		err = fill(s, bytes / STORE_PAGE_BYTES);
	}
	snprintf(why, STORE_WHY_BUF, "%s", s->why);
	store_handle_close(s);
	if (err == CV_OK) {
		err = finish(temporary, cfg->path);
		snprintf(why, STORE_WHY_BUF, "%s: %s", cfg->path, cv_err_text(err));
	}
	(void)unlink(temporary);
	store_release(s);
	return err;
}
