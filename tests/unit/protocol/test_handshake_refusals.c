/* Refusals, retries, deadlines, and what the caller may do wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/protocol/sim_step.h"

static struct sim_world w;

static int setup(void **state)
{
	(void)state;
	sim_world_init(&w, 43, 3, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_world_close(&w);
	return 0;
}

static void authentic_nonsense_is_a_fault_of_its_own_and_no_refusal(void **state)
{
	(void)state;
	w.gateways[0].conduct = SIM_GARBAGE;
	w.gateways[1].conduct = SIM_WRONG_STATUS;
	for (uint64_t seed = 0; seed < 50; seed++) {
		w.gateways[0].random.state = w.gateways[1].random.state = seed;
		sim_world_start(&w, 0, EVIDENCE_CHECK, 0, 0);
		assert_int_equal(sim_world_run(&w, 1000), HANDSHAKE_DONE);
		assert_int_equal(w.handshake.members[0].fault, HANDSHAKE_FAULT_MESSAGE);
		assert_int_equal(w.handshake.members[1].fault, HANDSHAKE_FAULT_MESSAGE);
		assert_int_equal(handshake_denials(&w.handshake), 0);
		assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_TOO_FEW);
	}
}

static void a_new_nonce_is_asked_for_three_times_and_no_more(void **state)
{
	unsigned int asked;

	(void)state;
	w.gateways[0].conduct = SIM_NEW_NONCE;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 1, 0);
	while (w.handshake.members[0].phase != HANDSHAKE_OUT)
		(void)sim_step_exchange(&w);
	asked = w.gateways[0].nonces;
	assert_int_equal(asked, 4);
	assert_int_equal(handshake_denials(&w.handshake), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(sim_step_exchange(&w), 1 + i / 2);
	assert_int_equal(sim_step_next(&w), HANDSHAKE_DONE);
}

static void a_spent_nonce_leads_to_a_new_one_with_the_same_key(void **state)
{
	struct sim_message sent, answer;
	uint8_t key[CV_X25519_BYTES];

	(void)state;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 1, 0);
	(void)sim_step_exchange(&w);
	sent = sim_step_send(&w);
	memcpy(key, w.handshake.evidence.boot_key, sizeof(key));
	(void)sim_step_answer(&w, &sent);
	answer = sim_step_answer(&w, &sent); /* delivered twice: the second is refused */
	assert_int_equal(answer.status, 403);
	sim_step_hear(&w, 0, &answer);
	assert_int_equal(w.handshake.members[0].reason, REASON_NONCE_SPENT);
	assert_int_equal(sim_step_exchange(&w), 0);
	assert_int_equal(sim_step_exchange(&w), 0);
	assert_memory_equal(key, w.handshake.evidence.boot_key, sizeof(key));
	assert_int_equal(handshake_shares(&w.handshake), 1);
}

static void a_retry_after_of_a_year_is_capped_at_half_a_minute(void **state)
{
	uint64_t wake_ms;

	(void)state;
	w.gateways[0].conduct = SIM_LATER_YEAR;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	for (size_t i = 0; i < 3; i++) {
		struct sim_message sent = sim_step_send(&w);
		struct sim_message answer = sim_step_answer(&w, &sent);

		sim_step_hear(&w, i, &answer);
	}
	while (w.handshake.members[0].phase != HANDSHAKE_LATER)
		(void)sim_step_exchange(&w);
	assert_true(w.handshake.members[0].not_before_ms > w.now_ms + CV_RETRY_AFTER_MAX_S * 1000);
	assert_true(w.handshake.members[0].not_before_ms <=
		w.now_ms + (CV_RETRY_AFTER_MAX_S + 1) * 1000);
	/* The others hold K nonces and do not wait for it. */
	sim_step_exchange_all(&w, w.handshake.members[1].phase == HANDSHAKE_SHARE_HELD ? 1 : 2);
	assert_int_equal(handshake_next(&w.handshake, w.now_ms, NULL, &wake_ms), HANDSHAKE_DONE);
}

