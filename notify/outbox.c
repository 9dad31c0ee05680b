#include "notify/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notify/backoff.h"
#include "notify/outbox_db.h"

/*
 * What is not durable may be undone by a power cut; the file is then an earlier state of itself.
 * SQLite obeys this pragma while compiling it, so it cannot be a prepared statement.
 */
static enum cv_err begin(struct outbox *ob, bool durable)
{
	const char *sync = durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
	enum cv_err err = outbox_db_error(sqlite3_exec(ob->db, sync, NULL, NULL, NULL));

	if (!err)
		err = outbox_db_run(ob, SQL_BEGIN, "");
	for (size_t i = 0; i < ob->queue_count; i++)
		ob->queues[i].before = ob->queues[i].counts;
	return err;
}

static void roll_back(struct outbox *ob)
{
	/* SQLite has rolled back by itself after some errors; then there is nothing to undo. */
	if (sqlite3_get_autocommit(ob->db) == 0)
		sqlite3_exec(ob->db, "ROLLBACK", NULL, NULL, NULL);
	for (size_t i = 0; i < ob->queue_count; i++)
		ob->queues[i].counts = ob->queues[i].before;
}

static enum cv_err save_counters(struct outbox *ob, const struct outbox_queue *q)
{
	return outbox_db_run(ob, SQL_COUNTERS, "tiiii", q->name, (int64_t)q->counts.delivered,
		(int64_t)q->counts.failed, (int64_t)q->counts.dropped, (int64_t)q->counts.buried);
}

static enum cv_err commit(struct outbox *ob)
{
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < ob->queue_count && !err; i++) {
		struct outbox_queue *q = &ob->queues[i];

		if (memcmp(&q->before, &q->counts, sizeof(q->counts)) != 0)
			err = save_counters(ob, q);
	}
	if (!err)
		err = outbox_db_run(ob, SQL_COMMIT, "");
	if (err)
		roll_back(ob);
	return err;
}

enum cv_err outbox_open(struct outbox **out, const char *path,
	const struct destination *destinations, size_t count, const struct outbox_limits *limits,
	char why[DESTINATION_WHY_MAX])
{
	struct outbox *ob = calloc(1, sizeof(*ob));
	enum cv_err err = CV_ERR_INTERNAL;

	if (!ob)
		return CV_ERR_MEMORY;
	if (count > DESTINATIONS_MAX || !limits->max || !limits->attempts_max ||
		!limits->backoff_ms || !limits->backoff_max_ms) {
		err = CV_ERR_ARGUMENT;
		snprintf(why, DESTINATION_WHY_MAX, "limits are out of bounds");
		goto out;
	}
	ob->limits = *limits;
	err = outbox_db_open(ob, path, why);
	for (size_t i = 0; i < count && !err; i++) {
		struct outbox_queue *q = &ob->queues[i];

		memcpy(q->name, destinations[i].name, sizeof(q->name));
		q->least = destinations[i].least;
		err = outbox_db_count(ob, q);
		if (err)
			snprintf(why, DESTINATION_WHY_MAX, "%s", sqlite3_errmsg(ob->db));
	}
	ob->queue_count = count;
	if (!err)
		*out = ob;
out:
	if (err)
		outbox_close(ob);
	return err;
}

void outbox_close(struct outbox *ob)
{
	if (!ob)
		return;
	outbox_db_close(ob);
	free(ob);
}

