/* The order of things in one handshake: who is asked when, tokens, shares, the end. */
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
	sim_world_init(&w, 42, 3, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_world_close(&w);
	return 0;
}

static void start(int sequential)
{
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, sequential, 0);
}

static void expect_secret(void)
{
	uint8_t secret[CV_SECRET_BYTES];

	assert_int_equal(sim_step_next(&w), HANDSHAKE_DONE);
	assert_int_equal(handshake_outcome(&w.handshake), CV_OK);
	assert_int_equal(handshake_secret(&w.handshake, secret), CV_OK);
	assert_memory_equal(secret, w.epoch->secret, sizeof(secret));
}

static void evidence_of(struct evidence *ev, const struct sim_message *m)
{
	static char text[CV_EVIDENCE_MAX + 1];
	static struct tpm_quote quote;
	struct authorize_request r;

	assert_string_equal(m->target, MESSAGE_TARGET_AUTHORIZE);
	assert_int_equal(authorize_request_decode(&r, m->body, m->body_len, text, &quote), CV_OK);
	assert_int_equal(evidence_decode(ev, r.evidence, r.evidence_len,
		w.gateways[m->member].attestation_public), CV_OK);
}

static void asks_every_gateway_for_a_nonce_at_once(void **state)
{
	(void)state;
	start(0);
	for (size_t i = 0; i < 3; i++) {
		struct sim_message m = sim_step_send(&w);

		assert_int_equal(m.member, i);
		assert_string_equal(m.target, MESSAGE_TARGET_NONCE);
	}
	assert_true(sim_step_wait(&w) > w.now_ms);
}

static void one_token_names_all_nonces_and_two_shares_are_enough(void **state)
{
	struct sim_message sent[3];
	static struct evidence first, ev;

	(void)state;
	start(0);
	sim_step_exchange_all(&w, 3);
	for (size_t i = 0; i < 3; i++) {
		sent[i] = sim_step_send(&w);
		evidence_of(i == 0 ? &first : &ev, &sent[i]);
	}
	assert_int_equal(w.handshake.tokens, 1);
	assert_int_equal(first.nonce_count, 3);
	assert_memory_equal(first.nonces, ev.nonces, sizeof(ev.nonces));
	for (size_t i = 0; i < 2; i++) {
		struct sim_message answer = sim_step_answer(&w, &sent[i]);

		sim_step_hear(&w, i, &answer);
	}
	expect_secret();
}

static void waits_fifty_ms_for_late_nonces_and_gives_the_late_one_its_own_token(void **state)
{
	struct sim_message sent[3];
	struct sim_message answer;
	static struct evidence ev, late;

	(void)state;
	start(0);
	for (size_t i = 0; i < 3; i++)
		sent[i] = sim_step_send(&w);
	for (size_t i = 0; i < 2; i++) {
		answer = sim_step_answer(&w, &sent[i]);
		sim_step_hear(&w, i, &answer);
	}
	assert_int_equal(sim_step_wait(&w), w.now_ms + CV_TOKEN_WAIT_MS);
	w.now_ms += CV_TOKEN_WAIT_MS - 1;
	assert_int_equal(sim_step_wait(&w), w.now_ms + 1);
	w.now_ms++;
	for (size_t i = 0; i < 2; i++) {
		struct sim_message m = sim_step_send(&w);

		evidence_of(&ev, &m);
	}
	assert_int_equal(ev.nonce_count, 2);
	answer = sim_step_answer(&w, &sent[2]);
	sim_step_hear(&w, 2, &answer);
	sent[2] = sim_step_send(&w);
	evidence_of(&late, &sent[2]);
	assert_int_equal(late.nonce_count, 1);
	assert_memory_equal(late.boot_key, ev.boot_key, sizeof(ev.boot_key));
	assert_int_equal(w.handshake.tokens, 2);
}

static void signs_nothing_before_k_nonces_are_here(void **state)
{
	struct sim_message first, answer;

	(void)state;
	start(0);
	first = sim_step_send(&w);
	(void)sim_step_send(&w);
	(void)sim_step_send(&w);
	answer = sim_step_answer(&w, &first);
	sim_step_hear(&w, 0, &answer);
	w.now_ms += 10 * CV_TOKEN_WAIT_MS;
	(void)sim_step_wait(&w);
	assert_int_equal(w.handshake.tokens, 0);
}

