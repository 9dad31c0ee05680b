#include "notify/outbox_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"

#define APPLICATION_ID 0x436f6e41 /* "ConA" */

static const char schema[] =
	"CREATE TABLE alert (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
	" json TEXT NOT NULL) STRICT;"
	"CREATE TABLE delivery (destination TEXT NOT NULL, seq INTEGER NOT NULL,"
	" severity INTEGER NOT NULL, due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
	" dead INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (destination, seq)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX delivery_due ON delivery (destination, dead, due_ms, seq);"
	"CREATE INDEX delivery_worst ON delivery (destination, dead DESC, severity, seq);"
	"CREATE INDEX delivery_alert ON delivery (seq);"
	"CREATE TABLE counter (destination TEXT PRIMARY KEY, delivered INTEGER NOT NULL,"
	" failed INTEGER NOT NULL, dropped INTEGER NOT NULL, buried INTEGER NOT NULL) STRICT;"
	"PRAGMA application_id = 1131376193;"
	"PRAGMA user_version = 1;";

_Static_assert(APPLICATION_ID == 1131376193 && OUTBOX_SCHEMA == 1, "as the schema says");

static const char *const texts[SQL_COUNT_] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ADD_ALERT] = "INSERT OR IGNORE INTO alert (id, json) VALUES (?1, ?2)",
	[SQL_ADD_DELIVERY] = "INSERT INTO delivery (destination, seq, severity, due_ms)"
			     " VALUES (?1, ?2, ?3, ?4)",
	[SQL_WORST] = "SELECT seq, dead, severity FROM delivery WHERE destination = ?1"
		      " ORDER BY dead DESC, severity, seq LIMIT 1",
	[SQL_DROP] = "DELETE FROM delivery WHERE destination = ?1 AND seq = ?2",
	[SQL_FORGET] = "DELETE FROM alert WHERE seq = ?1"
		       " AND NOT EXISTS (SELECT 1 FROM delivery WHERE seq = ?1)",
	[SQL_UNLEAP] = "UPDATE delivery SET due_ms = ?3"
		       " WHERE destination = ?1 AND dead = 0 AND due_ms > ?2",
	[SQL_DUE] = "SELECT d.seq, d.attempts, d.severity, a.json FROM delivery AS d"
		    " JOIN alert AS a ON a.seq = d.seq"
		    " WHERE d.destination = ?1 AND d.dead = 0 AND d.due_ms <= ?2"
		    " ORDER BY d.due_ms, d.seq LIMIT ?3",
	[SQL_NEXT] = "SELECT due_ms FROM delivery WHERE destination = ?1 AND dead = 0"
		     " AND due_ms > ?2 ORDER BY due_ms LIMIT 1",
	[SQL_STATE] = "SELECT attempts, dead FROM delivery WHERE destination = ?1 AND seq = ?2",
	[SQL_RETRY] = "UPDATE delivery SET attempts = ?3, due_ms = ?4, dead = ?5"
		      " WHERE destination = ?1 AND seq = ?2",
	[SQL_COUNTERS] = "INSERT OR REPLACE INTO counter"
			 " (destination, delivered, failed, dropped, buried)"
			 " VALUES (?1, ?2, ?3, ?4, ?5)",
};

enum cv_err outbox_db_error(int sqlite_code)
{
	switch (sqlite_code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return CV_OK;
	case SQLITE_FULL:
		return CV_ERR_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return CV_ERR_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
		return CV_ERR_FORMAT;
	case SQLITE_NOMEM:
		return CV_ERR_MEMORY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return CV_ERR_PERMISSION;
	case SQLITE_READONLY:
		return CV_ERR_READ_ONLY;
	default:
		return CV_ERR_IO;
	}
}

