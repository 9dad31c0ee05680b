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

/* What a crash leaves is exactly the tree of the last checkpoint. */
static void falls_back_to_the_last_checkpoint_in_a_crash(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN + ((uint64_t)32 << 20));
	struct volume *v = image_open(image);
	uint32_t random = 77;
	struct model now;
	struct model durable;

	(void)state;
	model_init(&now);
	model_copy(&durable, &now);
	for (unsigned round = 0; round < 40; round++) {
		uint64_t generation = volume_generation(v);

		for (unsigned step = 0; step < 25; step++)
			assert_true(model_step(&now, v, &random));
		if (round % 3 || volume_generation(v) != generation) {
			assert_int_equal(checkpoint_if_dirty(v), CV_OK);
			model_wipe(&durable);
			model_copy(&durable, &now);
		}
		volume_drop(v);
		v = image_open(image);
		assert_true(model_equal(&durable, v));
		assert_clean(v);
		model_wipe(&now);
		model_copy(&now, &durable);
	}
	assert_int_equal(volume_close(v), CV_OK);
	model_wipe(&now);
	model_wipe(&durable);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_what_a_plain_tree_does_over_remounts),
		cmocka_unit_test(falls_back_to_the_last_checkpoint_in_a_crash),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
