/* A device whose tokens are quoted: by whom, when, and what if the quote cannot be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/protocol/sim_step.h"

static struct sim_world w;
static struct tpm_quote quote;
static struct {
	int calls;
	int moves; /* times that the boot id will have moved on */
	enum cv_err err;
	char token[CV_EVIDENCE_MAX + 1];
} tpm;

static enum cv_err make_quote(
	void *context, struct tpm_quote *out, const char *token, size_t token_len)
{
	struct sim_world *world = context;

	tpm.calls++;
	memcpy(tpm.token, token, token_len);
	tpm.token[token_len] = '\0';
	memset(out, 0, sizeof(*out));
	memset(out->attest, tpm.calls, sizeof(out->attest));
	memset(out->signature, tpm.calls, sizeof(out->signature));
	memset(out->pcrs, tpm.calls, sizeof(out->pcrs));
	out->attest_len = TPM_ATTEST_MAX;
	out->signature_len = TPM_SIGNATURE_MAX;
	if (tpm.moves > 0) {
		tpm.moves--;
		world->platform.boot_id[0]++;
		return CV_ERR_MISMATCH;
	}
	return tpm.err;
}

static int setup(void **state)
{
	(void)state;
	memset(&tpm, 0, sizeof(tpm));
	sim_world_init(&w, 42, 3, 2);
	sim_world_start(&w, 0, EVIDENCE_UNLOCK, 0, 0);
	w.handshake.config.make_quote = make_quote;
	w.handshake.config.quote_context = &w;
	w.handshake.config.quote = &quote;
	sim_step_exchange_all(&w, 3);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_world_close(&w);
	return 0;
}

static void one_quote_over_the_token_goes_to_all_gateways(void **state)
{
	static char token[CV_EVIDENCE_MAX + 1];
	static struct tpm_quote sent;
	struct authorize_request r;

	(void)state;
	assert_int_equal(sim_step_wait(&w), 0); /* the token is made: ask at once */
	for (size_t i = 0; i < 3; i++) {
		struct sim_message m = sim_step_send(&w);

		assert_int_equal(
			authorize_request_decode(&r, m.body, m.body_len, token, &sent), CV_OK);
		assert_non_null(r.quote);
		assert_memory_equal(&sent, &quote, sizeof(sent));
		assert_string_equal(token, tpm.token);
	}
	assert_int_equal(tpm.calls, 1);
}

static void the_time_that_a_quote_takes_is_not_the_gateways(void **state)
{
	struct handshake_request request;
	uint64_t wake_ms;

	(void)state;
	assert_int_equal(sim_step_wait(&w), 0);
	w.now_ms += 5000;
	assert_int_equal(
		handshake_next(&w.handshake, w.now_ms, &request, &wake_ms), HANDSHAKE_SEND);
	assert_int_equal(request.deadline_ms, w.now_ms + CV_GATEWAY_TIMEOUT_MS);
}

static void a_boot_id_that_moved_on_is_signed_anew(void **state)
{
	static struct evidence ev;
	static char token[CV_EVIDENCE_MAX + 1];
	static struct tpm_quote sent;
	struct authorize_request r;
	struct sim_message m;

	(void)state;
	tpm.moves = 2;
	assert_int_equal(sim_step_wait(&w), 0);
	assert_int_equal(tpm.calls, 3);
	m = sim_step_send(&w);
	assert_int_equal(authorize_request_decode(&r, m.body, m.body_len, token, &sent), CV_OK);
	assert_int_equal(evidence_decode(&ev, r.evidence, r.evidence_len,
				 w.gateways[0].attestation_public), CV_OK);
	assert_memory_equal(
		ev.platform.boot_id, w.platform.boot_id, sizeof(ev.platform.boot_id));
}

static void a_boot_id_that_never_stands_still_ends_the_attempt(void **state)
{
	(void)state;
	tpm.moves = 1000;
	assert_true(sim_step_wait(&w) > w.now_ms);
	assert_int_equal(tpm.calls, 3);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_BUSY);
}

static void without_a_quote_nothing_is_asked_and_the_attempt_ends(void **state)
{
	(void)state;
	tpm.err = CV_ERR_TPM;
	assert_true(sim_step_wait(&w) > w.now_ms);
	assert_int_equal(handshake_outcome(&w.handshake), CV_ERR_TPM);
}

static void a_quote_needs_room(void **state)
{
	struct handshake_config c = w.handshake.config;
	static struct handshake h;

	(void)state;
	c.body_cap = HANDSHAKE_BODY_MIN + HANDSHAKE_QUOTE_TEXT_MAX;
	assert_int_equal(handshake_init(&h, &c, 0), CV_OK);
	c.body_cap--;
	assert_int_equal(handshake_init(&h, &c, 0), CV_ERR_ARGUMENT);
	c.body_cap++;
	c.quote = NULL;
	assert_int_equal(handshake_init(&h, &c, 0), CV_ERR_ARGUMENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_quote_over_the_token_goes_to_all_gateways),
		TEST(the_time_that_a_quote_takes_is_not_the_gateways),
		TEST(a_boot_id_that_moved_on_is_signed_anew),
		TEST(a_boot_id_that_never_stands_still_ends_the_attempt),
		TEST(without_a_quote_nothing_is_asked_and_the_attempt_ends),
		TEST(a_quote_needs_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
