/* Random operations on a volume and on a plain tree in memory, with remounts and crashes. */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/model.h"

#define SEEDS 6
#define STEPS 1500

static void run(uint32_t seed)
{
	struct image *image = image_new(VOLUME_SIZE_MIN + ((uint64_t)32 << 20));
	struct volume *v = image_open(image);
	uint32_t random = seed;
	struct model m;

	model_init(&m);
	for (unsigned step = 0; step < STEPS; step++) {
		bool good = model_step(&m, v, &random);

		if (good && step % 250 == 249) {
			assert_int_equal(volume_close(v), CV_OK);
			v = image_open(image);
			good = model_equal(&m, v);
			assert_clean(v);
		}
		if (!good)
			fprintf(stderr, "seed %u fails at step %u\n", seed, step);
		assert_true(good);
	}
	assert_int_equal(volume_close(v), CV_OK);
	model_wipe(&m);
	image_free(image);
}

static void does_what_a_plain_tree_does_over_remounts(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= SEEDS; seed++)
		run(seed);
}

/* The process is gone without a word, again and again: what was answered is there. */
static void loses_nothing_when_the_process_is_killed(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN + ((uint64_t)32 << 20));
	struct volume *v = image_open(image);
	uint32_t random = 77;
	struct model m;

	(void)state;
	model_init(&m);
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned step = 0; step < 25; step++)
			assert_true(model_step(&m, v, &random));
		if (round % 7 == 3)
			assert_int_equal(checkpoint_if_dirty(v), CV_OK);
		volume_drop(v);
		v = image_open(image);
		assert_true(model_equal(&m, v));
		assert_clean(v);
	}
	assert_int_equal(volume_close(v), CV_OK);
	model_wipe(&m);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_what_a_plain_tree_does_over_remounts),
		cmocka_unit_test(loses_nothing_when_the_process_is_killed),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