uint64_t outbox_orphans(struct outbox *ob)
{
	sqlite3_stmt *stmt = NULL;
	uint64_t total = 0, ours = 0;

	if (sqlite3_prepare_v2(ob->db, "SELECT count(*) FROM delivery", -1, &stmt, NULL) ==
			SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		total = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	for (size_t i = 0; i < ob->queue_count; i++)
		ours += ob->queues[i].counts.waiting + ob->queues[i].counts.dead;
	return total > ours ? total - ours : 0;
}

bool outbox_wants(const struct outbox *ob, enum event_severity severity)
{
	for (size_t i = 0; i < ob->queue_count; i++) {
		if (severity >= ob->queues[i].least)
			return true;
	}
	return false;
}

enum cv_err outbox_begin(struct outbox *ob)
{
	return begin(ob, true);
}

enum cv_err outbox_commit(struct outbox *ob)
{
	return commit(ob);
}

void outbox_abort(struct outbox *ob)
{
	if (sqlite3_get_autocommit(ob->db) == 0)
		roll_back(ob);
}

static enum cv_err remove_entry(struct outbox *ob, struct outbox_queue *q, int64_t seq, bool dead)
{
	enum cv_err err = outbox_db_run(ob, SQL_DROP, "ti", q->name, seq);

	if (err)
		return err;
	if (sqlite3_changes(ob->db) == 1) {
		if (dead)
			q->counts.dead--;
		else
			q->counts.waiting--;
	}
	return outbox_db_run(ob, SQL_FORGET, "i", seq);
}

/*
 * Makes room for one entry of `severity`. *room is false when everything in the queue matters
 * more: the new one is then the one that is dropped.
 */
static enum cv_err make_room(
	struct outbox *ob, struct outbox_queue *q, enum event_severity severity, bool *room)
{
	int64_t seq;
	bool dead;
	int rc, worst;

	*room = true;
	if (q->counts.waiting + q->counts.dead < ob->limits.max)
		return CV_OK;
	rc = outbox_db_step(ob, SQL_WORST, "t", q->name);
	if (rc != SQLITE_ROW) {
		sqlite3_reset(ob->sql[SQL_WORST]);
		return outbox_db_error(rc);
	}
	seq = sqlite3_column_int64(ob->sql[SQL_WORST], 0);
	dead = sqlite3_column_int(ob->sql[SQL_WORST], 1) != 0;
	worst = sqlite3_column_int(ob->sql[SQL_WORST], 2);
	sqlite3_reset(ob->sql[SQL_WORST]);
	q->counts.dropped++;
	if (!dead && worst > (int)severity) {
		*room = false;
		return CV_OK;
	}
	return remove_entry(ob, q, seq, dead);
}

static enum cv_err put_everywhere(
	struct outbox *ob, int64_t seq, enum event_severity severity, uint64_t now_ms)
{
	for (size_t i = 0; i < ob->queue_count; i++) {
		struct outbox_queue *q = &ob->queues[i];
		enum cv_err err;
		bool room;

		if (severity < q->least)
			continue;
		err = make_room(ob, q, severity, &room);
		if (!err && room) {
			err = outbox_db_run(ob, SQL_ADD_DELIVERY, "tiii", q->name, seq,
				(int64_t)severity, (int64_t)now_ms);
			q->counts.waiting += !err;
		}
		if (err)
			return err;
	}
	return outbox_db_run(ob, SQL_FORGET, "i", seq);
}

enum cv_err outbox_put(struct outbox *ob, const struct event_alert *alert, uint64_t now_ms)
{
	char json[EVENT_JSON_MAX + 1], id[EVENT_ID_TEXT];
	enum cv_err err = CV_ERR_INTERNAL;
	size_t len = 0;

	event_id_text(id, alert->id);
	err = event_encode(json, &len, alert);
	if (!err)
		err = outbox_db_run(ob, SQL_ADD_ALERT, "tt", id, json);
	if (!err && sqlite3_changes(ob->db) == 1)
		err = put_everywhere(
			ob, sqlite3_last_insert_rowid(ob->db), alert->severity, now_ms);
	if (err)
		roll_back(ob);
	return err;
}

static bool listed(const int64_t *list, size_t count, int64_t seq)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == seq)
			return true;
	}
	return false;
}

static enum cv_err read_entry(struct outbox_entry *entry, sqlite3_stmt *row)
{
	int len = sqlite3_column_bytes(row, 3);

	if (len <= 0 || len > EVENT_JSON_MAX)
		return CV_ERR_FORMAT;
	entry->seq = sqlite3_column_int64(row, 0);
	entry->attempts = (uint32_t)sqlite3_column_int64(row, 1);
	entry->severity = (enum event_severity)sqlite3_column_int(row, 2);
	memcpy(entry->json, sqlite3_column_text(row, 3), (size_t)len + 1);
	entry->json_len = (size_t)len;
	return CV_OK;
}

