/* The allocator: space written ahead of small writes, and regions that come and go. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/ahead.h"
#include "fs/checkpoint.h"
#include "fs/data_blocks.h"
#include "tests/unit/fs/support.h"

#define SIZE ((uint64_t)256 << 20)

static int container;
static struct store_file store;

static struct volume *open_sparse(void)
{
	struct volume_create_options create = test_create_options(SIZE);
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;

	container = memfd_create("volume", MFD_CLOEXEC);
	assert_true(container >= 0);
	assert_int_equal(ftruncate(container, (off_t)SIZE), 0);
	store_file_init(&store, container);
	assert_int_equal(volume_create_store(&store.store, &create, NULL), CV_OK);
	assert_int_equal(volume_open_store(&v, &store.store, &o, NULL), CV_OK);
	return v;
}

static void close_sparse(struct volume *v)
{
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	(void)close(container);
}

static void prepare(struct volume *v)
{
	unsigned waits = 0;

	while (!ahead_wanted(v))
		assert_true(++waits < 100);
	(void)pthread_mutex_lock(&v->lock);
	ahead_prepare(v);
	(void)pthread_mutex_unlock(&v->lock);
	assert_true(v->alloc.zone_count > 0);
}

static uint64_t place_of(struct volume *v, uint64_t file, uint64_t block)
{
	struct map_entry e;

	assert_int_equal(blocks_map(v, file, block, 1, &e), CV_OK);
	return e.block;
}

static bool in_zone(const struct alloc *a, uint64_t block)
{
	return block >= a->zone_first && block < a->zone_first + a->zone_count;
}

static void small_writes_go_to_space_that_is_there(void **state)
{
	static uint8_t data[100 * BLOCK_BYTES];
	struct volume *v = open_sparse();
	uint64_t file = make_file(v, "/f");

	(void)state;
	prepare(v);
	assert_false(store_sparse(v->store, v->alloc.zone_first * BLOCK_BYTES,
		v->alloc.zone_count * BLOCK_BYTES));
	write_at(v, file, 0, data, 300);
	assert_true(in_zone(&v->alloc, place_of(v, file, 0)));
	write_at(v, file, BLOCK_BYTES, data, sizeof(data));
	assert_false(in_zone(&v->alloc, place_of(v, file, 1)));
	close_sparse(v);
}

/* As if an fsync had come before. */
static void write_synced(struct volume *v, uint64_t file, uint64_t at)
{
	alloc_zone_credit(&v->alloc);
	write_at(v, file, at, "x", 1);
}

static blkcnt_t space_below(void)
{
	struct stat st;

	assert_int_equal(fstat(container, &st), 0);
	return st.st_blocks;
}

static void a_new_volume_has_a_zone_from_the_start(void **state)
{
	struct volume *v = open_sparse();
	blkcnt_t before = space_below();

	(void)state;
	ahead_begin(v);
	assert_int_equal(v->alloc.zone_count, SIZE / BLOCK_BYTES / 256);
	assert_false(alloc_zone_low(&v->alloc));
	write_at(v, make_file(v, "/f"), 0, "x", 1);
	assert_int_equal(space_below(), before);
	close_sparse(v);
}

static void what_is_not_fsynced_leaves_the_zone_alone(void **state)
{
	struct volume *v = open_sparse();
	uint64_t file = make_file(v, "/f");

	(void)state;
	ahead_begin(v);
	v->alloc.zone_credit = 8;
	for (uint64_t i = 0; i < 64; i++)
		write_at(v, file, i * BLOCK_BYTES, "x", 1);
	assert_true(in_zone(&v->alloc, place_of(v, file, 7)));
	assert_false(in_zone(&v->alloc, place_of(v, file, 8)));
	assert_int_equal(v->alloc.zone_used, 8);
	write_synced(v, file, 0);
	assert_true(in_zone(&v->alloc, place_of(v, file, 0)));
	close_sparse(v);
}

