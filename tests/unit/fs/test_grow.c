/* Growing, trimming, and writing superblocks back. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "fs/grow.h"
#include "fs/header.h"
#include "fs/trim.h"
#include "tests/unit/fs/sweep.h"

#define MIB ((uint64_t)1 << 20)
#define LARGER (VOLUME_SIZE_MIN + 100 * MIB)

static enum cv_err grow(struct volume *v)
{
	return volume_grow(v, LARGER, NULL, NULL, NULL);
}

static void grows_and_can_be_filled_to_its_new_end(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_why why = { "" };
	static uint8_t data[1 << 20];
	uint64_t object;

	(void)state;
	assert_int_equal(volume_grow(v, LARGER, NULL, NULL, &why), CV_OK);
	assert_int_equal(volume_size(v), LARGER);
	object = make_file(v, "/large");
	for (uint64_t i = 0; i < 90; i++)
		write_at(v, object, i * sizeof(data), data, sizeof(data));
	assert_int_equal(volume_close(v), CV_OK);
	assert_int_equal(image->size, LARGER);
	v = image_open(image);
	assert_int_equal(volume_size(v), LARGER);
	remove_path(v, "/large");
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void refuses_to_shrink_and_to_outgrow_a_device(void **state)
{
	struct image *image = tree_image(2 * VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct store_ops device = *image->store.ops;
	struct volume_why why = { "" };
	uint64_t generation = volume_generation(v);

	(void)state;
	assert_int_equal(volume_grow(v, VOLUME_SIZE_MIN, NULL, NULL, &why), CV_ERR_RANGE);
	assert_true(why.text[0] != '\0');
	assert_int_equal(volume_grow(v, VOLUME_SIZE_MAX + 16384, NULL, NULL, &why), CV_ERR_RANGE);
	device.resize = NULL;
	image->store.ops = &device;
	assert_int_equal(volume_grow(v, LARGER, NULL, NULL, &why), CV_ERR_RANGE);
	/* to the size that the container has: nothing to do */
	assert_int_equal(volume_grow(v, 0, NULL, NULL, &why), CV_OK);
	assert_int_equal(volume_size(v), 2 * VOLUME_SIZE_MIN);
	assert_int_equal(volume_generation(v), generation);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void fills_what_is_added_to_a_full_volume(void **state)
{
	struct volume_create_options c = test_create_options(VOLUME_SIZE_MIN);
	struct image *image = image_blank(VOLUME_SIZE_MIN);
	struct volume *v;

	(void)state;
	c.full = true;
	assert_int_equal(volume_create_store(&image->store, &c, NULL), CV_OK);
	v = image_open(image);
	assert_int_equal(grow(v), CV_OK);
	assert_int_equal(volume_close(v), CV_OK);
	for (uint64_t b = 0; b < LARGER / BLOCK_BYTES; b++) {
		assert_non_null(image->block[b]);
		assert_false(all_zero(image->block[b], BLOCK_BYTES));
	}
	image_free(image);
}

static void a_cut_while_growing_loses_nothing(void **state)
{
	struct image *base = tree_image(VOLUME_SIZE_MIN);

	(void)state;
	sweep_cuts(base, grow, 1);
	sweep_failures(base, grow, 1);
	image_free(base);
}

static enum cv_err work_and_trim(struct volume *v)
{
	struct volume_trim_report r;
	struct dir_name name = { "gone", 4 };
	struct dir_new new = { .mode = S_IFREG | 0600 };
	static uint8_t data[500000];
	enum cv_err err = CV_OK;
	uint64_t object = 0;
	uint64_t gone = 0;
	size_t done;

	for (int round = 0; round < 3 && !err; round++) {
		err = dir_create(v, OBJECT_ROOT, &name, &new, &object);
		if (!err)
			err = data_write(v, object, 0, data, sizeof(data), &done);
		if (!err)
			err = checkpoint_run(v, SUPER_OPEN);
		if (!err)
			err = dir_unlink(v, OBJECT_ROOT, &name, &gone);
		if (!err)
			err = reap_object(v, gone);
		if (!err)
			err = volume_trim(v, false, NULL, NULL, &r, NULL);
	}
	return err;
}

static uint64_t blocks_there(const struct image *image)
{
	uint64_t n = 0;

	for (uint64_t b = 0; b < image->size / BLOCK_BYTES; b++)
		n += image->block[b] != NULL;
	return n;
}

