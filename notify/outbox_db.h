/*
 * Inside the outbox: the SQLite file, its schema and its prepared statements. Only outbox.c and
 * outbox_db.c include this.
 */
#ifndef CONCLAVE_NOTIFY_OUTBOX_DB_H
#define CONCLAVE_NOTIFY_OUTBOX_DB_H

#include <sqlite3.h>

#include "notify/outbox.h"

enum outbox_sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ADD_ALERT,	  /* id, json */
	SQL_ADD_DELIVERY, /* destination, seq, severity, due_ms */
	SQL_WORST,	  /* destination; gives seq, dead, severity of what a full queue drops */
	SQL_DROP,	  /* destination, seq */
	SQL_FORGET,	  /* seq: the alert, when no destination needs it any more */
	SQL_UNLEAP,	  /* destination, latest believable due_ms, now_ms */
	SQL_DUE,	  /* destination, now_ms, limit; gives seq, attempts, severity, json */
	SQL_NEXT,	  /* destination, now_ms; gives the earliest due_ms after it */
	SQL_STATE,	  /* destination, seq; gives attempts, dead */
	SQL_RETRY,	  /* destination, seq, attempts, due_ms, dead */
	SQL_COUNTERS,	  /* destination, delivered, failed, dropped, buried */
	SQL_COUNT_
};

struct outbox_queue {
	char name[CV_ID_BUF];
	enum event_severity least;
	struct outbox_counts counts;
	struct outbox_counts before; /* of the batch under way */
};

struct outbox {
	sqlite3 *db;
	sqlite3_stmt *sql[SQL_COUNT_];
	struct outbox_limits limits;
	struct outbox_queue queues[DESTINATIONS_MAX];
	size_t queue_count;
};

/* Opens, checks or makes the schema, prepares. On failure ob->db may be set: outbox_db_close. */
CV_MUST_CHECK enum cv_err outbox_db_open(
	struct outbox *ob, const char *path, char why[DESTINATION_WHY_MAX]);
void outbox_db_close(struct outbox *ob);
/* Reads what the file says about one queue. */
CV_MUST_CHECK enum cv_err outbox_db_count(struct outbox *ob, struct outbox_queue *queue);

enum cv_err outbox_db_error(int sqlite_code);

/*
 * Reset, bind integers and texts by `form` ('i' int64_t, 't' const char *), step. Leaves a row to
 * read after SQLITE_ROW; the caller then resets (sqlite3_reset). Returns the SQLite code.
 */
int outbox_db_step(struct outbox *ob, enum outbox_sql which, const char *form, ...);
/* The same for statements without rows, or whose row is of no interest. */
CV_MUST_CHECK enum cv_err outbox_db_run(
	struct outbox *ob, enum outbox_sql which, const char *form, ...);

#endif
