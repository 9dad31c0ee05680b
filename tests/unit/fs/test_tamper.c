/* Every byte class that the root covers, changed in every way: an error, never wrong bytes. */
#include <stdio.h>

#include "tests/unit/fs/support.h"

#define FILES 12
#define FILE_BYTES 30000

enum outcome { REFUSED, NOTICED, WHOLE };

static void file_path(unsigned i, char out[32])
{
	(void)snprintf(out, 32, "/dir%u/file%u", i % 3, i);
}

static void fill_volume(struct volume *v, uint32_t seed)
{
	uint8_t data[FILE_BYTES];
	char path[32];

	for (unsigned i = 0; i < FILES; i++) {
		file_path(i, path);
		fill_pattern(data, sizeof(data), seed + i);
		if (seed == 1 && i < 3) {
			char dir[8] = "/dir0";

			dir[4] = (char)('0' + i);
			(void)make_dir(v, dir);
		}
		if (seed == 1)
			(void)make_file(v, path);
		write_at(v, must_resolve(v, path), 0, data, sizeof(data));
	}
	/* enough names for a tree of two levels */
	for (unsigned i = 0; seed == 1 && i < 300; i++) {
		(void)snprintf(path, sizeof(path), "/dir1/more%u", i);
		(void)make_file(v, path);
	}
}

/* Reads everything. Wrong bytes or a missing name fail the test. */
static enum outcome look(struct image *image)
{
	struct volume_open_options o = test_open_options();
	enum outcome outcome = WHOLE;
	struct volume *v = NULL;
	char path[32];

	o.read_only = true;
	if (volume_open_store(&v, &image->store, &o, NULL) != CV_OK)
		return REFUSED;
	for (unsigned i = 0; i < FILES; i++) {
		uint8_t want[FILE_BYTES];
		uint8_t got[FILE_BYTES];
		size_t len = 0;
		enum cv_err err;

		file_path(i, path);
		fill_pattern(want, sizeof(want), 1000 + i);
		err = volume_read(v, path, 0, got, sizeof(got), &len);
		if (err) {
			assert_true(err == CV_ERR_TAMPERED || err == CV_ERR_IO);
			outcome = NOTICED;
			continue;
		}
		assert_int_equal(len, sizeof(want));
		assert_memory_equal(got, want, sizeof(want));
	}
	if (outcome == WHOLE) {
		struct volume_check_report report;
		enum cv_err err = volume_check(v, NULL, NULL, &report);

		assert_true(err == CV_OK || err == CV_ERR_TAMPERED || err == CV_ERR_IO);
		if (err || report.problems)
			outcome = NOTICED;
	}
	volume_drop(v);
	return outcome;
}

/* An image with an older and the present content of everything. */
static struct image *two_versions(struct image **older)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);

	fill_volume(v, 1);
	assert_int_equal(volume_close(v), CV_OK);
	*older = image_copy(image);
	v = image_open(image);
	fill_volume(v, 1000);
	assert_int_equal(volume_close(v), CV_OK);
	assert_int_equal(look(image), WHOLE);
	return image;
}

/* The blocks that the tree refers to: used, and neither superblock nor log. */
static size_t covered_blocks(struct image *image, uint64_t *out, size_t cap)
{
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;
	size_t n = 0;

	o.read_only = true;
	assert_int_equal(volume_open_store(&v, &image->store, &o, NULL), CV_OK);
	for (uint64_t b = 0; b < volume_blocks(v); b++) {
		const struct log_descriptor *log = &v->super->log;

		assert_int_equal(alloc_load(&v->alloc, b), CV_OK);
		if (!alloc_is_used(v->alloc.region[b / REGION_BLOCKS], b) ||
			b % SUPER_STRIDE_BLOCKS == 0 ||
			(b >= log->ring && b < log->ring + log->blocks))
			continue;
		assert_true(n < cap);
		out[n++] = b;
	}
	volume_drop(v);
	return n;
}