static int bind_and_step(sqlite3_stmt *stmt, const char *form, va_list args)
{
	int rc = SQLITE_OK;

	sqlite3_reset(stmt);
	for (int i = 0; form[i] && rc == SQLITE_OK; i++) {
		if (form[i] == 'i')
			rc = sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
		else
			rc = sqlite3_bind_text(
				stmt, i + 1, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
	}
	return rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
}

int outbox_db_step(struct outbox *ob, enum outbox_sql which, const char *form, ...)
{
	va_list args;
	int rc;

	va_start(args, form);
	rc = bind_and_step(ob->sql[which], form, args);
	va_end(args);
	return rc;
}

enum cv_err outbox_db_run(struct outbox *ob, enum outbox_sql which, const char *form, ...)
{
	va_list args;
	int rc;

	va_start(args, form);
	rc = bind_and_step(ob->sql[which], form, args);
	va_end(args);
	sqlite3_reset(ob->sql[which]);
	return outbox_db_error(rc);
}

/* The first column of the first row of a one-off query, or -1. */
static int64_t number_of(sqlite3 *db, const char *sql, int *rc)
{
	sqlite3_stmt *stmt = NULL;
	int64_t n = -1;

	*rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (*rc == SQLITE_OK)
		*rc = sqlite3_step(stmt);
	if (*rc == SQLITE_ROW)
		n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static void explain(char why[DESTINATION_WHY_MAX], sqlite3 *db, int rc)
{
	if ((rc & 0xff) == SQLITE_BUSY)
		snprintf(why, DESTINATION_WHY_MAX, "is in use by another process");
	else
		snprintf(why, DESTINATION_WHY_MAX, "cannot be used: %s", sqlite3_errmsg(db));
}

/* Is this ours, of this schema, and whole? An empty file is made into an outbox. */
static enum cv_err check_schema(sqlite3 *db, char why[DESTINATION_WHY_MAX])
{
	int rc = SQLITE_OK;
	int64_t tables = number_of(db, "SELECT count(*) FROM sqlite_master", &rc);
	int64_t application, version;

	if (tables < 0) {
		explain(why, db, rc);
		return outbox_db_error(rc) ? outbox_db_error(rc) : CV_ERR_IO;
	}
	if (tables == 0) {
		char *script = sqlite3_mprintf("BEGIN EXCLUSIVE;%s COMMIT;", schema);

		rc = script ? sqlite3_exec(db, script, NULL, NULL, NULL) : SQLITE_NOMEM;
		sqlite3_free(script);
		if (rc != SQLITE_OK)
			explain(why, db, rc);
		return outbox_db_error(rc);
	}
	application = number_of(db, "PRAGMA application_id", &rc);
	version = number_of(db, "PRAGMA user_version", &rc);
	if (application != APPLICATION_ID) {
		snprintf(why, DESTINATION_WHY_MAX, "is not an outbox of alerts");
		return CV_ERR_FORMAT;
	}
	if (version != OUTBOX_SCHEMA) {
		snprintf(why, DESTINATION_WHY_MAX,
			"has schema %lld and this version knows %d: use the version that wrote it, or"
			" move the file away and lose the alerts in it",
			(long long)version, OUTBOX_SCHEMA);
		return CV_ERR_VERSION;
	}
	return CV_OK;
}

/* SQLite would make it with the umask's mode; the write-ahead log inherits what is there. */
static enum cv_err make_private(const char *path, char why[DESTINATION_WHY_MAX])
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || fchmod(fd, 0600) != 0) {
		int saved = errno;

		snprintf(why, DESTINATION_WHY_MAX, "cannot be opened: %s", strerror(saved));
		if (fd >= 0)
			close(fd);
		return file_error(saved);
	}
	close(fd);
	return CV_OK;
}

static const char settings[] = "PRAGMA trusted_schema = OFF;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA locking_mode = EXCLUSIVE;";

/* Exclusive locking is taken at the first write: a transaction that changes nothing takes it. */
static const char durability[] = "PRAGMA journal_mode = WAL;"
				 "PRAGMA journal_size_limit = 4194304;"
				 "PRAGMA synchronous = NORMAL;"
				 "BEGIN EXCLUSIVE; COMMIT;";

enum cv_err outbox_db_open(struct outbox *ob, const char *path, char why[DESTINATION_WHY_MAX])
{
	enum cv_err err = make_private(path, why);
	int rc;

	if (err)
		return err;
	rc = sqlite3_open_v2(path, &ob->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(ob->db, settings, NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		err = check_schema(ob->db, why);
		if (err)
			return err;
		rc = sqlite3_exec(ob->db, durability, NULL, NULL, NULL);
	}
	for (int i = 0; i < SQL_COUNT_ && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(
			ob->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &ob->sql[i], NULL);
	if (rc != SQLITE_OK)
		explain(why, ob->db, rc);
	return outbox_db_error(rc);
}

void outbox_db_close(struct outbox *ob)
{
	for (int i = 0; i < SQL_COUNT_; i++)
		sqlite3_finalize(ob->sql[i]);
	sqlite3_close(ob->db);
}

enum cv_err outbox_db_count(struct outbox *ob, struct outbox_queue *queue)
{
	static const char sql[] =
		"SELECT (SELECT count(*) FROM delivery WHERE destination = ?1 AND dead = 0),"
		" (SELECT count(*) FROM delivery WHERE destination = ?1 AND dead = 1),"
		" c.delivered, c.failed, c.dropped, c.buried"
		" FROM (SELECT 1) LEFT JOIN counter AS c ON c.destination = ?1";
	struct outbox_counts *n = &queue->counts;
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(ob->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, queue->name, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		n->waiting = (uint64_t)sqlite3_column_int64(stmt, 0);
		n->dead = (uint64_t)sqlite3_column_int64(stmt, 1);
		n->delivered = (uint64_t)sqlite3_column_int64(stmt, 2);
		n->failed = (uint64_t)sqlite3_column_int64(stmt, 3);
		n->dropped = (uint64_t)sqlite3_column_int64(stmt, 4);
		n->buried = (uint64_t)sqlite3_column_int64(stmt, 5);
	}
	sqlite3_finalize(stmt);
	return outbox_db_error(rc);
}
