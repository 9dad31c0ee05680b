/* Containers that fail: every n-th write, flush and read; a full volume. */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/model.h"

static uint8_t kept[50000];

/* A fixed course of work that goes on after errors, as programs do. */
static void work(struct volume *v)
{
	uint32_t random = 4;
	uint8_t data[20000];

	for (unsigned i = 0; i < 30; i++) {
		struct dir_new new = { .mode = S_IFREG | 0644 };
		struct dir_name name = { "abcdefghijklmnopqrstuvwxyzABCD" + i, 1 };
		uint64_t object = 0;
		uint64_t gone = 0;
		size_t done;

		fill_pattern(data, sizeof(data), i);
		if (dir_create(v, OBJECT_ROOT, &name, &new, &object) == CV_OK &&
			data_write(
				v, object, next_random(&random) % 9000, data, sizeof(data), &done))
			continue;
		if (i % 3 == 0 && object && data_truncate(v, object, 5000, NULL))
			continue;
		if (i % 4 == 0 && dir_unlink(v, OBJECT_ROOT, &name, &gone) == CV_OK && gone &&
			reap_object(v, gone))
			continue;
		if (i % 5 == 4 && checkpoint_if_dirty(v))
			continue;
	}
}

static void assert_kept(struct image *image)
{
	struct volume *v = image_open(image);
	uint8_t back[sizeof(kept)];
	size_t got = 0;

	assert_int_equal(volume_read(v, "/kept", 0, back, sizeof(back), &got), CV_OK);
	assert_int_equal(got, sizeof(kept));
	assert_memory_equal(back, kept, sizeof(kept));
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
}

static struct image *image_with_kept(void)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);

	fill_pattern(kept, sizeof(kept), 42);
	put_file(v, "/kept", kept, sizeof(kept));
	assert_int_equal(volume_close(v), CV_OK);
	return image;
}

static void sweep_writes(enum cv_err fail_with, bool sticky)
{
	struct image *base = image_with_kept();

	for (unsigned long n = 1;; n++) {
		struct image *image = image_copy(base);
		struct volume *v = NULL;
		unsigned long calls;

		image->fail_at = n;
		image->fail_with = fail_with;
		image->fail_sticky = sticky;
		if (image_try_open(image, &v) == CV_OK) {
			enum cv_err err = CV_ERR_INTERNAL;

			work(v);
			err = volume_close(v);
			if (sticky && image->calls >= n)
				assert_int_not_equal(err, CV_OK);
		}
		calls = image->calls;
		image->fail_at = 0;
		assert_kept(image);
		image_free(image);
		if (calls < n)
			break;
	}
	image_free(base);
}

static void keeps_what_was_durable_when_any_write_fails(void **state)
{
	(void)state;
	sweep_writes(CV_ERR_IO, false);
	sweep_writes(CV_ERR_IO, true);
}

static void keeps_what_was_durable_when_the_host_is_full(void **state)
{
	(void)state;
	sweep_writes(CV_ERR_FULL, false);
}

static void answers_every_failing_read_with_an_error(void **state)
{
	struct image *base = image_with_kept();

	(void)state;
	for (unsigned long n = 1;; n++) {
		struct image *image = image_copy(base);
		struct volume *v = NULL;
		uint8_t back[sizeof(kept)];
		size_t got = 0;
		bool failed;

		image->fail_reads_at = n;
		if (image_try_open(image, &v) == CV_OK) {
			if (volume_read(v, "/kept", 0, back, sizeof(back), &got) == CV_OK)
				assert_memory_equal(back, kept, sizeof(kept));
			work(v);
			assert_int_equal(volume_close(v), CV_OK);
		}
		failed = image->reads >= n;
		image->fail_reads_at = 0;
		assert_kept(image);
		image_free(image);
		if (!failed)
			break;
	}
	image_free(base);
}

static void freezes_after_a_failed_flush_and_still_reads(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	uint8_t back[sizeof(kept)];
	size_t got;

	(void)state;
	(void)make_file(v, "/new");
	image->fail_at = image->calls + 2;
	assert_int_equal(checkpoint_if_dirty(v), CV_ERR_IO);
	image->fail_at = 0;
	assert_int_equal(checkpoint_if_dirty(v), CV_ERR_READ_ONLY);
	assert_int_equal(
		data_write(v, must_resolve(v, "/kept"), 0, "x", 1, &got), CV_ERR_READ_ONLY);
	assert_int_equal(volume_read(v, "/kept", 0, back, sizeof(back), &got), CV_OK);
	assert_memory_equal(back, kept, sizeof(kept));
	assert_int_not_equal(volume_close(v), CV_OK);
	assert_kept(image);
	image_free(image);
}

static size_t fill(struct volume *v, unsigned file)
{
	static uint8_t data[1 << 20];
	char path[32];
	uint64_t object;
	size_t total = 0;
	size_t done;

	(void)snprintf(path, sizeof(path), "/fill%u", file);
	object = make_file(v, path);
	for (;;) {
		enum cv_err err = data_write(v, object, total, data, sizeof(data), &done);

		total += done;
		if (err) {
			assert_int_equal(err, CV_ERR_FULL);
			return total;
		}
	}
}

/* Full is an answer, not an end: deleting makes room, as often as one likes. */
static void recovers_from_full_by_deleting(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	size_t first = 0;

	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		size_t total = fill(v, round);
		char path[32];

		if (round == 0)
			first = total;
		assert_true(total > (size_t)16 << 20);
		assert_true(total + ((size_t)1 << 20) > first);
		(void)snprintf(path, sizeof(path), "/fill%u", round);
		remove_path(v, path);
		assert_clean(v);
	}
	assert_int_equal(volume_close(v), CV_OK);
	assert_kept(image);
	image_free(image);
}

/* Every second block of a full volume is freed: nodes still find room. */
static void goes_on_when_free_space_is_in_pieces(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	uint8_t block[BLOCK_BYTES] = { 1 };
	uint64_t a = make_file(v, "/a");
	uint64_t b = make_file(v, "/b");
	enum cv_err err = CV_OK;
	size_t done;

	(void)state;
	for (uint64_t i = 0; !err; i++) {
		err = data_write(v, a, i * BLOCK_BYTES, block, sizeof(block), &done);
		if (!err)
			err = data_write(v, b, i * BLOCK_BYTES, block, sizeof(block), &done);
	}
	assert_int_equal(err, CV_ERR_FULL);
	remove_path(v, "/a");
	for (unsigned i = 0; i < 200; i++)
		write_at(v, b, (uint64_t)i * 9 * BLOCK_BYTES % ((uint64_t)2 << 20), block,
			sizeof(block));
	remove_path(v, "/b");
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	assert_kept(image);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_durable_when_any_write_fails),
		cmocka_unit_test(keeps_what_was_durable_when_the_host_is_full),
		cmocka_unit_test(answers_every_failing_read_with_an_error),
		cmocka_unit_test(freezes_after_a_failed_flush_and_still_reads),
		cmocka_unit_test(recovers_from_full_by_deleting),
		cmocka_unit_test(goes_on_when_free_space_is_in_pieces),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
