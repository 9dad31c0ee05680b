/*
 * Two epochs at once: they never mix, and an epoch change that stops between any two of its steps
 * leaves a device that unlocks. SIM_SEED and SIM_COUNT as in test_simulator.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/protocol/sim_world.h"

#define OLD 0
#define NEW 1
#define STEPS_MAX (3 * CV_MEMBERS_MAX + 5)

static struct sim_world world;

static uint64_t env_u64(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

static void fail_with(uint64_t seed, const char *broken)
{
	fprintf(stderr, "seed %llu broke: %s (n %zu k %zu, replay with SIM_SEED=%llu SIM_COUNT=1)\n",
		(unsigned long long)seed, broken, world.n, world.k, (unsigned long long)seed);
	fail();
}

static void make_world(struct sim_world *w, uint64_t seed)
{
	struct sim_random r = {.state = seed * 131 + 7};
	size_t n = 2 + (size_t)sim_below(&r, 4);

	sim_world_init(w, seed, n, 2 + (size_t)sim_below(&r, n - 1));
}

/* Each gateway holds the old epoch, the new one, both or none, and some send the wrong one. */
static const char *schedule_mixed(struct sim_world *w, uint64_t seed)
{
	size_t holders[SIM_EPOCHS] = {0};
	enum handshake_action action;

	make_world(w, seed);
	for (size_t i = 0; i < w->n; i++) {
		if (sim_chance(&w->random, 20))
			w->gateways[i].conduct = SIM_OTHER_EPOCH;
		for (size_t e = 0; e < SIM_EPOCHS; e++) {
			w->gateways[i].slots[e].used = sim_chance(&w->random, 70);
			holders[e] += w->gateways[i].slots[e].used &&
				w->gateways[i].conduct == SIM_HONEST;
		}
	}
	for (size_t e = 0; e < SIM_EPOCHS; e++) {
		sim_world_crash(w);
		sim_world_start(w, e, EVIDENCE_UNLOCK, sim_chance(&w->random, 40), 10000);
		/* sim_world checks that the secret is this epoch's, and who lied. */
		action = sim_world_run(w, 1000000);
		if (w->violation != NULL)
			return w->violation;
		if ((action == HANDSHAKE_DONE) != (holders[e] >= w->k))
			return "an epoch opens with K of its own shares and never with others";
	}
	return NULL;
}

static void epochs_never_mix(void **state)
{
	uint64_t first = env_u64("SIM_SEED", 1), count = env_u64("SIM_COUNT", 600);

	(void)state;
	for (uint64_t seed = first; seed < first + count; seed++) {
		const char *broken = schedule_mixed(&world, seed);

		if (broken != NULL)
			fail_with(seed, broken);
		sim_world_close(&world);
	}
}

/* What the device keeps on disk: the key slots of its volume and its share sets. */
struct disk {
	int slot[SIM_EPOCHS];
	int set[SIM_EPOCHS];
	uint64_t counter;
};

enum step_kind {
	GIVE_PENDING,	/* the operator, to each gateway */
	WRITE_SLOT,	/* the device, beside the old one, fsync */
	WRITE_SET,
	UNLOCK_NEW,	/* once, or none of the following */
	MOUNT_OK,	/* to each gateway: promotes */
	DROP_SET,	/* the device forgets the old epoch */
	DROP_SLOT,
	DROP_OLD_SHARE	/* the operator, from each gateway that promoted */
};

struct step {
	enum step_kind kind;
	size_t gateway;
};

static size_t change_plan(struct step steps[STEPS_MAX], const enum step_kind *order, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < 8; i++) {
		size_t times = order[i] == GIVE_PENDING || order[i] == MOUNT_OK ||
				order[i] == DROP_OLD_SHARE
			? n
			: 1;

		for (size_t g = 0; g < times; g++)
			steps[count++] = (struct step){.kind = order[i], .gateway = g};
	}
	return count;
}

