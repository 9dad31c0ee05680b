/* The events behind quoted PCRs: replay, what must come, what may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/authorize.h"
#include "protocol/crypto.h"

#define A "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
#define B "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define C "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"
#define TEXT(events) \
	"{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":10}," \
	"\"measurements\":\"not_required\",\"place\":\"not_required\",\"iat\":\"not_required\"," \
	"\"pcrs\":\"not_required\",\"tpm_firmware\":\"not_required\",\"events\":" events \
	",\"lease_seconds\":0,\"reveal_reason\":false}"

static struct policy policy;
static struct record record;
static struct tpm_quote quote;
static struct verdict verdict;

static struct authorize_input input = { .policy = &policy, .record = &record, .quote = &quote };

static void rules(const char *text)
{
	char problem[120] = "";

	if (policy_decode(&policy, text, strlen(text), problem, sizeof(problem)) != CV_OK)
		fail_msg("%s", problem);
}

/* As boot code does: into the log and into the PCR. */
static void measure(uint8_t pcr, uint8_t value)
{
	uint8_t *entry = quote.events.bytes + quote.events.len;

	entry[0] = pcr;
	memset(entry + 1, value, CV_HASH_BYTES);
	quote.events.len += EVENTLOG_ENTRY_BYTES;
	assert_int_equal(
		eventlog_replay(quote.pcrs[tpm_pcr_position(pcr)], &quote.events, pcr), CV_OK);
}

static int boot(void **state)
{
	(void)state;
	memset(&quote, 0, sizeof(quote));
	quote.has_events = 1;
	quote.events.len = 1;
	input.quote_result = REASON_RELEASE;
	record.trust_class = TRUST_TPM;
	return crypto_init() == CV_OK ? 0 : -1;
}

static enum reason decide(void)
{
	memset(&verdict, 0, sizeof(verdict));
	return authorize_events(&input, &verdict);
}

static void a_kernel_update_needs_one_value_more(void **state)
{
	(void)state;
	rules(TEXT("{\"4\":{\"required\":{\"loader\":[\"" A "\"],\"kernel\":[\"" B
		   "\"]},\"allowed\":[\"0000000000000000000000000000000000000000000000000000000000000000\"]}}"));
	measure(4, 0);
	measure(4, 0xa0);
	measure(4, 0xb0);
	measure(9, 0x11); /* no rule asks */
	assert_int_equal(decide(), REASON_RELEASE);
	boot(state);
	measure(4, 0xa0);
	measure(4, 0xc0);
	assert_int_equal(decide(), REASON_EVENT_MISMATCH);
	assert_string_equal(verdict.detail.rule, "events.4");
	assert_string_equal(verdict.detail.claimed, C);
	rules(TEXT("{\"4\":{\"required\":{\"loader\":[\"" A "\"],\"kernel\":[\"" B "\",\"" C
		   "\"]}}}"));
	assert_int_equal(decide(), REASON_RELEASE);
}

static void what_must_come_must_come(void **state)
{
	(void)state;
	rules(TEXT("{\"4\":{\"required\":{\"loader\":[\"" A "\"],\"kernel\":[\"" B "\"]}}}"));
	assert_int_equal(decide(), REASON_EVENT_ABSENT); /* a boot that measured nothing */
	measure(4, 0xa0);
	assert_int_equal(decide(), REASON_EVENT_ABSENT);
	assert_string_equal(verdict.detail.rule, "events.4.kernel");
	measure(4, 0xb0);
	assert_int_equal(decide(), REASON_RELEASE);
	/* the same digest in another PCR is another event */
	boot(state);
	measure(4, 0xa0);
	measure(5, 0xb0);
	assert_int_equal(decide(), REASON_EVENT_ABSENT);
}