/* One gateway down, one "later": the lost one is asked again while the other is waited for. */
static void lost_answers_are_asked_for_again_while_a_later_is_waited_out(void **state)
{
	struct sim_message sent[4], answer;
	uint64_t wake_ms;

	(void)state;
	sim_world_close(&w);
	sim_world_init(&w, 45, 4, 3);
	w.gateways[0].conduct = SIM_LATER_YEAR;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	for (size_t i = 0; i < 4; i++)
		sent[i] = sim_step_send(&w);
	handshake_no_answer(&w.handshake, 1, w.now_ms, HANDSHAKE_FAULT_TIMEOUT);
	for (size_t i = 0; i < 4; i++) {
		if (i == 1)
			continue;
		answer = sim_step_answer(&w, &sent[i]);
		sim_step_hear(&w, i, &answer);
	}
	while (handshake_shares(&w.handshake) < 2 ||
		w.handshake.members[0].phase != HANDSHAKE_LATER)
		(void)sim_step_exchange(&w);
	wake_ms = sim_step_wait(&w);
	assert_true(wake_ms <= w.now_ms + 1001);
	w.now_ms = wake_ms;
	assert_int_equal(sim_step_exchange(&w), 1);
	assert_int_equal(sim_step_exchange(&w), 1);
	assert_int_equal(sim_step_next(&w), HANDSHAKE_DONE);
	assert_int_equal(w.handshake.attempt, 1);
}

static void n_minus_k_plus_1_refusals_wait_five_minutes_and_fewer_do_not(void **state)
{
	(void)state;
	w.gateways[0].conduct = w.gateways[1].conduct = SIM_DENIES;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	while (handshake_denials(&w.handshake) < 2)
		(void)sim_step_exchange(&w);
	assert_int_equal(sim_step_wait(&w), w.now_ms + CV_DENIED_RETRY_MS);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_DENIED);
	w.gateways[1].conduct = SIM_HONEST;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 1, 0);
	while (handshake_denials(&w.handshake) < 1)
		(void)sim_step_exchange(&w);
	sim_step_lose(&w, 1, HANDSHAKE_FAULT_TIMEOUT);
	assert_true(sim_step_wait(&w) <= w.now_ms + 1001);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_TOO_FEW);
}

static void later_is_waited_out_three_times_and_no_more(void **state)
{
	(void)state;
	sim_world_close(&w);
	sim_world_init(&w, 46, 2, 2);
	w.gateways[0].conduct = SIM_LATER_YEAR;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 1, 0);
	while (w.handshake.members[0].later_retries < 4) {
		enum handshake_phase phase = w.handshake.members[0].phase;

		if (phase == HANDSHAKE_LATER && handshake_shares(&w.handshake) == 1)
			w.now_ms = sim_step_wait(&w);
		(void)sim_step_exchange(&w);
	}
	assert_int_equal(w.handshake.members[0].phase, HANDSHAKE_OUT);
	(void)sim_step_wait(&w);
	assert_int_not_equal(w.handshake.next_attempt_ms, 0);
	assert_int_equal(handshake_denials(&w.handshake), 0);
	/* What it asked for last holds in the next attempt too. */
	w.now_ms = w.handshake.next_attempt_ms;
	assert_int_equal(sim_step_exchange(&w), 1);
	assert_int_equal(w.handshake.attempt, 2);
	assert_int_equal(w.handshake.members[0].phase, HANDSHAKE_LATER);
}

/* Refusals of one attempt are not held against the next one. */
static void each_attempt_starts_anew(void **state)
{
	(void)state;
	w.gateways[0].conduct = SIM_DENIES;
	w.gateways[1].conduct = SIM_NEW_NONCE;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 1, 0);
	for (unsigned int attempt = 1; attempt <= 2; attempt++) {
		do
			(void)sim_step_exchange(&w);
		while (w.handshake.members[1].nonce_retries < 4);
		assert_int_equal(handshake_denials(&w.handshake), 1);
		w.now_ms = sim_step_wait(&w);
	}
	w.gateways[0].conduct = w.gateways[1].conduct = SIM_HONEST;
	assert_int_equal(sim_step_exchange(&w), 0);
	assert_int_equal(handshake_denials(&w.handshake), 0);
	assert_int_equal(w.handshake.members[1].nonce_retries, 0);
	assert_false(w.handshake.members[0].has_reason);
}

static void the_reason_shown_is_that_of_the_last_answer(void **state)
{
	struct sim_message sent, answer;

	(void)state;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 1, 0);
	(void)sim_step_exchange(&w);
	sent = sim_step_send(&w);
	(void)sim_step_answer(&w, &sent);
	answer = sim_step_answer(&w, &sent);
	sim_step_hear(&w, 0, &answer);
	assert_true(w.handshake.members[0].has_reason);
	(void)sim_step_exchange(&w);
	assert_false(w.handshake.members[0].has_reason);
}