static void one_after_another_signs_per_gateway_and_stops_at_k(void **state)
{
	(void)state;
	start(1);
	assert_int_equal(sim_step_exchange(&w), 0);
	assert_int_equal(sim_step_exchange(&w), 0);
	assert_int_equal(sim_step_exchange(&w), 1);
	assert_int_equal(sim_step_exchange(&w), 1);
	expect_secret();
	assert_int_equal(w.handshake.tokens, 2);
	assert_int_equal(w.gateways[2].authentic, 0);
}

static void one_after_another_goes_on_past_a_dead_gateway(void **state)
{
	(void)state;
	start(1);
	sim_step_lose(&w, 1, HANDSHAKE_FAULT_REFUSED);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(sim_step_exchange(&w), 1 + i / 2);
	expect_secret();
}

static void an_answer_after_the_end_adds_its_session_and_leaves_no_share(void **state)
{
	struct sim_message sent[3], answer;

	(void)state;
	start(0);
	sim_step_exchange_all(&w, 3);
	for (size_t i = 0; i < 3; i++)
		sent[i] = sim_step_send(&w);
	for (size_t i = 0; i < 3; i++) {
		assert_false(w.handshake.members[2].has_session);
		answer = sim_step_answer(&w, &sent[i]);
		sim_step_hear(&w, i, &answer);
	}
	expect_secret();
	assert_true(w.handshake.members[2].has_session);
	for (size_t i = 0; i < 3; i++)
		assert_null(memmem(&w.handshake, sizeof(w.handshake), w.epoch->shares[i],
			CV_SECRET_BYTES));
}

static void a_liar_is_named_and_the_others_unlock(void **state)
{
	(void)state;
	for (int conduct = SIM_WRONG_SHARE; conduct <= SIM_LOW_ORDER; conduct++) {
		w.gateways[1].conduct = (enum sim_conduct)conduct;
		start(0);
		sim_step_exchange_all(&w, 3);
		sim_step_exchange_all(&w, 3);
		expect_secret();
		assert_true(w.handshake.members[1].share_invalid);
		assert_int_equal(w.handshake.members[1].fault, HANDSHAKE_FAULT_SHARE);
		assert_false(w.handshake.members[1].has_session);
		assert_false(w.handshake.members[0].share_invalid);
		assert_false(w.handshake.members[2].share_invalid);
	}
}

static void a_liar_stays_named_in_the_next_attempt(void **state)
{
	(void)state;
	w.gateways[1].conduct = SIM_WRONG_SHARE;
	start(1);
	sim_step_exchange_all(&w, 1);
	sim_step_exchange_all(&w, 1);
	sim_step_exchange_all(&w, 1);
	sim_step_exchange_all(&w, 1);
	sim_step_lose(&w, 1, HANDSHAKE_FAULT_TIMEOUT);
	w.now_ms = sim_step_wait(&w);
	w.gateways[1].conduct = SIM_HONEST;
	for (size_t i = 0; i < 4; i++)
		(void)sim_step_exchange(&w);
	expect_secret();
	assert_true(w.handshake.members[1].share_invalid);
	assert_int_equal(w.handshake.members[1].fault, HANDSHAKE_FAULT_NONE);
}

static void nothing_is_released_once_k_cannot_be_reached(void **state)
{
	struct sim_message first, answer;

	(void)state;
	start(0);
	first = sim_step_send(&w);
	sim_step_lose(&w, 2, HANDSHAKE_FAULT_REFUSED);
	answer = sim_step_answer(&w, &first);
	sim_step_hear(&w, 0, &answer);
	(void)sim_step_wait(&w);
	assert_int_equal(w.handshake.tokens, 0);
	assert_int_not_equal(w.handshake.next_attempt_ms, 0);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_TOO_FEW);
}