static enum cv_err next_due(
	struct outbox *ob, const struct outbox_queue *q, uint64_t now_ms, uint64_t *next_ms)
{
	int rc = outbox_db_step(ob, SQL_NEXT, "ti", q->name, (int64_t)now_ms);

	*next_ms = UINT64_MAX;
	if (rc == SQLITE_ROW)
		*next_ms = (uint64_t)sqlite3_column_int64(ob->sql[SQL_NEXT], 0) - now_ms;
	sqlite3_reset(ob->sql[SQL_NEXT]);
	return outbox_db_error(rc);
}

enum cv_err outbox_due(struct outbox *ob, size_t destination, uint64_t now_ms,
	const int64_t *skip, size_t skip_count, struct outbox_entry *entries, size_t max,
	size_t *count, uint64_t *next_ms)
{
	const struct outbox_queue *q = &ob->queues[destination];
	enum cv_err err = outbox_db_run(ob, SQL_UNLEAP, "tii", q->name,
		(int64_t)(now_ms + ob->limits.backoff_max_ms), (int64_t)now_ms);
	sqlite3_stmt *stmt = ob->sql[SQL_DUE];
	size_t n = 0;
	int rc;

	if (err)
		return err;
	rc = outbox_db_step(ob, SQL_DUE, "tii", q->name, (int64_t)now_ms,
		(int64_t)(max + skip_count));
	while (rc == SQLITE_ROW && n < max && !err) {
		if (!listed(skip, skip_count, sqlite3_column_int64(stmt, 0)))
			err = read_entry(&entries[n++], stmt);
		rc = sqlite3_step(stmt);
	}
	sqlite3_reset(stmt);
	if (!err)
		err = outbox_db_error(rc);
	if (!err)
		err = next_due(ob, q, now_ms, next_ms);
	if (!err)
		*count = n;
	return err;
}

enum cv_err outbox_delivered(struct outbox *ob, size_t destination, int64_t seq)
{
	struct outbox_queue *q = &ob->queues[destination];
	enum cv_err err = begin(ob, false);

	if (err)
		return err;
	q->counts.delivered++;
	err = remove_entry(ob, q, seq, false);
	if (err) {
		roll_back(ob);
		return err;
	}
	return commit(ob);
}

static enum cv_err retry_later(struct outbox *ob, struct outbox_queue *q, int64_t seq,
	uint64_t now_ms, uint64_t at_least_ms, uint32_t random, bool *buried)
{
	int rc = outbox_db_step(ob, SQL_STATE, "ti", q->name, seq);
	uint32_t attempts = 1;
	uint64_t wait_ms;

	if (rc == SQLITE_ROW)
		attempts += (uint32_t)sqlite3_column_int64(ob->sql[SQL_STATE], 0);
	sqlite3_reset(ob->sql[SQL_STATE]);
	*buried = false;
	q->counts.failed++;
	if (rc != SQLITE_ROW) /* dropped meanwhile from a full queue */
		return outbox_db_error(rc);
	wait_ms = backoff_ms(attempts, ob->limits.backoff_ms, ob->limits.backoff_max_ms, random);
	if (wait_ms < at_least_ms)
		wait_ms = at_least_ms;
	if (wait_ms > ob->limits.backoff_max_ms)
		wait_ms = ob->limits.backoff_max_ms;
	*buried = attempts >= ob->limits.attempts_max;
	if (*buried) {
		q->counts.buried++;
		q->counts.waiting--;
		q->counts.dead++;
	}
	return outbox_db_run(ob, SQL_RETRY, "tiiii", q->name, seq, (int64_t)attempts,
		(int64_t)(now_ms + wait_ms), (int64_t)*buried);
}

enum cv_err outbox_failed(struct outbox *ob, size_t destination, int64_t seq, uint64_t now_ms,
	uint64_t at_least_ms, uint32_t random, bool *buried)
{
	enum cv_err err = begin(ob, false);

	if (err)
		return err;
	err = retry_later(
		ob, &ob->queues[destination], seq, now_ms, at_least_ms, random, buried);
	if (err) {
		roll_back(ob);
		return err;
	}
	return commit(ob);
}

void outbox_counts(const struct outbox *ob, size_t destination, struct outbox_counts *out)
{
	*out = ob->queues[destination].counts;
}