/* Waiting to ask a silent gateway again is this device's own choice and ends with the attempt. */
static void a_lost_answer_delays_nothing_in_the_next_attempt(void **state)
{
	struct handshake_member *lost = &w.handshake.members[1];

	(void)state;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	sim_step_lose(&w, 3, HANDSHAKE_FAULT_TIMEOUT);
	lost->phase = HANDSHAKE_LATER;
	lost->not_before_ms = w.now_ms + 60000;
	w.now_ms = sim_step_wait(&w);
	sim_step_exchange_all(&w, 3);
	assert_int_equal(w.handshake.attempt, 2);
}

/* Waits between attempts: 0 .. min(30 s, 1 s * 2^n), spread over all of it. */
static void waits_between_attempts_have_full_jitter(void **state)
{
	uint64_t least[8], most[8];

	(void)state;
	memset(least, 0xff, sizeof(least));
	memset(most, 0, sizeof(most));
	for (uint64_t seed = 0; seed < 200; seed++) {
		sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
		w.random.state = seed;
		for (size_t n = 0; n < 8; n++) {
			uint64_t wake_ms;

			sim_step_lose(&w, 3, HANDSHAKE_FAULT_REFUSED);
			wake_ms = sim_step_wait(&w) - w.now_ms;
			least[n] = wake_ms < least[n] ? wake_ms : least[n];
			most[n] = wake_ms > most[n] ? wake_ms : most[n];
			w.now_ms += wake_ms;
		}
	}
	for (size_t n = 0; n < 8; n++) {
		uint64_t max_ms = n < 5 ? 1000u << n : 30000u;

		assert_true(least[n] >= 1 && least[n] < max_ms / 10);
		assert_true(most[n] <= max_ms + 1 && most[n] > max_ms - max_ms / 10);
	}
}

static void the_deadline_of_the_whole_bounds_every_request_and_names_the_cause(void **state)
{
	struct handshake_request request;
	uint64_t wake_ms, start_ms = w.now_ms;

	(void)state;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 500);
	assert_int_equal(handshake_next(&w.handshake, w.now_ms, &request, &wake_ms), HANDSHAKE_SEND);
	assert_int_equal(request.deadline_ms, start_ms + 500);
	(void)sim_step_send(&w);
	(void)sim_step_send(&w);
	assert_int_equal(sim_step_wait(&w), start_ms + 500);
	w.now_ms = start_ms + 500;
	assert_int_equal(sim_step_next(&w), HANDSHAKE_FAILED);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_TIMEOUT);
	/* The attempt that is cut short says less than the one before it. */
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 60000);
	sim_step_lose(&w, 3, HANDSHAKE_FAULT_REFUSED);
	w.now_ms = sim_step_wait(&w);
	(void)sim_step_send(&w);
	w.now_ms += 60000;
	assert_int_equal(sim_step_next(&w), HANDSHAKE_FAILED);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_TOO_FEW);
}

static void liars_that_leave_fewer_than_k_are_the_cause(void **state)
{
	(void)state;
	w.gateways[0].conduct = SIM_WRONG_SHARE;
	w.gateways[1].conduct = SIM_WRONG_SHARE;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 5000);
	assert_int_equal(sim_world_run(&w, 10000), HANDSHAKE_FAILED);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_SHARE_INVALID);
	assert_null(w.violation);
}

static void gateways_that_know_another_share_set_are_the_cause(void **state)
{
	(void)state;
	w.gateways[0].slots[0].used = 0;		/* epoch_unknown */
	w.gateways[1].slots[0].set_hash[0] ^= 1; /* evidence_share_set */
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 5000);
	assert_int_equal(sim_world_run(&w, 10000), HANDSHAKE_FAILED);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_SHARE_SET);
}

static void a_driver_that_forgets_is_timed_out(void **state)
{
	(void)state;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	for (size_t i = 0; i < 3; i++)
		(void)sim_step_send(&w);
	w.now_ms = sim_step_wait(&w);
	(void)sim_step_next(&w);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(w.handshake.members[i].fault, HANDSHAKE_FAULT_TIMEOUT);
	assert_int_equal(w.handshake.attempt, 1);
	assert_int_not_equal(w.handshake.next_attempt_ms, 0);
}

