/* Messages that somebody without a MAC key changed, cut, swapped or made up: none counts. */
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
	sim_world_init(&w, 47, 3, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_world_close(&w);
	return 0;
}

/* One gateway and one request under way: for its nonce, or (stage 1) for its share. */
static struct sim_message request_under_way(int stage)
{
	sim_world_close(&w);
	sim_world_init(&w, 44, 2, 2);
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	if (stage == 1)
		sim_step_exchange_all(&w, 2);
	return sim_step_send(&w);
}

/* The answer as heard by a fresh copy of the machine must count as none. */
static void counts_as_none(const struct sim_message *answer)
{
	static struct handshake before, expected;

	before = w.handshake;
	sim_step_hear(&w, 0, answer);
	expected = before;
	expected.members[0].phase = HANDSHAKE_OUT;
	expected.members[0].fault = HANDSHAKE_FAULT_MAC;
	assert_memory_equal(&w.handshake, &expected, sizeof(expected));
	w.handshake = before;
}

static void every_bit_flip_of_an_answer_makes_it_none(void **state)
{
	(void)state;
	for (int stage = 0; stage < 2; stage++) {
		struct sim_message request = request_under_way(stage);
		struct sim_message answer = sim_step_answer(&w, &request);

		assert_int_equal(answer.status, 200);
		for (size_t bit = 0; bit < 8 * answer.body_len; bit++) {
			answer.body[bit / 8] ^= (char)(1u << bit % 8);
			counts_as_none(&answer);
			answer.body[bit / 8] ^= (char)(1u << bit % 8);
		}
		for (size_t bit = 0; bit < 8 * answer.header_len; bit++) {
			answer.header[bit / 8] ^= (char)(1u << bit % 8);
			counts_as_none(&answer);
			answer.header[bit / 8] ^= (char)(1u << bit % 8);
		}
		for (unsigned int bit = 0; bit < 16; bit++) {
			answer.status ^= 1u << bit;
			counts_as_none(&answer);
			answer.status ^= 1u << bit;
		}
	}
}

static void every_truncation_and_one_byte_more_makes_an_answer_none(void **state)
{
	(void)state;
	for (int stage = 0; stage < 2; stage++) {
		struct sim_message request = request_under_way(stage);
		struct sim_message answer = sim_step_answer(&w, &request), shorter = answer;

		for (shorter.body_len = 0; shorter.body_len < answer.body_len; shorter.body_len++)
			counts_as_none(&shorter);
		shorter.body[shorter.body_len++] = ' ';
		counts_as_none(&shorter);
		shorter = answer;
		for (shorter.header_len = 0; shorter.header_len < answer.header_len;
			shorter.header_len++)
			counts_as_none(&shorter);
		shorter.header[shorter.header_len++] = ' ';
		counts_as_none(&shorter);
		shorter = answer;
		shorter.has_header = 0;
		counts_as_none(&shorter);
	}
}

/* Whatever a front or a man in the middle says, with every status: no refusal without a MAC. */
static void an_unauthenticated_refusal_of_any_status_is_none(void **state)
{
	static const char *const bodies[] = {
		"{\"type\":\"about:blank\",\"title\":\"no\",\"status\":403,\"retry\":\"no\"}",
		"{\"type\":\"about:blank\",\"status\":503,\"retry\":\"later\",\"retry_after\":31536000}",
		"", "<html>blocked</html>"};

	(void)state;
	for (int stage = 0; stage < 2; stage++) {
		(void)request_under_way(stage);
		for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
			struct sim_message answer = {.status = 0};

			answer.body_len = strlen(bodies[i]);
			memcpy(answer.body, bodies[i], answer.body_len);
			for (answer.status = 100; answer.status < 600; answer.status++)
				counts_as_none(&answer);
		}
	}
}

static void an_answer_to_another_request_or_of_another_gateway_is_none(void **state)
{
	struct sim_message first, second, answer;

	(void)state;
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	first = sim_step_send(&w);
	second = sim_step_send(&w);
	answer = sim_step_answer(&w, &second);
	counts_as_none(&answer);
	answer = sim_step_answer(&w, &first);
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	(void)sim_step_send(&w);
	counts_as_none(&answer);
}

/* As the network delivers it; the gateway must not take it for this device's. */
static void is_refused(const struct sim_message *request)
{
	struct sim_gateway *g = &w.gateways[0];
	unsigned int authentic = g->authentic;
	struct sim_message answer;

	assert_true(sim_gateway_serve(g, w.now_ms, request, &answer));
	assert_int_equal(answer.status, 401);
	assert_false(answer.has_header);
	assert_int_equal(g->authentic, authentic);
}

static void every_bit_flip_of_a_request_is_refused(void **state)
{
	(void)state;
	for (int stage = 0; stage < 2; stage++) {
		struct sim_message request = request_under_way(stage);

		for (size_t bit = 0; bit < 8 * request.body_len; bit++) {
			request.body[bit / 8] ^= (char)(1u << bit % 8);
			is_refused(&request);
			request.body[bit / 8] ^= (char)(1u << bit % 8);
		}
		for (size_t bit = 0; bit < 8 * request.header_len; bit++) {
			request.header[bit / 8] ^= (char)(1u << bit % 8);
			is_refused(&request);
			request.header[bit / 8] ^= (char)(1u << bit % 8);
		}
		for (size_t bit = 0; bit < 8 * strlen(request.target); bit++) {
			request.target[bit / 8] ^= (char)(1u << bit % 8);
			is_refused(&request);
			request.target[bit / 8] ^= (char)(1u << bit % 8);
		}
	}
}

/* Flips 2 to 64 bits of a buffer, never back to what it was. */
static void flip_many(char *bytes, size_t len)
{
	static char before[SIM_BODY_MAX];

	memcpy(before, bytes, len);
	while (memcmp(before, bytes, len) == 0) {
		for (uint64_t flips = 2 + sim_below(&w.random, 63); flips > 0; flips--)
			bytes[sim_below(&w.random, len)] ^= (char)(1u << sim_below(&w.random, 8));
	}
}

static void any_number_of_flips_in_any_message_is_refused(void **state)
{
	(void)state;
	for (int stage = 0; stage < 2; stage++) {
		struct sim_message request = request_under_way(stage), damaged;
		struct sim_message answer = sim_step_answer(&w, &request);

		for (unsigned int i = 0; i < 3000; i++) {
			damaged = request;
			flip_many(damaged.body, damaged.body_len);
			is_refused(&damaged);
			damaged = request;
			flip_many(damaged.header, damaged.header_len);
			is_refused(&damaged);
			damaged = answer;
			flip_many(damaged.body, damaged.body_len);
			counts_as_none(&damaged);
			damaged = answer;
			flip_many(damaged.header, damaged.header_len);
			counts_as_none(&damaged);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_bit_flip_of_an_answer_makes_it_none),
		TEST(every_truncation_and_one_byte_more_makes_an_answer_none),
		TEST(an_unauthenticated_refusal_of_any_status_is_none),
		TEST(an_answer_to_another_request_or_of_another_gateway_is_none),
		TEST(every_bit_flip_of_a_request_is_refused),
		TEST(any_number_of_flips_in_any_message_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