static void notices_every_change_of_a_covered_block(void **state)
{
	static uint64_t blocks[4096];
	struct image *older;
	struct image *image = two_versions(&older);
	size_t count = covered_blocks(image, blocks, 4096);
	uint32_t random = 3;

	(void)state;
	assert_true(count > 100);
	for (size_t i = 0; i < count; i++) {
		uint8_t *block = image_block(image, blocks[i]);
		uint8_t *other = image_block(image, blocks[(i + 5) % count]);
		uint8_t saved[BLOCK_BYTES];
		uint8_t saved_other[BLOCK_BYTES];
		size_t at = next_random(&random) % BLOCK_BYTES;

		memcpy(saved, block, BLOCK_BYTES);
		memcpy(saved_other, other, BLOCK_BYTES);
		block[at] ^= (uint8_t)(1u << (next_random(&random) % 8));
		assert_int_not_equal(look(image), WHOLE);
		if (i % 3 == 0) {
			memset(block, 0, BLOCK_BYTES);
			assert_int_not_equal(look(image), WHOLE);
			memcpy(block, saved_other, BLOCK_BYTES);
			memcpy(other, saved, BLOCK_BYTES);
			assert_int_not_equal(look(image), WHOLE);
			memcpy(other, saved_other, BLOCK_BYTES);
			memcpy(block, image_block(older, blocks[i]), BLOCK_BYTES);
			if (memcmp(block, saved, BLOCK_BYTES) != 0)
				assert_int_not_equal(look(image), WHOLE);
		}
		memcpy(block, saved, BLOCK_BYTES);
	}
	assert_int_equal(look(image), WHOLE);
	image_free(image);
	image_free(older);
}

/* Nonce, tag, and each byte of the header and the first slots of the root node. */
static void notices_each_bit_of_the_head_of_a_node(void **state)
{
	struct image *older;
	struct image *image = two_versions(&older);
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;
	uint8_t *block;

	(void)state;
	o.read_only = true;
	assert_int_equal(volume_open_store(&v, &image->store, &o, NULL), CV_OK);
	block = image_block(image, v->super->root.block);
	volume_drop(v);
	for (size_t bit = 0; bit < 128 * 8; bit += 3) {
		block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(look(image), REFUSED);
		block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	image_free(image);
	image_free(older);
}

/* One damaged slot of four is survived; what is read is whole. Two of a pair are refused. */
static void outlives_one_superblock_but_not_a_pair(void **state)
{
	struct image *older;
	struct image *image = two_versions(&older);
	uint32_t random = 8;

	(void)state;
	for (unsigned slot = 0; slot < SUPER_SLOTS; slot++) {
		uint8_t *block = image_block(image, super_slot_block(slot));
		uint8_t *twin = image_block(image, super_slot_block((slot + 2) % SUPER_SLOTS));

		for (unsigned k = 0; k < 150; k++) {
			size_t at = k < 100 ? next_random(&random) % 1200
					    : next_random(&random) % BLOCK_BYTES;

			block[at] ^= 0x10;
			assert_int_equal(look(image), WHOLE);
			if (k % 10 == 0) {
				twin[at] ^= 0x10;
				assert_int_equal(look(image), REFUSED);
				twin[at] ^= 0x10;
			}
			block[at] ^= 0x10;
		}
	}
	image_free(image);
	image_free(older);
}

/* An older superblock in one or more places: refused, or the tree that it always named. */
static void never_mixes_an_older_superblock_in(void **state)
{
	struct image *older;
	struct image *image = two_versions(&older);

	(void)state;
	for (unsigned mask = 1; mask < 15; mask++) {
		struct image *mixed = image_copy(image);

		for (unsigned slot = 0; slot < SUPER_SLOTS; slot++)
			if (mask >> slot & 1)
				memcpy(image_block(mixed, super_slot_block(slot)),
					image_block(older, super_slot_block(slot)), BLOCK_BYTES);
		assert_int_equal(look(mixed), REFUSED);
		image_free(mixed);
	}
	image_free(image);
	image_free(older);
}

static void refuses_a_container_that_was_cut(void **state)
{
	struct image *older;
	struct image *image = two_versions(&older);
	uint64_t whole = image->size;

	(void)state;
	for (uint64_t size = 0; size < whole; size += (uint64_t)3 << 20) {
		image->size = size;
		assert_int_equal(look(image), REFUSED);
	}
	image->size = whole - BLOCK_BYTES;
	assert_int_equal(look(image), REFUSED);
	image->size = whole;
	image_free(image);
	image_free(older);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notices_every_change_of_a_covered_block),
		cmocka_unit_test(notices_each_bit_of_the_head_of_a_node),
		cmocka_unit_test(outlives_one_superblock_but_not_a_pair),
		cmocka_unit_test(never_mixes_an_older_superblock_in),
		cmocka_unit_test(refuses_a_container_that_was_cut),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