static enum cv_err no_random(void *context, void *out, size_t len)
{
	(void)context;
	memset(out, 0, len);
	return CV_ERR_RANDOM;
}

static enum cv_err no_signature(void *context, const uint8_t hash[CV_HASH_BYTES],
	uint8_t sig[CV_ES256_SIG_BYTES])
{
	(void)context;
	(void)hash;
	(void)sig;
	return CV_ERR_CRYPTO;
}

static void what_the_device_itself_cannot_do_ends_an_attempt_not_the_handshake(void **state)
{
	struct jws_signer signer;

	(void)state;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	w.handshake.config.random = no_random;
	assert_int_equal(sim_step_wait(&w), w.now_ms + 1001);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_RANDOM);
	w.now_ms += 1001;
	w.handshake.config.random = sim_random_bytes;
	signer = w.handshake.config.signer;
	w.handshake.config.signer.sign = no_signature;
	sim_step_exchange_all(&w, 3);
	w.now_ms = sim_step_wait(&w);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_CRYPTO);
	w.handshake.config.signer = signer;
	sim_step_exchange_all(&w, 3);
	sim_step_exchange_all(&w, 3);
	assert_int_equal(sim_step_next(&w), HANDSHAKE_DONE);
}

static enum cv_err init_with(struct handshake_config config)
{
	static struct handshake h;

	return handshake_init(&h, &config, 0);
}

static void init_refuses_what_cannot_work(void **state)
{
	struct handshake_config good, c;
	struct share_set set;

	(void)state;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	good = w.handshake.config;
	assert_int_equal(init_with(good), CV_OK);
	c = good, c.body_cap = CV_EVIDENCE_MAX + 511;
	assert_int_equal(init_with(c), CV_ERR_ARGUMENT);
	c = good, c.platform = NULL;
	assert_int_equal(init_with(c), CV_ERR_ARGUMENT);
	c = good, c.signer.sign = NULL;
	assert_int_equal(init_with(c), CV_ERR_ARGUMENT);
	c = good, c.purpose = 0;
	assert_int_equal(init_with(c), CV_ERR_ARGUMENT);
	c = good, c.fleet = "other";
	assert_int_equal(init_with(c), CV_ERR_MISMATCH);
	c = good, c.device = "edge-2";
	assert_int_equal(init_with(c), CV_ERR_MISMATCH);
	set = *good.share_set;
	c = good, c.share_set = &set;
	set.threshold = 0;
	assert_int_equal(init_with(c), CV_ERR_SHARE_COUNT);
	set.threshold = 4;
	assert_int_equal(init_with(c), CV_ERR_SHARE_COUNT);
	set.threshold = 2;
	set.members[1].x = 0;
	assert_int_equal(init_with(c), CV_ERR_SHARE_INDEX);
	set.members[1].x = set.members[2].x;
	assert_int_equal(init_with(c), CV_ERR_SHARE_INDEX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(authentic_nonsense_is_a_fault_of_its_own_and_no_refusal),
		TEST(a_new_nonce_is_asked_for_three_times_and_no_more),
		TEST(a_spent_nonce_leads_to_a_new_one_with_the_same_key),
		TEST(a_retry_after_of_a_year_is_capped_at_half_a_minute),
		TEST(lost_answers_are_asked_for_again_while_a_later_is_waited_out),
		TEST(n_minus_k_plus_1_refusals_wait_five_minutes_and_fewer_do_not),
		TEST(later_is_waited_out_three_times_and_no_more),
		TEST(each_attempt_starts_anew),
		TEST(the_reason_shown_is_that_of_the_last_answer),
		TEST(a_lost_answer_delays_nothing_in_the_next_attempt),
		TEST(waits_between_attempts_have_full_jitter),
		TEST(the_deadline_of_the_whole_bounds_every_request_and_names_the_cause),
		TEST(liars_that_leave_fewer_than_k_are_the_cause),
		TEST(gateways_that_know_another_share_set_are_the_cause),
		TEST(a_driver_that_forgets_is_timed_out),
		TEST(what_the_device_itself_cannot_do_ends_an_attempt_not_the_handshake),
		TEST(init_refuses_what_cannot_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
