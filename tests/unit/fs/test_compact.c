/* Everything to the front, the rest given back. */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "fs/compact.h"
#include "tests/unit/fs/sweep.h"

#define MIB ((uint64_t)1 << 20)
#define LARGE (160 * MIB)
#define SMALL (48 * MIB)

/* The tree, written at the end of a large volume. */
static struct image *scattered(void)
{
	struct image *image = image_new(LARGE);
	struct volume *v = image_open(image);

	v->alloc.data_cursor = (LARGE - 20 * MIB) / BLOCK_BYTES;
	v->alloc.node_cursor = (LARGE - 40 * MIB) / BLOCK_BYTES;
	tree_make(v);
	for (unsigned i = 0; i < 300; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/d/x%u", i);
		put_file(v, path, (const uint8_t *)path, 9);
	}
	v->alloc.node_cursor = (LARGE - 40 * MIB) / BLOCK_BYTES;
	assert_int_equal(volume_close(v), CV_OK);
	return image;
}

static uint64_t last_used(struct volume *v)
{
	uint64_t last = 0;

	for (uint64_t b = 0; b < v->alloc.blocks; b++) {
		assert_int_equal(alloc_load(&v->alloc, b), CV_OK);
		if (alloc_is_used(v->alloc.region[b / REGION_BLOCKS], b))
			last = b;
	}
	return last;
}

static enum cv_err compact(struct volume *v)
{
	struct volume_compact_report r;

	return volume_compact(v, 0, NULL, NULL, &r, NULL);
}

static enum cv_err shrink(struct volume *v)
{
	struct volume_compact_report r;

	return volume_compact(v, volume_blocks(v) * BLOCK_BYTES < SMALL ? 0 : SMALL, NULL, NULL, &r,
		NULL);
}

static void moves_everything_to_the_front(void **state)
{
	struct image *image = scattered();
	struct volume *v = image_open(image);
	struct volume_compact_report r;

	(void)state;
	assert_true(last_used(v) > (LARGE - 40 * MIB) / BLOCK_BYTES);
	assert_int_equal(volume_compact(v, 0, NULL, NULL, &r, NULL), CV_OK);
	assert_true(r.blocks > 500);
	assert_true(last_used(v) * BLOCK_BYTES < r.end);
	assert_true(r.end < 64 * MIB);
	assert_int_equal(r.size, LARGE);
	tree_assert_now_and_later(v, image);
}

static void makes_a_volume_smaller_and_grows_it_again(void **state)
{
	struct image *image = scattered();
	struct volume *v = image_open(image);
	struct volume_compact_report r;
	struct volume_why why = { "" };

	(void)state;
	assert_int_equal(volume_compact(v, LARGE + MIB, NULL, NULL, &r, &why), CV_ERR_RANGE);
	assert_int_equal(volume_compact(v, MIB, NULL, NULL, &r, &why), CV_ERR_RANGE);
	assert_int_equal(volume_compact(v, SMALL, NULL, NULL, &r, &why), CV_OK);
	assert_int_equal(r.size, SMALL);
	assert_int_equal(image->size, SMALL);
	tree_assert(v);
	put_file(v, "/more", (const uint8_t *)"more", 4);
	tree_assert_now_and_later(v, image);
}

static void refuses_what_does_not_fit(void **state)
{
	struct image *image = image_new(LARGE);
	struct volume *v = image_open(image);
	struct volume_compact_report r;
	struct volume_why why = { "" };
	static uint8_t data[1 << 20];
	uint64_t object;

	(void)state;
	tree_make(v);
	object = make_file(v, "/large");
	for (uint64_t i = 0; i < 60; i++)
		write_at(v, object, i * sizeof(data), data, sizeof(data));
	assert_int_equal(volume_compact(v, SMALL, NULL, NULL, &r, &why), CV_ERR_FULL);
	assert_true(why.text[0] != '\0');
	assert_int_equal(image->size, LARGE);
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void a_cut_while_compacting_loses_nothing(void **state)
{
	struct image *base = scattered();

	(void)state;
	sweep_cuts(base, compact, 7);
	sweep_failures(base, compact, 7);
	sweep_cuts(base, shrink, 7);
	sweep_failures(base, shrink, 7);
	image_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_everything_to_the_front),
		cmocka_unit_test(makes_a_volume_smaller_and_grows_it_again),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(a_cut_while_compacting_loses_nothing),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
