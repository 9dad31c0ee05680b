/*
 * Killed processes and power cuts: everything written to the container is recorded, and states that
 * either may leave are built from it, opened, checked and compared. After a kill nothing that was
 * answered may be missing; after a cut nothing that was fsynced; and what is there is always the
 * tree after some step, with every step before it.
 */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/history.h"

static const struct history_shape quiet = { .seed = 5, .steps = 130, .syncs = 6, .checkpoints = 20 };
static const struct history_shape busy = {
	.seed = 11, .steps = 100, .syncs = 5, .checkpoints = 18, .busy = true
};
static const struct history_shape wrapping = {
	.seed = 23, .steps = 90, .syncs = 4, .checkpoints = 40, .busy = true, .wrap = true
};

static struct image *over_with(const struct image *base, const struct record_op *op, size_t pages)
{
	struct image *image = image_over(base);

	for (size_t i = 0; i < pages; i++)
		memcpy(image_block(image, op->offset / BLOCK_BYTES + i),
			op->bytes + i * BLOCK_BYTES, BLOCK_BYTES);
	return image;
}

/* After every call, and within a write after each of its pages, which is where a kill can fall. */
static void kill_everywhere(const struct history_shape *shape)
{
	struct history h;
	struct image *now;
	uint32_t random = 1;

	history_make(&h, shape);
	now = image_copy(h.base);
	for (size_t k = 0; k <= h.image->op_count; k++) {
		const struct record_op *op = k < h.image->op_count ? &h.image->ops[k] : NULL;
		size_t low = history_answered(&h, k);
		char what[64];

		(void)snprintf(what, sizeof(what), "seed %u: killed after call %zu", shape->seed, k);
		/* a flush changes nothing */
		if (k == 0 || !h.image->ops[k - 1].flush)
			(void)history_assert(&h, image_over(now), low, low + 1, k % 9 == 0, what);
		if (op && !op->flush && op->len > BLOCK_BYTES) {
			size_t pages = 1 + next_random(&random) % (op->len / BLOCK_BYTES - 1);

			(void)history_assert(
				&h, over_with(now, op, pages), low, low + 1, false, what);
		}
		if (op)
			image_apply(now, op);
	}
	image_free(now);
	history_free(&h);
}

static void a_kill_loses_nothing_that_was_answered(void **state)
{
	(void)state;
	kill_everywhere(&quiet);
	kill_everywhere(&busy);
	kill_everywhere(&wrapping);
}

static enum arrival any_arrival(uint32_t *random)
{
	static const enum arrival all[] = { ARRIVED_WHOLE, ARRIVED_WHOLE, ARRIVED_NOT,
		ARRIVED_PAGES, ARRIVED_SECTORS, ARRIVED_GARBAGE };

	return all[next_random(random) % (sizeof(all) / sizeof(all[0]))];
}

/* What was flushed, and of what came after it what chance brings. */
static struct image *cut_state(const struct history *h, const struct image *flushed, size_t covers,
	size_t calls, unsigned kind, uint32_t *random)
{
	struct image *cut = image_over(flushed);

	for (size_t i = covers; i < calls; i++) {
		enum arrival how = kind == 0   ? ARRIVED_WHOLE
				   : kind == 1 ? (enum arrival)(next_random(random) % 2)
				   : kind == 2 ? ARRIVED_SECTORS
				   : kind == 3 ? ARRIVED_GARBAGE
					       : any_arrival(random);

		apply_arrival(cut, &h->image->ops[i], how, random);
	}
	return cut;
}

static void cut_everywhere(const struct history_shape *shape, unsigned variants)
{
	uint32_t random = shape->seed * 77;
	struct image *flushed;
	size_t applied = 0;
	struct history h;

	history_make(&h, shape);
	flushed = image_copy(h.base);
	for (size_t k = 1; k <= h.image->op_count; k++) {
		size_t f = history_flushed(&h, k);
		size_t covers = f ? h.image->ops[f - 1].covers : 0;
		char what[64];

		for (; applied < covers; applied++)
			image_apply(flushed, &h.image->ops[applied]);
		(void)snprintf(what, sizeof(what), "seed %u: cut after call %zu", shape->seed, k);
		for (unsigned n = 0; n < variants; n++)
			(void)history_assert(&h,
				cut_state(&h, flushed, covers, k, n ? n % 5 : 4, &random),
				history_durable(&h, k), history_answered(&h, k) + 1,
				k % 11 == 0 && n == 0, what);
	}
	image_free(flushed);
	history_free(&h);
}