static void a_log_that_does_not_replay_is_refused(void **state)
{
	(void)state;
	rules(TEXT("{\"4\":{\"required\":{\"loader\":[\"" A "\"],\"kernel\":[\"" B "\"]}}}"));
	measure(4, 0xa0);
	measure(4, 0xb0);
	quote.pcrs[4][0] ^= 1;
	assert_int_equal(decide(), REASON_EVENT_REPLAY);
	quote.pcrs[4][0] ^= 1;
	quote.events.len -= EVENTLOG_ENTRY_BYTES; /* one left out */
	assert_int_equal(decide(), REASON_EVENT_REPLAY);
	quote.events.len += EVENTLOG_ENTRY_BYTES;
	memset(quote.events.bytes + 2, 0xb0, CV_HASH_BYTES); /* the same two in another order */
	memset(quote.events.bytes + 2 + EVENTLOG_ENTRY_BYTES, 0xa0, CV_HASH_BYTES);
	assert_int_equal(decide(), REASON_EVENT_REPLAY);
	quote.has_events = 0;
	assert_int_equal(decide(), REASON_EVENT_MISSING);
}

static void the_locality_is_part_of_pcr_0(void **state)
{
	(void)state;
	rules(TEXT("{\"0\":{\"required\":{\"crtm\":[\"" A "\"]}}}"));
	quote.events.bytes[0] = 3;
	measure(0, 0xa0);
	assert_int_equal(decide(), REASON_RELEASE);
	quote.events.bytes[0] = 0;
	assert_int_equal(decide(), REASON_EVENT_REPLAY);
}

static void nothing_passes_without_a_quote_or_a_rule(void **state)
{
	char problem[120];

	(void)state;
	rules(TEXT("{\"4\":{\"required\":{\"loader\":[\"" A "\"]}}}"));
	measure(4, 0xa0);
	input.quote_result = REASON_INTERNAL;
	assert_int_equal(decide(), REASON_INTERNAL);
	input.quote_result = REASON_RELEASE;
	record.trust_class = TRUST_SOFTWARE;
	assert_int_equal(decide(), REASON_QUOTE_MISSING);
	assert_int_not_equal(
		policy_lint_class(&policy, TRUST_SOFTWARE, problem, sizeof(problem)), CV_OK);
	assert_int_equal(policy_lint_class(&policy, TRUST_TPM, problem, sizeof(problem)), CV_OK);
	record.trust_class = TRUST_TPM;
	policy.event_name_count = 0;
	assert_int_equal(decide(), REASON_POLICY_EMPTY);
	rules(TEXT("{}"));
	assert_int_equal(decide(), REASON_POLICY_EMPTY);
	rules(TEXT("\"not_required\""));
	assert_int_equal(decide(), REASON_RELEASE);
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const bad[] = { TEXT("{\"10\":{\"required\":{\"a\":[\"" A "\"]}}}"),
		TEXT("{\"16\":{\"required\":{\"a\":[\"" A "\"]}}}"), TEXT("{\"4\":{}}"),
		TEXT("{\"4\":{\"allowed\":[\"" A "\"]}}"), TEXT("{\"4\":{\"required\":{}}}"),
		TEXT("{\"4\":{\"required\":{\"a\":[]}}}"),
		TEXT("{\"4\":{\"required\":{\"A\":[\"" A "\"]}}}"),
		TEXT("{\"4\":{\"required\":{\"a\":[\"00\"]}}}"),
		TEXT("{\"4\":{\"required\":{\"a\":[\"" A "\"]},\"allowed\":[]}}"),
		TEXT("{\"4\":{\"required\":{\"a\":[\"" A "\"]},\"x\":1}}"), TEXT("[]") };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (policy_decode(&policy, bad[i], strlen(bad[i]), NULL, 0) == CV_OK)
			fail_msg("taken: %s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_kernel_update_needs_one_value_more, boot),
		cmocka_unit_test_setup(what_must_come_must_come, boot),
		cmocka_unit_test_setup(a_log_that_does_not_replay_is_refused, boot),
		cmocka_unit_test_setup(the_locality_is_part_of_pcr_0, boot),
		cmocka_unit_test_setup(nothing_passes_without_a_quote_or_a_rule, boot),
		cmocka_unit_test_setup(what_is_no_rule_is_refused, boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
