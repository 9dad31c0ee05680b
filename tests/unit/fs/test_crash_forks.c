/*
 * Containers that went two ways: a copy is kept, the volume crashes and is opened again, and parts of
 * the copy are put back. What opens is a tree that this volume had, and never one of two sessions.
 */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/history.h"

static const struct history_shape shape = { .seed = 7, .steps = 60, .syncs = 3, .checkpoints = 25 };

static const struct history_shape no_checkpoints = { .syncs = 3 };

struct ring {
	uint64_t first;
	uint64_t count;
};

static struct ring ring_of(const struct volume *v)
{
	return (struct ring){ v->super->log.ring, v->super->log.blocks };
}

static void put_back(struct image *to, struct image *from, uint64_t block)
{
	memcpy(image_block(to, block), image_block(from, block), BLOCK_BYTES);
}

/* Opens: true, and it is the tree of a step from `low` on; or it is refused as damaged. */
static bool opens_whole(const struct history *h, struct image *state, size_t low)
{
	struct volume_why why = { "" };
	struct volume_open_options o = test_open_options();
	struct volume *v = NULL;
	enum cv_err err = volume_open_store(&v, &state->store, &o, &why);

	if (err) {
		assert_int_equal(err, CV_ERR_TAMPERED);
		assert_non_null(strstr(why.text, "at byte "));
		image_free(state);
		return false;
	}
	volume_drop(v);
	(void)history_assert(h, state, low, h->count, false, "fork");
	return true;
}

/* Puts every block of the ring that differs back, alone and with all behind it. */
static void mix_rings(const struct history *h, struct image *other, size_t low)
{
	struct ring ring = ring_of(h->volume);
	unsigned refused = 0;
	unsigned opened = 0;

	for (uint64_t b = ring.first; b < ring.first + ring.count; b++) {
		struct image *one;
		struct image *rest;

		if (memcmp(image_block(h->image, b), image_block(other, b), BLOCK_BYTES) == 0)
			continue;
		one = image_over(h->image);
		put_back(one, other, b);
		*(opens_whole(h, one, low) ? &opened : &refused) += 1;
		rest = image_over(h->image);
		for (uint64_t c = b; c < ring.first + ring.count; c++)
			put_back(rest, other, c);
		*(opens_whole(h, rest, low) ? &opened : &refused) += 1;
	}
	assert_true(refused > 5 && opened > 5);
}

static void frames_of_an_earlier_session_do_not_come_back(void **state)
{
	struct image *before;
	struct history h;
	size_t low;

	(void)state;
	history_make(&h, &shape);
	history_reopen(&h);
	before = image_copy(h.image);
	history_go_on(&h, &shape, 40);
	/* the checkpoint that ended the first session's log is durable: nothing goes behind it */
	history_reopen(&h);
	low = h.count - 1;
	history_go_on(&h, &no_checkpoints, 60);
	mix_rings(&h, before, low);
	image_free(before);
	history_free(&h);
}

/* The same volume opened twice from one crashed container: two sessions, two keys. */
static void frames_of_a_fork_do_not_fit(void **state)
{
	struct image *fork;
	struct history h;
	struct volume *v;
	uint32_t random = 99;
	size_t low;

	(void)state;
	history_make(&h, &shape);
	fork = image_copy(h.image);
	v = image_open(fork);
	for (unsigned i = 0; i < 50; i++) {
		struct dir_new new = { .mode = S_IFREG | 0644 };
		char text[16];
		uint64_t object;

		(void)snprintf(text, sizeof(text), "fork%u", i);
		struct dir_name name = { text, strlen(text) };

		assert_int_equal(dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_OK);
		if (next_random(&random) % 3 == 0)
			assert_int_equal(volume_sync(v), CV_OK);
	}
	volume_drop(v);
	low = h.count - 1;
	history_reopen(&h);
	history_go_on(&h, &no_checkpoints, 60);
	mix_rings(&h, fork, low);
	image_free(fork);
	history_free(&h);
}

/* Any set of superblocks from before, with or without the ring from before. */
static void older_superblocks_name_trees_that_were(void **state)
{
	struct history h;
	struct image *before;
	struct ring ring;
	unsigned refused = 0;

	(void)state;
	history_make(&h, &shape);
	before = image_copy(h.image);
	ring = ring_of(h.volume);
	for (unsigned round = 0; round < 6; round++) {
		history_go_on(&h, &shape, 12);
		assert_int_equal(checkpoint_run(h.volume, SUPER_OPEN), CV_OK);
		for (unsigned mask = 1; mask < 32; mask++) {
			struct image *mixed = image_over(h.image);
			struct volume *v = NULL;

			for (unsigned slot = 0; slot < SUPER_SLOTS; slot++)
				if (mask >> slot & 1)
					put_back(mixed, before, super_slot_block(slot));
			for (uint64_t b = 0; mask & 16 && b < ring.count; b++)
				put_back(mixed, before, ring.first + b);
			if (image_try_open(mixed, &v)) {
				refused++;
				image_free(mixed);
				continue;
			}
			volume_drop(v);
			(void)history_assert(&h, mixed, 0, h.count, false, "superblocks");
		}
	}
	assert_true(refused > 30);
	image_free(before);
	history_free(&h);
}

/* Both slots of the newest pair are gone while the volume was in use: the other pair replays to the
 * same end, also where the ring came round in between. */
static void the_loss_of_the_newest_pair_costs_nothing(void **state)
{
	static const struct history_shape long_shape = { .seed = 3, .steps = 0, .syncs = 1 };
	struct history h;
	uint64_t first;

	(void)state;
	history_begin(&h, true);
	h.random = 3;
	first = volume_generation(h.volume);
	for (unsigned round = 0; round < 100; round++) {
		struct image *lost;
		unsigned pair;

		history_go_on(&h, &long_shape, 10);
		lost = image_over(h.image);
		pair = (unsigned)(volume_generation(h.volume) % 2);
		memset(image_block(lost, super_slot_block(pair)), 0, BLOCK_BYTES);
		memset(image_block(lost, super_slot_block(pair + 2)), 0, BLOCK_BYTES);
		(void)history_assert(&h, lost, h.count - 1, h.count, round % 10 == 0, "pair lost");
	}
	/* the ring of 2 MiB came round more than once */
	assert_true(volume_generation(h.volume) > first + 4);
	history_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_an_earlier_session_do_not_come_back),
		cmocka_unit_test(frames_of_a_fork_do_not_fit),
		cmocka_unit_test(older_superblocks_name_trees_that_were),
		cmocka_unit_test(the_loss_of_the_newest_pair_costs_nothing),
	};

	int failed;

	support_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	print_message("%lu states\n", history_states());
	return failed;
}
