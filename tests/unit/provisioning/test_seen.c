#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/file.h"
#include "provisioning/seen.h"
#include "provisioning/staging.h"
#include "tests/unit/support/temp_dir.h"

static void open_fleet(struct fleet *fleet, void **state)
{
	memset(fleet, 0, sizeof(*fleet));
	fleet->lock_fd = -1;
	snprintf(fleet->dir, sizeof(fleet->dir), "%s", (const char *)*state);
}

static struct seen state_of(uint64_t revision, uint64_t seq, uint8_t head)
{
	struct seen s = {.revision = revision, .seq = seq, .time_s = 1};

	memset(s.head, head, sizeof(s.head));
	return s;
}

static void remembers_the_newest_state_of_each_gateway(void **state)
{
	struct fleet fleet;
	struct seen a = state_of(5, 3, 1), b = state_of(1, 1, 2), later = state_of(6, 4, 3), got;

	open_fleet(&fleet, state);
	assert_int_equal(seen_get(&got, &fleet, "g1"), CV_ERR_NOT_FOUND);
	assert_int_equal(seen_check(&fleet, "g1", &a), CV_OK);
	assert_int_equal(seen_check(&fleet, "g2", &b), CV_OK);
	assert_int_equal(seen_check(&fleet, "g1", &later), CV_OK);
	assert_int_equal(seen_get(&got, &fleet, "g1"), CV_OK);
	assert_memory_equal(&got, &later, sizeof(got));
	assert_int_equal(seen_get(&got, &fleet, "g2"), CV_OK);
	assert_memory_equal(&got, &b, sizeof(got));
}

static void refuses_an_older_store_and_keeps_what_it_knows(void **state)
{
	struct fleet fleet;
	struct seen newest = state_of(5, 3, 1), revision = state_of(4, 3, 1), seq = state_of(9, 2, 1),
		    got;

	open_fleet(&fleet, state);
	assert_int_equal(seen_check(&fleet, "g1", &newest), CV_OK);
	assert_int_equal(seen_check(&fleet, "g1", &revision), CV_ERR_TOO_OLD);
	assert_int_equal(seen_check(&fleet, "g1", &seq), CV_ERR_TOO_OLD);
	assert_int_equal(seen_get(&got, &fleet, "g1"), CV_OK);
	assert_memory_equal(&got, &newest, sizeof(got));
}

static void refuses_another_head_for_the_same_number_of_records(void **state)
{
	struct fleet fleet;
	struct seen first = state_of(5, 3, 1), fork = state_of(6, 3, 2);

	open_fleet(&fleet, state);
	assert_int_equal(seen_check(&fleet, "g1", &first), CV_OK);
	assert_int_equal(seen_check(&fleet, "g1", &fork), CV_ERR_TAMPERED);
}

static void a_damaged_file_is_no_empty_memory(void **state)
{
	struct fleet fleet;
	struct seen now = state_of(1, 1, 1);

	open_fleet(&fleet, state);
	assert_int_equal(file_write_atomic(temp_path(state, "seen.json"), "{", 1, 0600), CV_OK);
	assert_int_not_equal(seen_check(&fleet, "g1", &now), CV_OK);
}

static void a_staged_directory_appears_at_once(void **state)
{
	const char *place = temp_path(state, "place");
	struct staging s = {.dir = ""};
	char path[FILE_PATH_BUF];

	assert_int_equal(staging_begin(&s, place), CV_OK);
	assert_int_equal(staging_make_dir(&s, "sub"), CV_OK);
	assert_int_equal(staging_path(&s, path, "sub/file"), CV_OK);
	assert_int_equal(file_write_new(path, "x", 1, 0600), CV_OK);
	assert_false(file_exists(place));
	assert_int_equal(staging_commit(&s), CV_OK);
	assert_true(file_exists(temp_path(state, "place/sub/file")));
	staging_abort(&s);
	assert_true(file_exists(place));
	assert_int_equal(staging_begin(&s, place), CV_ERR_EXISTS);
}

static void an_abandoned_staging_is_swept_up(void **state)
{
	const char *place = temp_path(state, "place");
	struct staging s = {.dir = ""}, next = {.dir = ""};
	char path[FILE_PATH_BUF];

	assert_int_equal(staging_begin(&s, place), CV_OK);
	assert_int_equal(staging_path(&s, path, "file"), CV_OK);
	assert_int_equal(file_write_new(path, "x", 1, 0600), CV_OK);
	assert_int_equal(staging_begin(&next, place), CV_OK);
	assert_false(file_exists(path));
	staging_abort(&next);
	assert_false(file_exists(next.dir[0] != '\0' ? next.dir : s.dir));
	assert_false(file_exists(place));
}

static void removing_a_tree_follows_no_link(void **state)
{
	const char *outside = temp_path(state, "outside"), *dir = temp_path(state, "dir");

	assert_int_equal(file_write_new(outside, "x", 1, 0600), CV_OK);
	assert_int_equal(file_make_dir(dir, 0700), CV_OK);
	assert_int_equal(symlink(outside, temp_path(state, "dir/link")), 0);
	assert_int_equal(symlink(*state, temp_path(state, "dir/up")), 0);
	assert_int_equal(staging_remove_tree(dir), CV_OK);
	assert_true(file_exists(outside));
	assert_false(file_exists(dir));
	assert_int_equal(staging_remove_tree(dir), CV_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, temp_dir_setup, temp_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(remembers_the_newest_state_of_each_gateway),
		TEST(refuses_an_older_store_and_keeps_what_it_knows),
		TEST(refuses_another_head_for_the_same_number_of_records),
		TEST(a_damaged_file_is_no_empty_memory),
		TEST(a_staged_directory_appears_at_once),
		TEST(an_abandoned_staging_is_swept_up),
		TEST(removing_a_tree_follows_no_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