static void a_cut_loses_nothing_that_was_fsynced(void **state)
{
	(void)state;
	cut_everywhere(&quiet, 5 * long_factor());
	cut_everywhere(&busy, 5 * long_factor());
	cut_everywhere(&wrapping, 5 * long_factor());
}

static void many_more_histories(void **state)
{
	(void)state;
	for (uint32_t seed = 100; seed < 100 + (long_factor() - 1) * 4; seed++) {
		struct history_shape shape = { .seed = seed,
			.steps = 60 + seed % 70,
			.syncs = 2 + seed % 9,
			.checkpoints = 8 + seed % 30,
			.busy = seed % 2,
			.wrap = seed % 3 == 0 };

		kill_everywhere(&shape);
		cut_everywhere(&shape, 5);
	}
}

/* Opens again and again, each time cut one call later, until opening is not cut any more. */
static void cut_while_opening(const struct history *h, const struct image *now, size_t want)
{
	for (unsigned long n = 1;; n++) {
		struct image *cut = image_over(now);
		struct volume *v = NULL;
		enum cv_err err;

		cut->fail_at = n;
		cut->fail_sticky = true;
		err = image_try_open(cut, &v);
		volume_drop(v);
		cut->fail_at = 0;
		(void)history_assert(h, cut, want, want, n % 4 == 0, "cut while it opens");
		if (!err)
			break;
		assert_true(n < 200);
	}
}

static void recovery_may_be_cut_anywhere(void **state)
{
	struct history h;
	struct image *now;

	(void)state;
	history_make(&h, &busy);
	now = image_copy(h.base);
	for (size_t k = 0; k < h.image->op_count; k++) {
		image_apply(now, &h.image->ops[k]);
		if (k % 40 == 7)
			cut_while_opening(&h, now,
				history_assert(&h, image_over(now), 0, h.count, false, "whole"));
	}
	image_free(now);
	history_free(&h);
}

/* A crash, a session that goes on, a crash again: the logs of both do not mix. */
static void sessions_follow_each_other(void **state)
{
	struct history h;

	(void)state;
	history_make(&h, &quiet);
	for (unsigned round = 0; round < 25; round++) {
		uint64_t want = h.steps[h.count - 1].digest;

		volume_drop(h.volume);
		h.volume = image_open(h.image);
		assert_true(tree_digest(h.volume) == want);
		assert_clean(h.volume);
		history_go_on(&h, &quiet, 6);
	}
	assert_int_equal(volume_close(h.volume), CV_OK);
	h.volume = image_open(h.image);
	assert_null(volume_notice(h.volume));
	assert_true(tree_digest(h.volume) == h.steps[h.count - 1].digest);
	history_free(&h);
}

static void reads_an_unclean_volume_without_writing(void **state)
{
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;
	struct image *copy;
	struct history h;

	(void)state;
	history_make(&h, &quiet);
	copy = image_over(h.image);
	o.read_only = true;
	assert_int_equal(volume_open_store(&v, &copy->store, &o, NULL), CV_OK);
	assert_true(tree_digest(v) == h.steps[h.count - 1].digest);
	assert_non_null(volume_notice(v));
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	assert_int_equal(copy->calls, 0);
	image_free(copy);
	history_free(&h);
}

/* A data key that has sealed enough is replaced, and no frame is ahead of the superblock with it. */
static void a_new_data_key_comes_with_a_checkpoint(void **state)
{
	struct history h;
	uint32_t key;

	(void)state;
	history_make(&h, &quiet);
	key = h.volume->super->active_key;
	h.volume->super->keyring[key].seals = KEYRING_SEALS_MAX;
	history_go_on(&h, &(struct history_shape){ .syncs = 3 }, 20);
	assert_int_equal(h.volume->super->active_key, key);
	assert_int_equal(checkpoint_run(h.volume, SUPER_OPEN), CV_OK);
	assert_int_not_equal(h.volume->super->active_key, key);
	history_go_on(&h, &(struct history_shape){ .syncs = 3 }, 20);
	history_reopen(&h);
	assert_true(tree_digest(h.volume) == h.steps[h.count - 1].digest);
	assert_clean(h.volume);
	history_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_loses_nothing_that_was_answered),
		cmocka_unit_test(a_cut_loses_nothing_that_was_fsynced),
		cmocka_unit_test(many_more_histories),
		cmocka_unit_test(recovery_may_be_cut_anywhere),
		cmocka_unit_test(sessions_follow_each_other),
		cmocka_unit_test(a_new_data_key_comes_with_a_checkpoint),
		cmocka_unit_test(reads_an_unclean_volume_without_writing),
	};

	int failed;

	support_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	print_message("%lu states\n", history_states());
	return failed;
}
