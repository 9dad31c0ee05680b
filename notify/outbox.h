/*
 * The durable outbox: one SQLite file, at-least-once delivery to every destination.
 *
 * An alert is in it once outbox_put returned CV_OK, whatever dies afterwards (WAL, synchronous
 * FULL). What a delivery did (success, failure) is written without an fsync: losing it to a power
 * cut only repeats a delivery, and the receiver knows a repeated webhook-id.
 *
 * Each destination has its own queue of at most `max` entries. A full queue drops its oldest entry
 * of the lowest severity, dead letters first, and counts it. An alert that failed `attempts_max`
 * times becomes a dead letter: kept to be looked at, never sent again.
 *
 * The wall clock may jump by years: an entry is due when its time has come *or* lies further ahead
 * than any backoff could have put it.
 *
 * Threads  one thread per struct. One process per file: the file is locked.
 * Errors   CV_ERR_IO, CV_ERR_FULL (disk), CV_ERR_VERSION (another schema), CV_ERR_BUSY (another
 *          process has it), CV_ERR_FORMAT (not an outbox, or damaged).
 */
#ifndef CONCLAVE_NOTIFY_OUTBOX_H
#define CONCLAVE_NOTIFY_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/destination.h"
#include "notify/event.h"

#define OUTBOX_SCHEMA 1

struct outbox;

struct outbox_limits {
	uint32_t max;		/* entries per destination */
	uint32_t attempts_max;	/* then dead letter */
	uint32_t backoff_ms;	/* first retry */
	uint32_t backoff_max_ms;
};

struct outbox_entry {
	int64_t seq;
	uint32_t attempts;
	enum event_severity severity;
	char json[EVENT_JSON_MAX + 1];
	size_t json_len;
};

/* Durable over restarts, except waiting and dead, which are what the file holds now. */
struct outbox_counts {
	uint64_t delivered;
	uint64_t failed;  /* attempts */
	uint64_t dropped; /* the queue was full */
	uint64_t buried;  /* became dead letters */
	uint64_t waiting;
	uint64_t dead;
};

/*
 * Opens or makes the file (mode 0600). The destinations' names are the queues; `why` gets a line
 * for the log on failure. Entries of other names stay in the file, see outbox_orphans.
 */
CV_MUST_CHECK enum cv_err outbox_open(struct outbox **out, const char *path,
	const struct destination *destinations, size_t count, const struct outbox_limits *limits,
	char why[DESTINATION_WHY_MAX]);
/* NULL is allowed. */
void outbox_close(struct outbox *ob);
/* Entries for destinations that are not configured any more. */
uint64_t outbox_orphans(struct outbox *ob);

/* Whether any destination takes alerts of this severity: if none does, nothing need be written. */
bool outbox_wants(const struct outbox *ob, enum event_severity severity);

/*
 * One transaction over several alerts: begin, put each, commit. After a failed put or commit
 * nothing of the batch is in the outbox, and the batch is over. A second alert of the same id is
 * CV_OK and changes nothing. An alert below a destination's least severity is not for it.
 */
CV_MUST_CHECK enum cv_err outbox_begin(struct outbox *ob);
CV_MUST_CHECK enum cv_err outbox_put(
	struct outbox *ob, const struct event_alert *alert, uint64_t now_ms);
CV_MUST_CHECK enum cv_err outbox_commit(struct outbox *ob);
/* Ends a batch without it; allowed after a failed put or commit, too. */
void outbox_abort(struct outbox *ob);

/*
 * The entries of one destination that are due, oldest first: at most `max`, skipping the
 * `skip_count` sequence numbers in `skip` (under way already). *next_ms is the time until the next
 * one that is not due yet, UINT64_MAX when there is none.
 */
CV_MUST_CHECK enum cv_err outbox_due(struct outbox *ob, size_t destination, uint64_t now_ms,
	const int64_t *skip, size_t skip_count, struct outbox_entry *entries, size_t max,
	size_t *count, uint64_t *next_ms);

CV_MUST_CHECK enum cv_err outbox_delivered(struct outbox *ob, size_t destination, int64_t seq);
/*
 * One more failed attempt: the entry is due again at now_ms plus the larger of its backoff and
 * at_least_ms. *buried says whether it became a dead letter.
 */
CV_MUST_CHECK enum cv_err outbox_failed(struct outbox *ob, size_t destination, int64_t seq,
	uint64_t now_ms, uint64_t at_least_ms, uint32_t random, bool *buried);

void outbox_counts(const struct outbox *ob, size_t destination, struct outbox_counts *out);

#endif
