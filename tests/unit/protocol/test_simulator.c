/*
 * Thousands of schedules through the real state machine. A failing seed is printed with what it
 * broke; SIM_SEED=seed SIM_COUNT=1 replays it, SIM_TRACE=1 shows it, SIM_COUNT=n runs more,
 * SIM_TEST=pattern picks tests by name; make test-long (CONCLAVE_LONG) runs ten times as many.
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

#define MINUTE_MS 60000u
#define ENDLESS 1000000u /* steps; more is a machine that never ends */

static struct sim_world world;

/* One schedule: returns what was broken, or NULL. */
typedef const char *schedule_fn(struct sim_world *w, uint64_t seed);

static uint64_t env_u64(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

static void run_schedules(const char *name, schedule_fn *schedule, uint64_t count)
{
	uint64_t first = env_u64("SIM_SEED", 1);
	unsigned int failures = 0;

	count = env_u64("SIM_COUNT", getenv("CONCLAVE_LONG") != NULL ? 10 * count : count);
	for (uint64_t seed = first; seed < first + count && failures < 5; seed++) {
		const char *broken = schedule(&world, seed);

		if (world.violation != NULL)
			broken = world.violation;
		if (broken != NULL) {
			fprintf(stderr, "%s: seed %llu broke: %s (n %zu k %zu, replay with "
					"SIM_SEED=%llu SIM_COUNT=1 SIM_TRACE=1)\n",
				name, (unsigned long long)seed, broken, world.n, world.k,
				(unsigned long long)seed);
			failures++;
		}
		sim_world_close(&world);
	}
	assert_int_equal(failures, 0);
}

static void make_world(struct sim_world *w, uint64_t seed)
{
	struct sim_random r = {.state = seed * 77 + 5};
	size_t n = 1 + (size_t)sim_below(&r, sim_chance(&r, 10) ? CV_MEMBERS_MAX : 6);
	size_t k = 1 + (size_t)sim_below(&r, n);

	if (k == 1 && n > 1 && sim_chance(&r, 80))
		k = 2;
	sim_world_init(w, seed, n, k);
	w->forgetful = sim_chance(&w->random, 15);
}

static enum sim_conduct any_lie(struct sim_world *w)
{
	return (enum sim_conduct)(1 + sim_below(&w->random, SIM_CONDUCTS - 1));
}

/* Everybody but `spared` random members lies, or sits behind a network that does anything. */
static void corrupt_all_but(struct sim_world *w, size_t spared)
{
	size_t order[CV_MEMBERS_MAX];

	for (size_t i = 0; i < w->n; i++) {
		size_t j = (size_t)sim_below(&w->random, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (size_t i = spared; i < w->n; i++) {
		w->paths[order[i]] = (enum sim_path)sim_below(&w->random, SIM_DEAD + 1);
		w->fault_budget[order[i]] = (unsigned int)sim_below(&w->random, 4);
		w->gateways[order[i]].conduct =
			sim_chance(&w->random, 70) ? any_lie(w) : SIM_HONEST;
	}
}

/* Longest time that K clean honest gateways need, whoever else is in the way. */
static uint64_t clean_bound_ms(const struct sim_world *w, int sequential)
{
	uint64_t exchange_ms = 4 * SIM_LATENCY_MS;
	/* one after another, each liar may use up each retry with two slow answers */
	uint64_t liar_ms = 7 * 2 * (CV_GATEWAY_TIMEOUT_MS + 500);

	if (!sequential)
		return exchange_ms + 2 * CV_TOKEN_WAIT_MS + 10;
	return w->k * exchange_ms + (w->n - w->k) * liar_ms;
}

static const char *schedule_clean(struct sim_world *w, uint64_t seed)
{
	uint64_t start_ms;
	int sequential;

	make_world(w, seed);
	corrupt_all_but(w, w->k + (size_t)sim_below(&w->random, w->n - w->k + 1));
	sequential = sim_chance(&w->random, 40);
	start_ms = w->now_ms;
	sim_world_start(w, 0, EVIDENCE_UNLOCK, sequential, 10 * MINUTE_MS);
	if (sim_world_run(w, ENDLESS) != HANDSHAKE_DONE)
		return "K honest reachable gateways unlock";
	if (w->now_ms - start_ms > clean_bound_ms(w, sequential))
		return "K honest reachable gateways unlock in time";
	return NULL;
}

static void k_honest_reachable_gateways_unlock_in_time_whatever_the_others_do(void **state)
{
	(void)state;
	run_schedules("clean", schedule_clean, 1500);
}

/*
 * Each honest path may fail a few times (lost, late, twice, changed, answered by somebody else,
 * refused by nobody), gateways restart, the device loses power at any event.
 */
static const char *schedule_flaky(struct sim_world *w, uint64_t seed)
{
	unsigned int crashes;
	int sequential;

	make_world(w, seed);
	corrupt_all_but(w, w->k);
	for (size_t i = 0; i < w->n; i++) {
		if (w->paths[i] == SIM_CLEAN && w->gateways[i].conduct == SIM_HONEST) {
			w->paths[i] = SIM_FLAKY;
			w->fault_budget[i] = (unsigned int)sim_below(&w->random, 5);
		}
	}
	sequential = sim_chance(&w->random, 40);
	for (crashes = (unsigned int)sim_below(&w->random, 4); crashes > 0; crashes--) {
		sim_world_start(w, 0, EVIDENCE_UNLOCK, sequential, 120 * MINUTE_MS);
		sim_world_gateway_restart(
			w, (size_t)sim_below(&w->random, w->n), sim_below(&w->random, 1000));
		if (sim_world_run(w, (unsigned int)sim_below(&w->random, 40)) != HANDSHAKE_WAIT)
			break;
		if (w->violation != NULL)
			return NULL;
		sim_world_crash(w);
		/* Half of the time only the process died, and comes back with the boot's key. */
		if (sim_chance(&w->random, 50))
			sim_world_reboot(w);
	}
	sim_world_start(w, 0, EVIDENCE_UNLOCK, sequential, 120 * MINUTE_MS);
	if (sim_world_run(w, ENDLESS) != HANDSHAKE_DONE)
		return "once the faults are spent and after any crash the device unlocks";
	return NULL;
}

static void a_finite_number_of_faults_and_crashes_leaves_a_device_that_unlocks(void **state)
{
	(void)state;
	run_schedules("flaky", schedule_flaky, 1200);
}

/* At most K-1 gateways give true shares; the rest lies, is silent or is cut off. */
static const char *schedule_too_few(struct sim_world *w, uint64_t seed)
{
	uint64_t give_up_ms;
	size_t honest;

	make_world(w, seed);
	honest = (size_t)sim_below(&w->random, w->k);
	corrupt_all_but(w, honest);
	for (size_t i = 0; i < w->n; i++) {
		struct sim_gateway *g = &w->gateways[i];

		if (w->paths[i] == SIM_CLEAN && g->conduct == SIM_HONEST && honest > 0)
			honest--;
		else if (g->conduct == SIM_HONEST)
			g->conduct = any_lie(w);
		if (g->conduct == SIM_FICKLE)
			g->conduct = SIM_WRONG_SHARE;
	}
	give_up_ms = w->now_ms + MINUTE_MS + sim_below(&w->random, 2 * MINUTE_MS);
	sim_world_start(
		w, 0, EVIDENCE_UNLOCK, sim_chance(&w->random, 40), give_up_ms - w->now_ms);
	if (sim_world_run(w, ENDLESS) != HANDSHAKE_FAILED)
		return "fewer than K releases never give the secret";
	if (w->now_ms != give_up_ms)
		return "the deadline of the whole is met to the millisecond";
	return NULL;
}

static void fewer_than_k_releases_never_give_the_secret(void **state)
{
	(void)state;
	run_schedules("too few", schedule_too_few, 700);
}

/* Nothing is promised but safety: every gateway and every path does what it likes. */
static const char *schedule_anything(struct sim_world *w, uint64_t seed)
{
	make_world(w, seed);
	corrupt_all_but(w, 0);
	sim_world_start(w, (size_t)sim_below(&w->random, SIM_EPOCHS),
		sim_chance(&w->random, 20) ? EVIDENCE_CHECK : EVIDENCE_UNLOCK,
		sim_chance(&w->random, 40), 3 * MINUTE_MS);
	if (sim_world_run(w, ENDLESS) == HANDSHAKE_WAIT)
		return "every handshake ends";
	return NULL;
}

static void chaos_breaks_no_promise(void **state)
{
	(void)state;
	run_schedules("anything", schedule_anything, 1500);
}

/* N-K+1 gateways revoked the device. */
static const char *schedule_revoked(struct sim_world *w, uint64_t seed)
{
	size_t revoked;

	make_world(w, seed);
	revoked = w->n - w->k + 1;
	for (size_t i = 0; i < revoked; i++)
		w->gateways[i].conduct = SIM_DENIES;
	sim_world_start(w, 0, EVIDENCE_UNLOCK, sim_chance(&w->random, 40), 60 * MINUTE_MS);
	if (sim_world_run(w, ENDLESS) != HANDSHAKE_FAILED)
		return "N-K+1 revocations keep a device locked";
	if (handshake_outcome(&w->handshake) != CV_ERR_DENIED)
		return "a denial is called one";
	if (w->handshake.attempt > 12)
		return "a denied device asks once in five minutes";
	for (size_t i = 0; i < revoked; i++) {
		if (w->gateways[i].conduct == SIM_DENIES && w->gateways[i].nonces > 12)
			return "no gateway is asked more often";
		w->gateways[i].conduct = SIM_HONEST;
	}
	/* Nothing was wiped: reinstated, it unlocks. */
	sim_world_crash(w);
	sim_world_start(w, 0, EVIDENCE_UNLOCK, 0, MINUTE_MS);
	return sim_world_run(w, ENDLESS) == HANDSHAKE_DONE ? NULL : "reinstated, it unlocks";
}

static void n_minus_k_plus_1_revocations_lock_and_slow_but_wipe_nothing(void **state)
{
	(void)state;
	run_schedules("revoked", schedule_revoked, 200);
}

static const char *schedule_replayed(struct sim_world *w, uint64_t seed)
{
	static struct handshake first;
	uint64_t first_ms;

	for (int round = 0; round < 2; round++) {
		make_world(w, seed);
		corrupt_all_but(w, w->k);
		sim_world_start(w, 0, EVIDENCE_UNLOCK, (int)(seed & 1), 5 * MINUTE_MS);
		(void)sim_world_run(w, ENDLESS);
		if (round == 0) {
			first = w->handshake;
			first_ms = w->now_ms;
			sim_world_close(w);
			continue;
		}
		if (w->now_ms != first_ms || w->handshake.attempt != first.attempt)
			return "the same seed gives the same schedule";
		for (size_t i = 0; i < w->n; i++) {
			if (w->handshake.members[i].phase != first.members[i].phase ||
				w->handshake.members[i].fault != first.members[i].fault)
				return "the same seed gives the same end";
		}
	}
	return NULL;
}

static void a_seed_replays(void **state)
{
	(void)state;
	run_schedules("replay", schedule_replayed, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			k_honest_reachable_gateways_unlock_in_time_whatever_the_others_do),
		cmocka_unit_test(
			a_finite_number_of_faults_and_crashes_leaves_a_device_that_unlocks),
		cmocka_unit_test(fewer_than_k_releases_never_give_the_secret),
		cmocka_unit_test(chaos_breaks_no_promise),
		cmocka_unit_test(n_minus_k_plus_1_revocations_lock_and_slow_but_wipe_nothing),
		cmocka_unit_test(a_seed_replays),
	};

	if (getenv("SIM_TEST") != NULL)
		cmocka_set_test_filter(getenv("SIM_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
