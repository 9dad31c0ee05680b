#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "notify/outbox.h"
#include "protocol/crypto.h"
#include "tests/unit/notify/sample.h"

#define NOW 1000000000000u
#define BACKOFF_MAX 60000u

static struct destination destinations[2];

static enum cv_err try_open(struct outbox **ob, uint32_t max, char why[DESTINATION_WHY_MAX])
{
	struct outbox_limits limits = {max, 3, 1000, BACKOFF_MAX};

	destinations[0] = sample_destination("ops", EVENT_INFO);
	destinations[1] = sample_destination("night", EVENT_CRITICAL);
	why[0] = 0;
	return outbox_open(ob, sample_path("outbox.db"), destinations, 2, &limits, why);
}

static struct outbox *open_outbox(uint32_t max)
{
	char why[DESTINATION_WHY_MAX];
	struct outbox *ob = NULL;

	assert_int_equal(try_open(&ob, max, why), CV_OK);
	return ob;
}

static void put(struct outbox *ob, const struct event_alert *alert)
{
	assert_int_equal(outbox_begin(ob), CV_OK);
	assert_int_equal(outbox_put(ob, alert, NOW), CV_OK);
	assert_int_equal(outbox_commit(ob), CV_OK);
}

static size_t due(struct outbox *ob, size_t destination, uint64_t now_ms,
	struct outbox_entry entries[4], uint64_t *next_ms)
{
	size_t n = 0;

	assert_int_equal(
		outbox_due(ob, destination, now_ms, NULL, 0, entries, 4, &n, next_ms), CV_OK);
	return n;
}

static void each_destination_gets_what_is_severe_enough(void **state)
{
	struct event_alert info = sample_alert(EVENT_AUTH_OK);
	struct event_alert critical = sample_alert(EVENT_REPLAY);
	struct outbox *ob = open_outbox(10);
	struct outbox_entry entries[4];
	struct event_alert read;
	uint64_t next = 0;

	(void)state;
	assert_true(outbox_wants(ob, EVENT_INFO));
	put(ob, &info);
	put(ob, &critical);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 2);
	assert_int_equal(due(ob, 1, NOW, entries, &next), 1);
	assert_int_equal(event_decode(&read, entries[0].json, entries[0].json_len), CV_OK);
	assert_memory_equal(read.id, critical.id, sizeof(read.id));
	assert_int_equal(next, UINT64_MAX);
	outbox_close(ob);
}

static void a_repeated_alert_changes_nothing(void **state)
{
	struct event_alert a = sample_alert(EVENT_REPLAY);
	struct outbox *ob = open_outbox(10);
	struct outbox_counts counts;

	(void)state;
	put(ob, &a);
	put(ob, &a);
	outbox_counts(ob, 0, &counts);
	assert_int_equal(counts.waiting, 1);
	outbox_close(ob);
}

static void delivered_is_forgotten_and_counted_over_restarts(void **state)
{
	struct event_alert a = sample_alert(EVENT_REPLAY);
	struct outbox *ob = open_outbox(10);
	struct outbox_entry entries[4];
	struct outbox_counts counts;
	uint64_t next = 0;

	(void)state;
	put(ob, &a);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 1);
	assert_int_equal(outbox_delivered(ob, 0, entries[0].seq), CV_OK);
	outbox_close(ob);
	ob = open_outbox(10);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 0);
	assert_int_equal(due(ob, 1, NOW, entries, &next), 1);
	outbox_counts(ob, 0, &counts);
	assert_int_equal(counts.delivered, 1);
	assert_int_equal(counts.waiting, 0);
	outbox_close(ob);
}

static void a_failure_waits_then_dies_as_a_dead_letter(void **state)
{
	struct event_alert a = sample_alert(EVENT_AUTH_OK);
	struct outbox *ob = open_outbox(10);
	struct outbox_entry entries[4];
	struct outbox_counts counts;
	uint64_t now = NOW, next = 0;
	bool buried = true;

	(void)state;
	put(ob, &a);
	for (uint32_t attempt = 0; attempt < 3; attempt++) {
		assert_int_equal(due(ob, 0, now, entries, &next), 1);
		assert_int_equal(entries[0].attempts, attempt);
		assert_int_equal(
			outbox_failed(ob, 0, entries[0].seq, now, 0, 0, &buried), CV_OK);
		assert_int_equal(buried, attempt == 2);
		assert_int_equal(due(ob, 0, now, entries, &next), 0);
		if (attempt < 2)
			assert_int_equal(next, 1000u << attempt);
		now += 1000u << attempt;
	}
	assert_int_equal(due(ob, 0, now + BACKOFF_MAX, entries, &next), 0);
	outbox_counts(ob, 0, &counts);
	assert_int_equal(counts.dead, 1);
	assert_int_equal(counts.buried, 1);
	assert_int_equal(counts.failed, 3);
	assert_int_equal(counts.waiting, 0);
	outbox_close(ob);
}

