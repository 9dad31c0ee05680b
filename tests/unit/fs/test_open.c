/* Opening: who gets in, who is refused with what, and that a refusal changes nothing. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/support.h"

/* Opening fails with `want`, says why in one line, and leaves every block as it was. */
static void assert_refused(
	struct image *image, const struct volume_open_options *o, enum cv_err want)
{
	struct image *before = image_copy(image);
	struct volume_why why = { "" };
	struct volume *v = NULL;

	assert_int_equal(volume_open_store(&v, &image->store, o, &why), want);
	assert_null(v);
	assert_true(why.text[0] != '\0');
	assert_null(strchr(why.text, '\n'));
	for (uint64_t b = 0; b < before->size / BLOCK_BYTES; b++)
		if (before->block[b])
			assert_memory_equal(before->block[b], image->block[b], BLOCK_BYTES);
	image_free(before);
}

static void refuses_a_wrong_key(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume_open_options o = test_open_options();
	uint8_t wrong[CV_SECRET_BYTES];

	(void)state;
	o.secret = wrong;
	for (unsigned bit = 0; bit < 256; bit += 37) {
		memcpy(wrong, TEST_SECRET, sizeof(wrong));
		wrong[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_refused(image, &o, CV_ERR_WRONG_KEY);
	}
	image_free(image);
}

static void opens_with_the_recovery_code(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;

	(void)state;
	o.secret = TEST_RECOVERY;
	assert_int_equal(volume_open_store(&v, &image->store, &o, NULL), CV_OK);
	assert_int_equal(volume_kind(v), VOLUME_SLOT_RECOVERY);
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	assert_int_equal(volume_kind(v), VOLUME_SLOT_SHARE_SET);
	assert_int_equal(volume_epoch(v), 7);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void refuses_what_is_no_volume(void **state)
{
	struct volume_open_options o = test_open_options();
	struct image *blank = image_blank(VOLUME_SIZE_MIN);
	struct image *small = image_blank(BLOCK_BYTES);
	uint8_t *block = image_block(blank, 0);

	(void)state;
	assert_refused(blank, &o, CV_ERR_NOT_VOLUME);
	fill_pattern(block, BLOCK_BYTES, 3);
	assert_refused(blank, &o, CV_ERR_NOT_VOLUME);
	assert_refused(small, &o, CV_ERR_NOT_VOLUME);
	image_free(blank);
	image_free(small);
}

static void set_all_slots(struct image *image, size_t at, uint8_t value)
{
	for (unsigned i = 0; i < SUPER_SLOTS; i++)
		image_block(image, super_slot_block(i))[at] = value;
}

static void refuses_a_newer_format_and_unknown_features(void **state)
{
	const size_t places[] = { 8, 11, 12, 16, 23 }; /* version, suite, features */
	struct volume_open_options o = test_open_options();

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct image *image = image_new(VOLUME_SIZE_MIN);

		set_all_slots(image, places[i], 0x40);
		assert_refused(image, &o, CV_ERR_VERSION);
		image_free(image);
	}
}

static void refuses_a_generation_that_is_too_old(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;

	(void)state;
	o.min_generation = 3;
	assert_refused(image, &o, CV_ERR_TOO_OLD);
	o.min_generation = 2;
	assert_int_equal(volume_open_store(&v, &image->store, &o, NULL), CV_OK);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

/* Both newest slots gone: after a clean unmount only on demand, after a crash by itself. */
static void goes_back_a_generation_only_as_told(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume_open_options o = test_open_options();
	struct volume *v = image_open(image);
	struct image *crashed;
	unsigned pair;

	(void)state;
	(void)make_file(v, "/a");
	assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	(void)make_file(v, "/b");
	assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	crashed = image_copy(image);
	pair = (unsigned)(volume_generation(v) % 2);
	assert_int_equal(volume_close(v), CV_OK);

	memset(image_block(crashed, super_slot_block(pair)), 0x33, BLOCK_BYTES);
	memset(image_block(crashed, super_slot_block(pair + 2)), 0x33, BLOCK_BYTES);
	v = image_open(crashed);
	assert_non_null(volume_notice(v));
	(void)must_resolve(v, "/a");
	assert_clean(v);
	volume_drop(v);
	image_free(crashed);

	memset(image_block(image, super_slot_block(0)), 0x33, BLOCK_BYTES);
	memset(image_block(image, super_slot_block(2)), 0x33, BLOCK_BYTES);
	assert_refused(image, &o, CV_ERR_TAMPERED);
	o.accept_older = true;
	assert_int_equal(volume_open_store(&v, &image->store, &o, NULL), CV_OK);
	(void)must_resolve(v, "/b");
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

/* The older pair's tree and the log behind it stay whole while the newer one is worked on. */
static void keeps_the_older_tree_whole(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint8_t data[60000];
	uint8_t back[60000];
	uint64_t object;
	size_t got;

	(void)state;
	fill_pattern(data, sizeof(data), 1);
	put_file(v, "/a", data, sizeof(data));
	object = must_resolve(v, "/a");
	assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	for (uint32_t round = 2; round < 30; round++) {
		unsigned newest = (unsigned)(volume_generation(v) % 2);
		struct image *older;
		struct volume *w;

		/* look for space from the front, where the freed blocks are */
		v->alloc.data_cursor = 0;
		v->alloc.node_cursor = 0;
		fill_pattern(data, sizeof(data), round);
		write_at(v, object, 0, data, sizeof(data));
		/* data of the window is written, the checkpoint is not: cut the newest pair off */
		older = image_copy(image);
		memset(image_block(older, super_slot_block(newest)), 0, BLOCK_BYTES);
		memset(image_block(older, super_slot_block(newest + 2)), 0, BLOCK_BYTES);
		w = image_open(older);
		assert_clean(w);
		assert_int_equal(volume_read(w, "/a", 0, back, sizeof(back), &got), CV_OK);
		assert_memory_equal(back, data, sizeof(data));
		volume_drop(w);
		image_free(older);
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	}
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void writes_nothing_when_read_only(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume_open_options o = test_open_options();
	struct dir_new new = { .mode = S_IFREG };
	struct dir_name name = { "x", 1 };
	struct volume *v = NULL;
	uint64_t object;

	(void)state;
	o.read_only = true;
	image->calls = 0;
	assert_int_equal(volume_open_store(&v, &image->store, &o, NULL), CV_OK);
	assert_int_equal(dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_ERR_READ_ONLY);
	assert_int_equal(volume_close(v), CV_OK);
	assert_int_equal(image->calls, 0);
	image_free(image);
}

static void temporary_path(char out[64], const char *name)
{
	(void)snprintf(out, 64, "/tmp/conclave-test-%d-%s", (int)getpid(), name);
}

static void makes_locks_and_describes_a_file(void **state)
{
	struct volume_create_options c = test_create_options(VOLUME_SIZE_MIN);
	struct volume_open_options o = test_open_options();
	struct volume_info info;
	struct volume_why why;
	struct volume *v = NULL;
	struct volume *second = NULL;
	char path[64];
	char backup[64];
	char other[64];

	(void)state;
	temporary_path(path, "volume");
	temporary_path(backup, "backup");
	temporary_path(other, "none");
	assert_int_equal(volume_create(path, &c, &why), CV_OK);
	assert_int_equal(volume_create(path, &c, &why), CV_ERR_EXISTS);
	assert_int_equal(volume_info(path, &info, &why), CV_OK);
	assert_memory_equal(info.volume_id, TEST_VOLUME_ID, CV_VOLUME_ID_BYTES);
	assert_int_equal(info.generation, 2);
	assert_int_equal(info.superblocks, 4);
	assert_int_equal(info.size_bytes, VOLUME_SIZE_MIN);
	assert_int_equal(info.slots[0].kind, VOLUME_SLOT_SHARE_SET);
	assert_int_equal(info.slots[0].epoch, 7);
	assert_int_equal(info.slots[1].kind, VOLUME_SLOT_RECOVERY);
	assert_int_equal(info.slots[2].kind, VOLUME_SLOT_EMPTY);
	assert_false(info.in_use);
	assert_int_equal(volume_open(&v, path, &o, &why), CV_OK);
	assert_int_equal(volume_open(&second, path, &o, &why), CV_ERR_BUSY);
	assert_int_equal(volume_info(path, &info, &why), CV_OK);
	assert_true(info.in_use);
	assert_int_equal(volume_header_backup(path, backup, &why), CV_ERR_BUSY);
	assert_int_equal(volume_close(v), CV_OK);
	assert_int_equal(volume_header_backup(path, backup, &why), CV_OK);
	assert_int_equal(volume_header_backup(path, backup, &why), CV_ERR_EXISTS);
	assert_int_equal(volume_open(&v, other, &o, &why), CV_ERR_NOT_FOUND);
	assert_int_equal(volume_open(&v, "/tmp", &o, &why), CV_ERR_NOT_VOLUME);
	assert_int_equal(volume_open(&v, backup, &o, &why), CV_ERR_NOT_VOLUME);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(backup), 0);
}

static void a_full_volume_leaves_no_block_blank(void **state)
{
	struct volume_create_options c = test_create_options(VOLUME_SIZE_MIN);
	struct image *image = image_blank(VOLUME_SIZE_MIN);

	(void)state;
	c.full = true;
	assert_int_equal(volume_create_store(&image->store, &c, NULL), CV_OK);
	for (uint64_t b = 0; b < VOLUME_SIZE_MIN / BLOCK_BYTES; b++) {
		assert_non_null(image->block[b]);
		assert_false(all_zero(image->block[b], 64) && all_zero(image->block[b] + 64, 64));
	}
	assert_int_equal(volume_close(image_open(image)), CV_OK);
	image_free(image);
}

static void refuses_sizes_out_of_range(void **state)
{
	struct volume_create_options c = test_create_options(VOLUME_SIZE_MIN - 1);
	struct volume_why why;
	char path[64];

	(void)state;
	temporary_path(path, "range");
	assert_int_equal(volume_create(path, &c, &why), CV_ERR_RANGE);
	c.size_bytes = VOLUME_SIZE_MAX + 1;
	assert_int_equal(volume_create(path, &c, &why), CV_ERR_RANGE);
	assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_a_wrong_key),
		cmocka_unit_test(opens_with_the_recovery_code),
		cmocka_unit_test(refuses_what_is_no_volume),
		cmocka_unit_test(refuses_a_newer_format_and_unknown_features),
		cmocka_unit_test(refuses_a_generation_that_is_too_old),
		cmocka_unit_test(goes_back_a_generation_only_as_told),
		cmocka_unit_test(keeps_the_older_tree_whole),
		cmocka_unit_test(writes_nothing_when_read_only),
		cmocka_unit_test(makes_locks_and_describes_a_file),
		cmocka_unit_test(a_full_volume_leaves_no_block_blank),
		cmocka_unit_test(refuses_sizes_out_of_range),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