static void shares_of_two_attempts_never_add_up(void **state)
{
	(void)state;
	start(1);
	/* attempt 1: the first gateway releases, the others are gone */
	(void)sim_step_exchange(&w);
	(void)sim_step_exchange(&w);
	assert_int_equal(handshake_shares(&w.handshake), 1);
	sim_step_lose(&w, 1, HANDSHAKE_FAULT_TIMEOUT);
	sim_step_lose(&w, 1, HANDSHAKE_FAULT_TIMEOUT);
	w.now_ms = sim_step_wait(&w);
	assert_null(
		memmem(&w.handshake, sizeof(w.handshake), w.epoch->shares[0], CV_SECRET_BYTES));
	/* attempt 2: only the second one is there */
	sim_step_lose(&w, 1, HANDSHAKE_FAULT_TIMEOUT);
	(void)sim_step_exchange(&w);
	(void)sim_step_exchange(&w);
	assert_int_equal(w.handshake.attempt, 2);
	assert_int_equal(handshake_shares(&w.handshake), 1);
	sim_step_lose(&w, 1, HANDSHAKE_FAULT_TIMEOUT);
	(void)sim_step_wait(&w);
	assert_false(w.handshake.has_secret);
}

static void a_check_collects_verdicts_and_no_secret(void **state)
{
	uint8_t secret[CV_SECRET_BYTES];

	(void)state;
	w.gateways[2].conduct = SIM_DENIES;
	for (int sequential = 0; sequential < 2; sequential++) {
		sim_world_start(&w, 0, EVIDENCE_CHECK, sequential, 0);
		assert_int_equal(sim_world_run(&w, 1000), HANDSHAKE_DONE);
		assert_null(w.violation);
		assert_int_equal(handshake_outcome(&w.handshake), CV_OK);
		assert_int_equal(handshake_shares(&w.handshake), 2);
		assert_int_equal(handshake_denials(&w.handshake), 1);
		assert_int_equal(handshake_secret(&w.handshake, secret), CV_ERR_TOO_FEW);
		assert_int_equal(w.gateways[0].releases, 0);
	}
}

static void a_check_that_two_deny_says_so(void **state)
{
	(void)state;
	w.gateways[1].conduct = SIM_DENIES;
	w.gateways[2].conduct = SIM_DENIES;
	sim_world_start(&w, 0, EVIDENCE_CHECK, 0, 0);
	assert_int_equal(sim_world_run(&w, 1000), HANDSHAKE_DONE);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_DENIED);
	assert_int_equal(handshake_shares(&w.handshake), 1);
}

static void a_request_for_one_gateway_is_refused_by_another(void **state)
{
	struct sim_message m, answer;

	(void)state;
	start(0);
	m = sim_step_send(&w);
	assert_true(sim_gateway_serve(&w.gateways[1], w.now_ms, &m, &answer));
	assert_int_equal(answer.status, 401);
	assert_int_equal(w.gateways[1].authentic, 0);
	assert_true(sim_gateway_serve(&w.gateways[0], w.now_ms, &m, &answer));
	assert_int_equal(answer.status, 200);
}

static void wipe_leaves_nothing(void **state)
{
	static const struct handshake zero;

	(void)state;
	start(0);
	assert_int_equal(sim_world_run(&w, 1000), HANDSHAKE_DONE);
	handshake_wipe(&w.handshake);
	assert_memory_equal(&w.handshake, &zero, sizeof(zero));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(asks_every_gateway_for_a_nonce_at_once),
		TEST(one_token_names_all_nonces_and_two_shares_are_enough),
		TEST(waits_fifty_ms_for_late_nonces_and_gives_the_late_one_its_own_token),
		TEST(signs_nothing_before_k_nonces_are_here),
		TEST(one_after_another_signs_per_gateway_and_stops_at_k),
		TEST(one_after_another_goes_on_past_a_dead_gateway),
		TEST(an_answer_after_the_end_adds_its_session_and_leaves_no_share),
		TEST(a_liar_is_named_and_the_others_unlock),
		TEST(a_liar_stays_named_in_the_next_attempt),
		TEST(nothing_is_released_once_k_cannot_be_reached),
		TEST(shares_of_two_attempts_never_add_up),
		TEST(a_check_collects_verdicts_and_no_secret),
		TEST(a_check_that_two_deny_says_so),
		TEST(a_request_for_one_gateway_is_refused_by_another),
		TEST(wipe_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