static void a_destination_may_ask_for_more_time_within_the_cap(void **state)
{
	struct event_alert a = sample_alert(EVENT_AUTH_OK);
	struct outbox *ob = open_outbox(10);
	struct outbox_entry entries[4];
	uint64_t next = 0;
	bool buried;

	(void)state;
	put(ob, &a);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 1);
	assert_int_equal(
		outbox_failed(ob, 0, entries[0].seq, NOW, 30000, 0, &buried), CV_OK);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 0);
	assert_int_equal(next, 30000);
	assert_int_equal(
		outbox_failed(ob, 0, entries[0].seq, NOW, 31536000000u, 0, &buried), CV_OK);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 0);
	assert_int_equal(next, BACKOFF_MAX);
	outbox_close(ob);
}

static void a_clock_set_back_by_years_does_not_hold_alerts(void **state)
{
	struct event_alert a = sample_alert(EVENT_AUTH_OK);
	struct outbox *ob = open_outbox(10);
	struct outbox_entry entries[4];
	uint64_t next = 0;

	(void)state;
	put(ob, &a);
	assert_int_equal(due(ob, 0, NOW / 20, entries, &next), 1);
	outbox_close(ob);
}

static void what_is_under_way_is_not_due(void **state)
{
	struct event_alert a = sample_alert(EVENT_AUTH_OK), b = sample_alert(EVENT_MOUNT_OK);
	struct outbox *ob = open_outbox(10);
	struct outbox_entry entries[4];
	int64_t first;
	uint64_t next = 0;
	size_t n = 0;

	(void)state;
	put(ob, &a);
	put(ob, &b);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 2);
	first = entries[0].seq;
	assert_int_equal(
		outbox_due(ob, 0, NOW, &first, 1, entries, 1, &n, &next), CV_OK);
	assert_int_equal(n, 1);
	assert_true(entries[0].seq > first);
	outbox_close(ob);
}

static void a_full_queue_drops_the_oldest_of_least_severity(void **state)
{
	struct event_alert critical = sample_alert(EVENT_REPLAY);
	struct event_alert old = sample_alert(EVENT_AUTH_OK);
	struct event_alert new = sample_alert(EVENT_MOUNT_OK);
	struct event_alert more[3] = {sample_alert(EVENT_REPLAY), sample_alert(EVENT_REPLAY),
		sample_alert(EVENT_AUTH_OK)};
	struct outbox *ob = open_outbox(3);
	struct outbox_entry entries[4];
	struct outbox_counts counts;
	struct event_alert read;
	uint64_t next = 0;

	(void)state;
	put(ob, &critical);
	put(ob, &old);
	put(ob, &new);
	put(ob, &more[0]);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 3);
	assert_int_equal(event_decode(&read, entries[1].json, entries[1].json_len), CV_OK);
	assert_memory_equal(read.id, new.id, sizeof(read.id));
	put(ob, &more[1]);
	put(ob, &more[2]); /* everything else matters more: this one goes */
	assert_int_equal(due(ob, 0, NOW, entries, &next), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(entries[i].severity, EVENT_CRITICAL);
	outbox_counts(ob, 0, &counts);
	assert_int_equal(counts.dropped, 3);
	assert_int_equal(counts.waiting, 3);
	outbox_close(ob);
}

static void a_rolled_back_batch_leaves_nothing(void **state)
{
	struct event_alert a = sample_alert(EVENT_REPLAY);
	struct outbox *ob = open_outbox(10);
	struct outbox_entry entries[4];
	struct outbox_counts counts;
	uint64_t next = 0;

	(void)state;
	assert_int_equal(outbox_begin(ob), CV_OK);
	assert_int_equal(outbox_put(ob, &a, NOW), CV_OK);
	outbox_abort(ob);
	outbox_abort(ob);
	outbox_counts(ob, 0, &counts);
	assert_int_equal(counts.waiting, 0);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 0);
	put(ob, &a);
	assert_int_equal(due(ob, 0, NOW, entries, &next), 1);
	outbox_close(ob);
}

static void a_second_process_is_told_that_it_is_in_use(void **state)
{
	struct outbox *ob = open_outbox(10), *other = NULL;
	char why[DESTINATION_WHY_MAX];

	(void)state;
	assert_int_equal(try_open(&other, 10, why), CV_ERR_BUSY);
	assert_non_null(strstr(why, "in use"));
	outbox_close(ob);
}