static void trim_gives_back_what_is_free_and_nothing_else(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_trim_report r;
	static uint8_t data[4 << 20];
	uint64_t before;

	(void)state;
	put_file(v, "/gone", data, sizeof(data));
	assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	remove_path(v, "/gone");
	before = blocks_there(image);
	assert_int_equal(volume_trim(v, false, NULL, NULL, &r, NULL), CV_OK);
	assert_true(blocks_there(image) + sizeof(data) / BLOCK_BYTES <= before + 64);
	assert_true(r.bytes > sizeof(data));
	assert_true(blocks_there(image) <= v->alloc.busy_blocks);
	tree_assert_now_and_later(v, image);
}

/* The tree of the older pair stays whole, too: a cut may bring it back. */
static void a_cut_while_trimming_loses_nothing(void **state)
{
	struct image *base = tree_image(VOLUME_SIZE_MIN);

	(void)state;
	sweep_cuts(base, work_and_trim, 9);
	sweep_failures(base, work_and_trim, 7);
	image_free(base);
}

static void trim_spares_the_older_tree(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_trim_report r;

	(void)state;
	remove_path(v, "/f6");
	assert_int_equal(volume_trim(v, false, NULL, NULL, &r, NULL), CV_OK);
	for (unsigned round = 0; round < 4; round++) {
		unsigned newest = (unsigned)(volume_generation(v) % 2);
		struct image *older;
		struct volume *w;

		(void)make_file(v, round % 2 ? "/x" : "/y");
		assert_int_equal(volume_trim(v, false, NULL, NULL, &r, NULL), CV_OK);
		newest = (unsigned)(volume_generation(v) % 2);
		older = image_copy(image);
		memset(image_block(older, super_slot_block(newest)), 0, BLOCK_BYTES);
		memset(image_block(older, super_slot_block(newest + 2)), 0, BLOCK_BYTES);
		w = image_open(older);
		assert_clean(w);
		volume_drop(w);
		image_free(older);
		remove_path(v, round % 2 ? "/x" : "/y");
	}
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static int free_a_file(void *user, uint64_t done, uint64_t total, const char *name)
{
	struct volume *v = user;

	(void)total;
	(void)name;
	if (done <= REGION_BLOCKS * BLOCK_BYTES) {
		remove_path(v, "/behind");
		(void)pthread_mutex_lock(&v->lock);
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
		(void)pthread_mutex_unlock(&v->lock);
	}
	return 0;
}

/* What others free while it runs is in use by the older tree for a while. */
static void trim_spares_what_is_freed_meanwhile(void **state)
{
	struct image *image = image_new(3 * REGION_BLOCKS * BLOCK_BYTES);
	struct volume *v = image_open(image);
	struct volume_trim_report r;
	static uint8_t data[1 << 20];
	unsigned newest;
	struct volume *w;

	(void)state;
	tree_make(v);
	v->alloc.data_cursor = 2 * REGION_BLOCKS + 5000;
	put_file(v, "/behind", data, sizeof(data));
	assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	assert_int_equal(volume_trim(v, false, free_a_file, v, &r, NULL), CV_OK);
	newest = (unsigned)(volume_generation(v) % 2);
	memset(image_block(image, super_slot_block(newest)), 0, BLOCK_BYTES);
	memset(image_block(image, super_slot_block(newest + 2)), 0, BLOCK_BYTES);
	/* and the log, which would free it again */
	for (uint64_t b = 0; b < v->super->log.blocks; b++)
		memset(image_block(image, v->super->log.ring + b), 0, BLOCK_BYTES);
	volume_drop(v);
	w = image_open(image);
	(void)must_resolve(w, "/behind");
	tree_assert(w);
	volume_drop(w);
	image_free(image);
}

static void a_full_volume_is_trimmed_only_by_force(void **state)
{
	struct volume_create_options c = test_create_options(VOLUME_SIZE_MIN);
	struct image *image = image_blank(VOLUME_SIZE_MIN);
	struct volume_trim_report r;
	struct volume_why why = { "" };
	struct volume *v;

	(void)state;
	c.full = true;
	assert_int_equal(volume_create_store(&image->store, &c, NULL), CV_OK);
	v = image_open(image);
	assert_int_equal(volume_trim(v, false, NULL, NULL, &r, &why), CV_ERR_ARGUMENT);
	assert_true(why.text[0] != '\0');
	assert_int_equal(blocks_there(image), VOLUME_SIZE_MIN / BLOCK_BYTES);
	assert_int_equal(volume_trim(v, true, NULL, NULL, &r, &why), CV_OK);
	assert_true(blocks_there(image) < VOLUME_SIZE_MIN / BLOCK_BYTES / 4);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

struct files {
	char volume[80];
	char backup[80];
	char other[80];
};

static void files_make(struct files *f)
{
	struct volume_create_options c = test_create_options(VOLUME_SIZE_MIN);
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;

	(void)snprintf(f->volume, 80, "/tmp/conclave-header-%d", (int)getpid());
	(void)snprintf(f->backup, 80, "/tmp/conclave-header-%d.backup", (int)getpid());
	(void)snprintf(f->other, 80, "/tmp/conclave-header-%d.other", (int)getpid());
	assert_int_equal(volume_create(f->volume, &c, NULL), CV_OK);
	assert_int_equal(volume_open(&v, f->volume, &o, NULL), CV_OK);
	tree_make(v);
	assert_int_equal(volume_close(v), CV_OK);
	assert_int_equal(volume_header_backup(f->volume, f->backup, NULL), CV_OK);
	c.volume_id[0] ^= 1;
	assert_int_equal(volume_create(f->other, &c, NULL), CV_OK);
}

static void files_remove(const struct files *f)
{
	assert_int_equal(unlink(f->volume), 0);
	assert_int_equal(unlink(f->backup), 0);
	assert_int_equal(unlink(f->other), 0);
}

static void spoil_superblocks(const char *path)
{
	static const uint8_t junk[BLOCK_BYTES] = { 1, 2, 3 };
	int fd = open(path, O_WRONLY);

	for (unsigned i = 0; i < SUPER_SLOTS; i++)
		assert_int_equal(pwrite(fd, junk, sizeof(junk),
					 (off_t)(super_slot_block(i) * BLOCK_BYTES)),
			sizeof(junk));
	assert_int_equal(close(fd), 0);
}

static void assert_opens(const char *path)
{
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;

	assert_int_equal(volume_open(&v, path, &o, NULL), CV_OK);
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
}

static enum cv_err restore(const struct files *f, const char *to, bool older)
{
	struct volume_restore_options o = { .secret = TEST_SECRET, .accept_older = older };
	struct volume_restore_report r;
	struct volume_why why = { "" };
	enum cv_err err = volume_header_restore(f->backup, to, &o, &r, &why);

	assert_true(err == CV_OK || why.text[0] != '\0');
	return err;
}

static void a_backup_brings_lost_superblocks_back(void **state)
{
	struct volume_restore_options o = { .secret = TEST_SECRET };
	struct volume_open_options open_options = test_open_options();
	struct volume_restore_report r;
	uint8_t wrong[CV_SECRET_BYTES] = { 4 };
	struct volume *v = NULL;
	struct files f;

	(void)state;
	files_make(&f);
	spoil_superblocks(f.volume);
	assert_int_equal(volume_open(&v, f.volume, &open_options, NULL), CV_ERR_NOT_VOLUME);
	o.secret = wrong;
	assert_int_equal(
		volume_header_restore(f.backup, f.volume, &o, &r, NULL), CV_ERR_WRONG_KEY);
	assert_int_equal(
		volume_header_restore(f.volume, f.volume, &o, &r, NULL), CV_ERR_NOT_VOLUME);
	assert_int_equal(restore(&f, f.volume, false), CV_OK);
	assert_opens(f.volume);
	files_remove(&f);
}

static void a_backup_of_another_volume_or_an_older_state_is_refused(void **state)
{
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;
	struct files f;

	(void)state;
	files_make(&f);
	assert_int_equal(restore(&f, f.other, true), CV_ERR_MISMATCH);
	/* the container's own superblocks are gone: the tree shows that it is another one */
	spoil_superblocks(f.other);
	assert_int_equal(restore(&f, f.other, true), CV_ERR_TAMPERED);
	assert_int_equal(volume_open(&v, f.volume, &o, NULL), CV_OK);
	assert_int_equal(restore(&f, f.volume, true), CV_ERR_BUSY);
	assert_int_equal(volume_close(v), CV_OK);
	assert_int_equal(restore(&f, f.volume, false), CV_ERR_TOO_OLD);
	assert_int_equal(restore(&f, f.volume, true), CV_OK);
	assert_opens(f.volume);
	files_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_can_be_filled_to_its_new_end),
		cmocka_unit_test(refuses_to_shrink_and_to_outgrow_a_device),
		cmocka_unit_test(fills_what_is_added_to_a_full_volume),
		cmocka_unit_test(a_cut_while_growing_loses_nothing),
		cmocka_unit_test(trim_gives_back_what_is_free_and_nothing_else),
		cmocka_unit_test(a_cut_while_trimming_loses_nothing),
		cmocka_unit_test(trim_spares_the_older_tree),
		cmocka_unit_test(trim_spares_what_is_freed_meanwhile),
		cmocka_unit_test(a_full_volume_is_trimmed_only_by_force),
		cmocka_unit_test(a_backup_brings_lost_superblocks_back),
		cmocka_unit_test(a_backup_of_another_volume_or_an_older_state_is_refused),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