/* Returns 0 where a careful actor stops: what the step rests on did not happen. */
static int step_take(struct sim_world *w, struct disk *disk, const struct step *s)
{
	struct sim_gateway *g = &w->gateways[s->gateway];

	switch (s->kind) {
	case GIVE_PENDING:
		g->slots[NEW].used = 1;
		return 1;
	case WRITE_SLOT:
		disk->slot[NEW] = 1;
		return 1;
	case WRITE_SET:
		disk->set[NEW] = 1;
		return 1;
	case UNLOCK_NEW:
		sim_world_crash(w);
		sim_world_start(w, NEW, EVIDENCE_UNLOCK, 0, 60000);
		return sim_world_run(w, 1000000) == HANDSHAKE_DONE;
	case MOUNT_OK:
		return sim_world_mount_ok(w, s->gateway, NEW, ++disk->counter);
	case DROP_SET:
		disk->set[OLD] = 0;
		return 1;
	case DROP_SLOT:
		disk->slot[OLD] = 0;
		return 1;
	case DROP_OLD_SHARE:
		if (g->current != NEW)
			return 0;
		g->slots[OLD].used = 0;
		return 1;
	}
	return 0;
}

/* After the crash: the newest epoch that has both halves on disk, then the one before. */
static int device_unlocks(struct sim_world *w, const struct disk *disk, int sequential)
{
	for (size_t e = SIM_EPOCHS; e-- > 0;) {
		uint8_t secret[CV_SECRET_BYTES];

		if (!disk->set[e] || !disk->slot[e])
			continue;
		sim_world_crash(w);
		sim_world_start(w, e, EVIDENCE_UNLOCK, sequential, 60000);
		if (sim_world_run(w, 1000000) == HANDSHAKE_DONE &&
			handshake_secret(&w->handshake, secret) == CV_OK &&
			memcmp(secret, w->epochs[e].secret, sizeof(secret)) == 0)
			return 1;
	}
	return 0;
}

/* Runs the first `done` steps, cuts the power, and asks whether N-K dead gateways matter. */
static int change_survives(
	uint64_t seed, const enum step_kind *order, size_t done, size_t *total)
{
	struct sim_world *w = &world;
	struct disk disk = {.slot = {1, 0}, .set = {1, 0}};
	struct step steps[STEPS_MAX];
	int unlocks;

	make_world(w, seed);
	*total = change_plan(steps, order, w->n);
	for (size_t i = 0; i < w->n; i++)
		w->gateways[i].slots[NEW].used = 0;
	for (size_t i = 0; i < done && i < *total; i++) {
		if (!step_take(w, &disk, &steps[i]))
			break;
	}
	sim_world_crash(w);
	sim_world_reboot(w);
	for (size_t i = 0; i < w->n - w->k; i++) {
		size_t dead = (size_t)sim_below(&w->random, w->n);

		w->paths[dead] = SIM_DEAD;
	}
	unlocks = device_unlocks(w, &disk, sim_chance(&w->random, 40));
	if (w->violation != NULL)
		fail_with(seed, w->violation);
	sim_world_close(w);
	return unlocks;
}

static const enum step_kind right_order[] = {GIVE_PENDING, WRITE_SLOT, WRITE_SET, UNLOCK_NEW,
	MOUNT_OK, DROP_SET, DROP_SLOT, DROP_OLD_SHARE};

static void a_change_of_epoch_cut_off_between_any_two_steps_leaves_a_device_that_unlocks(void **state)
{
	uint64_t first = env_u64("SIM_SEED", 1), count = env_u64("SIM_COUNT", 40);

	(void)state;
	for (uint64_t seed = first; seed < first + count; seed++) {
		size_t total = 1;

		for (size_t done = 0; done <= total; done++) {
			if (!change_survives(seed, right_order, done, &total))
				fail_with(seed, "at every crash point one epoch opens");
		}
	}
}

/* The check itself: each of these orders locks somebody out at some crash point. */
static void a_change_in_another_order_would_lock_out(void **state)
{
	static const enum step_kind wrong[][8] = {
		{WRITE_SLOT, WRITE_SET, DROP_SET, DROP_SLOT, GIVE_PENDING, UNLOCK_NEW, MOUNT_OK,
			DROP_OLD_SHARE},
		{GIVE_PENDING, WRITE_SET, DROP_SLOT, WRITE_SLOT, UNLOCK_NEW, MOUNT_OK, DROP_SET,
			DROP_OLD_SHARE},
	};

	(void)state;
	for (size_t o = 0; o < sizeof(wrong) / sizeof(wrong[0]); o++) {
		size_t total = 1;
		unsigned int locked_out = 0;

		for (size_t done = 0; done <= total; done++)
			locked_out += !change_survives(1, wrong[o], done, &total);
		assert_true(locked_out > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(epochs_never_mix),
		cmocka_unit_test(
			a_change_of_epoch_cut_off_between_any_two_steps_leaves_a_device_that_unlocks),
		cmocka_unit_test(a_change_in_another_order_would_lock_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
