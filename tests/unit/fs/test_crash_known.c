/* Courses of work that are known to have broken other filesystems when the power went. */
#include <stdio.h>

#include "fs/attr.h"
#include "fs/checkpoint.h"
#include "tests/unit/fs/history.h"

/* Every state that a kill or a cut can leave of a short history, each several times. */
static void every_state(const struct history *h, const char *name)
{
	struct image *now = image_copy(h->base);
	uint32_t random = 9;

	for (size_t k = 0; k <= h->image->op_count; k++) {
		size_t f = history_flushed(h, k);
		size_t covers = f ? h->image->ops[f - 1].covers : 0;
		struct image *flushed = image_copy(h->base);
		size_t low = history_answered(h, k);

		(void)history_assert(h, image_over(now), low, low + 1, true, name);
		for (size_t i = 0; i < covers; i++)
			image_apply(flushed, &h->image->ops[i]);
		for (unsigned n = 0; n < 40; n++) {
			struct image *cut = image_over(flushed);

			for (size_t i = covers; i < k; i++)
				apply_arrival(cut, &h->image->ops[i],
					(enum arrival)(next_random(&random) % 5), &random);
			(void)history_assert(
				h, cut, history_durable(h, k), low + 1, n % 8 == 0, name);
		}
		image_free(flushed);
		if (k < h->image->op_count)
			image_apply(now, &h->image->ops[k]);
	}
	image_free(now);
}

/* gocryptfs 1033: a new directory was there without what makes it usable. */
static void a_directory_whose_parent_was_fsynced_is_whole(void **state)
{
	struct history h;

	(void)state;
	history_begin(&h, false);
	(void)make_dir(h.volume, "/a");
	history_note(&h);
	history_fsync(&h);
	(void)make_dir(h.volume, "/a/b");
	history_note(&h);
	history_fsync(&h);
	(void)make_file(h.volume, "/a/b/c");
	history_note(&h);
	(void)make_dir(h.volume, "/a/b/d");
	history_note(&h);
	history_fsync(&h);
	every_state(&h, "mkdir");
	history_free(&h);
}

/* gocryptfs 1024: a block of a file was lost between a truncate by path and writes to a descriptor. */
static void truncates_and_writes_through_an_old_descriptor_do_not_mix(void **state)
{
	uint8_t data[4096];
	struct history h;
	uint64_t object;

	(void)state;
	history_begin(&h, false);
	object = make_file(h.volume, "/f");
	history_note(&h);
	fill_pattern(data, sizeof(data), 1);
	write_at(h.volume, object, 0, data, sizeof(data));
	history_note(&h);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(data_truncate(h.volume, must_resolve(h.volume, "/f"), 8, NULL),
			CV_OK);
		history_note(&h);
		fill_pattern(data, sizeof(data), 2 + round);
		write_at(h.volume, object, round * 4096, data, sizeof(data));
		history_note(&h);
		if (round == 1)
			history_fsync(&h);
		assert_int_equal(data_truncate(h.volume, object, 5000 * round, NULL), CV_OK);
		history_note(&h);
	}
	every_state(&h, "truncate");
	history_free(&h);
}

/* A file replaced by rename is the old or the new one, never empty and never both. */
static void a_rename_over_a_file_is_all_or_nothing(void **state)
{
	struct dir_name from = { "new", 3 };
	struct dir_name to = { "f", 1 };
	uint8_t data[9000];
	struct history h;
	uint64_t gone = 0;

	(void)state;
	history_begin(&h, true);
	fill_pattern(data, sizeof(data), 1);
	(void)make_file(h.volume, "/f");
	history_note(&h);
	write_at(h.volume, must_resolve(h.volume, "/f"), 0, data, sizeof(data));
	history_note(&h);
	history_fsync(&h);
	for (unsigned round = 0; round < 3; round++) {
		(void)make_file(h.volume, "/new");
		history_note(&h);
		fill_pattern(data, sizeof(data), 5 + round);
		write_at(h.volume, must_resolve(h.volume, "/new"), 0, data, 4000 + round * 2500);
		history_note(&h);
		history_fsync(&h);
		assert_int_equal(
			dir_rename(h.volume, OBJECT_ROOT, &from, OBJECT_ROOT, &to, 0, &gone), CV_OK);
		assert_int_equal(reap_object(h.volume, gone), CV_OK);
		history_note(&h);
	}
	every_state(&h, "rename");
	history_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_whose_parent_was_fsynced_is_whole),
		cmocka_unit_test(truncates_and_writes_through_an_old_descriptor_do_not_mix),
		cmocka_unit_test(a_rename_over_a_file_is_all_or_nothing),
	};

	int failed;

	support_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	print_message("%lu states\n", history_states());
	return failed;
}