static void space_that_was_freed_makes_a_zone_without_a_write(void **state)
{
	static uint8_t data[1 << 20];
	struct volume *v = open_sparse();
	uint64_t large = make_file(v, "/large");
	uint64_t file = make_file(v, "/f");
	blkcnt_t before;

	(void)state;
	ahead_begin(v);
	for (uint64_t i = 0; i < 8; i++)
		write_at(v, large, i * sizeof(data), data, sizeof(data));
	for (uint64_t i = 0; !alloc_zone_low(&v->alloc); i++)
		write_synced(v, file, i * BLOCK_BYTES);
	assert_int_equal(data_truncate(v, large, 0, NULL), CV_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	before = space_below();
	prepare(v);
	assert_false(alloc_zone_low(&v->alloc));
	assert_int_equal(space_below(), before);
	close_sparse(v);
}

static void a_used_up_zone_is_made_anew_or_used_again(void **state)
{
	struct volume *v = open_sparse();
	uint64_t file = make_file(v, "/f");
	uint64_t first;

	(void)state;
	prepare(v);
	first = v->alloc.zone_first;
	for (uint64_t i = 0; !alloc_zone_low(&v->alloc); i++)
		write_synced(v, file, i * BLOCK_BYTES);
	/* all of it is in use: another one */
	prepare(v);
	assert_int_not_equal(v->alloc.zone_first, first);
	first = v->alloc.zone_first;
	while (!alloc_zone_low(&v->alloc))
		write_synced(v, file, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	/* nearly all of it has come back */
	prepare(v);
	assert_int_equal(v->alloc.zone_first, first);
	assert_false(alloc_zone_low(&v->alloc));
	close_sparse(v);
}

static void a_zone_keeps_no_space_back(void **state)
{
	static uint8_t data[1 << 20];
	struct volume *v = open_sparse();
	uint64_t file = make_file(v, "/f");
	enum cv_err err = CV_OK;
	uint64_t at = 0;
	size_t done;

	(void)state;
	prepare(v);
	while (!err) {
		err = data_write(v, file, at, data, sizeof(data), &done);
		at += done;
	}
	assert_int_equal(err, CV_ERR_FULL);
	assert_true(at > SIZE * 9 / 10);
	close_sparse(v);
}

#define LARGE ((uint64_t)4 << 30)

static void regions_are_let_go_of_and_found_again(void **state)
{
	struct image *image = image_new(LARGE);
	struct volume *v = image_open(image);
	uint64_t file = make_file(v, "/f");
	uint64_t places[40];
	uint8_t back[8];
	size_t got;

	(void)state;
	v->alloc.keep = 8;
	for (uint64_t i = 0; i < 40; i++) {
		v->alloc.data_cursor = (i + 10) * REGION_BLOCKS;
		write_at(v, file, i * BLOCK_BYTES, &i, sizeof(i));
		places[i] = place_of(v, file, i);
	}
	assert_true(v->alloc.loaded >= 40);
	for (int i = 0; i < 4; i++)
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	alloc_trim(&v->alloc);
	assert_true(v->alloc.loaded <= 8);
	/* what is used is known again when space is looked for there */
	for (uint64_t i = 0; i < 40; i++) {
		v->alloc.data_cursor = places[i];
		write_at(v, file, (100 + i) * BLOCK_BYTES, &i, sizeof(i));
		assert_int_not_equal(place_of(v, file, 100 + i), places[i]);
	}
	for (uint64_t i = 0; i < 40; i++) {
		assert_int_equal(data_read(v, file, i * BLOCK_BYTES, back, 8, &got), CV_OK);
		assert_memory_equal(back, &i, 8);
	}
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void a_full_region_is_not_looked_into_again(void **state)
{
	struct image *image = image_new(LARGE);
	struct volume *v = image_open(image);
	uint64_t file = make_file(v, "/f");
	static uint8_t data[1 << 20];

	(void)state;
	v->alloc.data_cursor = 10 * REGION_BLOCKS;
	for (uint64_t i = 0; i < 64; i++)
		write_at(v, file, i << 20, data, sizeof(data));
	for (int i = 0; i < 4; i++)
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	alloc_trim(&v->alloc);
	assert_null(v->alloc.region[10]);
	assert_int_equal(v->alloc.full[10], 1);
	v->alloc.data_cursor = 10 * REGION_BLOCKS;
	write_at(v, file, 64 << 20, "x", 1);
	assert_int_equal(place_of(v, file, 64 << 20 >> 12) / REGION_BLOCKS, 11);
	assert_null(v->alloc.region[10]);
	/* it has room again once something in it was freed */
	assert_int_equal(data_truncate(v, file, 0, NULL), CV_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	v->alloc.data_cursor = 10 * REGION_BLOCKS;
	write_at(v, file, 0, "x", 1);
	assert_int_equal(place_of(v, file, 0) / REGION_BLOCKS, 10);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_writes_go_to_space_that_is_there),
		cmocka_unit_test(a_new_volume_has_a_zone_from_the_start),
		cmocka_unit_test(what_is_not_fsynced_leaves_the_zone_alone),
		cmocka_unit_test(space_that_was_freed_makes_a_zone_without_a_write),
		cmocka_unit_test(a_used_up_zone_is_made_anew_or_used_again),
		cmocka_unit_test(a_zone_keeps_no_space_back),
		cmocka_unit_test(regions_are_let_go_of_and_found_again),
		cmocka_unit_test(a_full_region_is_not_looked_into_again),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
