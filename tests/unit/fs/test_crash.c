/*
 * Power cuts: everything written to the container is recorded, and states that a cut may leave are
 * built from it, opened and compared with the tree of the checkpoint that the state claims.
 */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/model.h"

#define ROUNDS 24
#define STEPS_PER_ROUND 5
#define VOLUME_BYTES (VOLUME_SIZE_MIN + ((uint64_t)16 << 20))

/* The tree of one generation, and from which recorded call on it is durable. */
struct snapshot {
	uint64_t generation;
	size_t durable_at;
	struct model model;
};

struct history {
	struct image *base;  /* before the first recorded call */
	struct image *image; /* with the record */
	struct snapshot shots[ROUNDS + 2];
	size_t count;
};

static void remember(struct history *h, struct volume *v, const struct model *m)
{
	struct snapshot *s = &h->shots[h->count++];

	s->generation = volume_generation(v);
	s->durable_at = h->image->op_count;
	model_copy(&s->model, m);
}

static void make_history(struct history *h, uint32_t seed)
{
	uint32_t random = seed;
	struct volume *v;
	struct model m;

	h->image = image_new(VOLUME_BYTES);
	h->count = 0;
	v = image_open(h->image);
	h->base = image_copy(h->image);
	image_record(h->image);
	model_init(&m);
	remember(h, v, &m);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned step = 0; step < STEPS_PER_ROUND; step++)
			assert_true(model_step(&m, v, &random));
		/* the operations themselves are too small for a checkpoint of their own */
		assert_int_equal(volume_generation(v), h->shots[h->count - 1].generation);
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
		remember(h, v, &m);
	}
	model_wipe(&m);
	volume_drop(v);
}

static void free_history(struct history *h)
{
	for (size_t i = 0; i < h->count; i++)
		model_wipe(&h->shots[i].model);
	image_free(h->base);
	image_free(h->image);
}

static uint64_t durable_generation(const struct history *h, size_t calls)
{
	uint64_t g = 0;

	for (size_t i = 0; i < h->count; i++)
		if (h->shots[i].durable_at <= calls)
			g = h->shots[i].generation;
	return g;
}

/* Opens a state in which the first `calls` calls had returned, and compares. */
static void assert_state(const struct history *h, struct image *state, size_t calls, bool check)
{
	struct volume *v = NULL;
	uint64_t g;
	size_t i;

	if (image_try_open(state, &v) != CV_OK)
		fail_msg("after %zu calls: does not open", calls);
	g = volume_generation(v) - 1; /* opening wrote one of its own */
	assert_true(g >= durable_generation(h, calls));
	for (i = 0; i < h->count && h->shots[i].generation != g; i++)
		;
	assert_true(i < h->count);
	if (!model_equal(&h->shots[i].model, v))
		fail_msg("after %zu calls: generation %lu differs", calls, (unsigned long)g);
	if (check)
		assert_clean(v);
	volume_drop(v);
	image_free(state);
}

static void opens_after_every_prefix(void **state)
{
	struct history h;
	struct image *now;

	(void)state;
	make_history(&h, 5);
	now = image_copy(h.base);
	for (size_t k = 0; k <= h.image->op_count; k++) {
		/* between flushes nothing but the order of writes differs: every 7th will do */
		if (k == h.image->op_count || h.image->ops[k].flush || k % 7 == 0)
			assert_state(&h, image_copy(now), k, k % 5 == 0);
		if (k < h.image->op_count)
			image_apply(now, &h.image->ops[k]);
	}
	image_free(now);
	free_history(&h);
}

/* A write of which only some 512-byte sectors arrived. */
static void apply_torn(struct image *image, const struct record_op *op, uint32_t *random)
{
	for (size_t at = 0; at < op->len; at += 512) {
		uint8_t *block = image_block(image, (op->offset + at) / BLOCK_BYTES);

		if (next_random(random) % 2)
			memcpy(block + (op->offset + at) % BLOCK_BYTES, op->bytes + at, 512);
	}
}

static void opens_with_any_subset_of_unflushed_writes(void **state)
{
	struct history h;
	struct image *flushed;
	uint32_t random = 99;
	size_t last_flush = 0;

	(void)state;
	make_history(&h, 11);
	flushed = image_copy(h.base);
	for (size_t k = 0; k < h.image->op_count; k++) {
		if (!h.image->ops[k].flush)
			continue;
		for (unsigned variant = 0; variant < 4; variant++) {
			struct image *cut = image_copy(flushed);

			for (size_t i = last_flush; i < k; i++) {
				if (next_random(&random) % 3 == 0)
					image_apply(cut, &h.image->ops[i]);
				else if (next_random(&random) % 2)
					apply_torn(cut, &h.image->ops[i], &random);
			}
			assert_state(&h, cut, last_flush, variant == 0);
		}
		for (size_t i = last_flush; i < k; i++)
			image_apply(flushed, &h.image->ops[i]);
		last_flush = k + 1;
	}
	image_free(flushed);
	free_history(&h);
}

static bool is_superblock(const struct record_op *op)
{
	return !op->flush && op->len == BLOCK_BYTES &&
	       op->offset % ((uint64_t)SUPER_STRIDE_BLOCKS * BLOCK_BYTES) == 0;
}

/* Opens again and again, each time cut one call later, until opening is not cut any more. */
static void cut_while_opening(const struct image *now)
{
	for (unsigned long n = 1;; n++) {
		struct image *cut = image_copy(now);
		struct volume *v = NULL;
		enum cv_err err;

		cut->fail_at = n;
		cut->fail_sticky = true;
		err = image_try_open(cut, &v);
		volume_drop(v);
		cut->fail_at = 0;
		v = image_open(cut);
		assert_clean(v);
		assert_int_equal(volume_close(v), CV_OK);
		image_free(cut);
		if (!err)
			break;
		assert_true(n < 100);
	}
}

/* A cut after any superblock write, and another in the first writes of the next session. */
static void opens_after_cuts_while_opening(void **state)
{
	struct history h;
	struct image *now;
	unsigned tried = 0;

	(void)state;
	make_history(&h, 23);
	now = image_copy(h.base);
	for (size_t k = 0; k < h.image->op_count && tried < 8; k++) {
		image_apply(now, &h.image->ops[k]);
		if (!is_superblock(&h.image->ops[k]))
			continue;
		cut_while_opening(now);
		tried++;
	}
	assert_int_equal(tried, 8);
	image_free(now);
	free_history(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_after_every_prefix),
		cmocka_unit_test(opens_with_any_subset_of_unflushed_writes),
		cmocka_unit_test(opens_after_cuts_while_opening),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