static void run_sql(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(sample_path("outbox.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void refuses_another_schema_and_foreign_files(void **state)
{
	char why[DESTINATION_WHY_MAX];
	struct outbox *ob = NULL;

	(void)state;
	outbox_close(open_outbox(10));
	run_sql("PRAGMA user_version = 2");
	assert_int_equal(try_open(&ob, 10, why), CV_ERR_VERSION);
	assert_non_null(strstr(why, "schema 2"));
	run_sql("PRAGMA user_version = 1; PRAGMA application_id = 5");
	assert_int_equal(try_open(&ob, 10, why), CV_ERR_FORMAT);
	sample_file("outbox.db", "this is a text file, and a rather short one", 0600);
	assert_int_equal(try_open(&ob, 10, why), CV_ERR_FORMAT);
}

static void the_file_is_private(void **state)
{
	struct stat st;

	(void)state;
	outbox_close(open_outbox(10));
	assert_int_equal(stat(sample_path("outbox.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void entries_of_removed_destinations_stay(void **state)
{
	struct event_alert a = sample_alert(EVENT_REPLAY);
	struct outbox_limits limits = {10, 3, 1000, BACKOFF_MAX};
	char why[DESTINATION_WHY_MAX];
	struct outbox *ob = open_outbox(10);

	(void)state;
	put(ob, &a);
	assert_int_equal(outbox_orphans(ob), 0);
	outbox_close(ob);
	assert_int_equal(
		outbox_open(&ob, sample_path("outbox.db"), destinations, 1, &limits, why), CV_OK);
	assert_int_equal(outbox_orphans(ob), 1);
	outbox_close(ob);
}

/*
 * A child puts alerts, one by one, tells each id through a pipe after outbox_put's commit, and
 * delivers some, until it is killed at a moment of chance. Whatever it told must be there.
 */
static void writes_until_killed(int fd)
{
	struct outbox *ob = open_outbox(100000);

	for (;;) {
		struct event_alert a = sample_alert(EVENT_AUTH_OK);

		put(ob, &a);
		if (write(fd, a.id, sizeof(a.id)) != sizeof(a.id))
			_exit(1);
	}
}

static size_t read_ids(int fd, uint8_t (*ids)[EVENT_ID_BYTES], size_t max, pid_t child)
{
	size_t n = 0, kill_after = 1 + (size_t)rand() % (max / 4);

	while (n < max && read(fd, ids[n], EVENT_ID_BYTES) == EVENT_ID_BYTES) {
		n++;
		if (n == kill_after)
			kill(child, SIGKILL);
	}
	return n;
}

static bool holds(struct outbox_entry *entries, size_t count, const uint8_t *id)
{
	char text[EVENT_ID_TEXT];

	event_id_text(text, id);
	for (size_t i = 0; i < count; i++) {
		if (strstr(entries[i].json, text))
			return true;
	}
	return false;
}

static void nothing_is_lost_across_kill_9(void **state)
{
	enum { MAX = 400 };
	static uint8_t ids[MAX][EVENT_ID_BYTES];
	struct outbox_entry *entries = calloc(4 * MAX, sizeof(*entries));
	size_t total = 0;

	(void)state;
	assert_non_null(entries);
	for (int round = 0; round < 8; round++) {
		struct outbox *ob;
		size_t told, held = 0;
		uint64_t next;
		int pipes[2];
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			writes_until_killed(pipes[1]);
		close(pipes[1]);
		told = read_ids(pipes[0], ids, MAX, child);
		close(pipes[0]);
		assert_int_equal(waitpid(child, NULL, 0), child);
		ob = open_outbox(100000);
		assert_int_equal(outbox_due(ob, 0, NOW, NULL, 0, entries, 4 * MAX, &held, &next),
			CV_OK);
		assert_true(told > 0 && held >= told && held <= told + 1);
		for (size_t i = 0; i < told; i++)
			assert_true(holds(entries, held, ids[i]));
		for (size_t i = 0; i < held; i++)
			assert_int_equal(outbox_delivered(ob, 0, entries[i].seq), CV_OK);
		total += held;
		outbox_close(ob);
	}
	assert_true(total >= 8);
	free(entries);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_setup, sample_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_destination_gets_what_is_severe_enough),
		TEST(a_repeated_alert_changes_nothing),
		TEST(delivered_is_forgotten_and_counted_over_restarts),
		TEST(a_failure_waits_then_dies_as_a_dead_letter),
		TEST(a_destination_may_ask_for_more_time_within_the_cap),
		TEST(a_clock_set_back_by_years_does_not_hold_alerts),
		TEST(what_is_under_way_is_not_due),
		TEST(a_full_queue_drops_the_oldest_of_least_severity),
		TEST(a_rolled_back_batch_leaves_nothing),
		TEST(a_second_process_is_told_that_it_is_in_use),
		TEST(refuses_another_schema_and_foreign_files),
		TEST(the_file_is_private),
		TEST(entries_of_removed_destinations_stay),
		TEST(nothing_is_lost_across_kill_9),
	};

	if (crypto_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
