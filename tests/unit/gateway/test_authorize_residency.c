/* On which machine and which platform: each rule by itself, and what the audit may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/authorize.h"
#include "gateway/privacy.h"
#include "protocol/crypto.h"
#include "protocol/inventory.h"

#define TEXT(sections) \
	"{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":10}," \
	"\"measurements\":\"not_required\",\"place\":\"not_required\",\"iat\":\"not_required\"," \
	sections ",\"lease_seconds\":0,\"reveal_reason\":false}"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

static struct policy policy;
static struct evidence evidence;
static struct record record;
static struct verdict verdict;

static const struct authorize_input input = {
	.evidence = &evidence, .policy = &policy, .record = &record };

static void rules(const char *text)
{
	char problem[120] = "";

	if (policy_decode(&policy, text, strlen(text), problem, sizeof(problem)) != CV_OK)
		fail_msg("%s", problem);
}

static void part(struct evidence_digest *items, uint8_t *count, const char *name, uint8_t value)
{
	strcpy(items[*count].name, name);
	memset(items[*count].value, value, CV_HASH_BYTES);
	(*count)++;
}

static void claim(const char *name, uint8_t value)
{
	part(evidence.platform.inventory, &evidence.platform.inventory_count, name, value);
}

static void enrolled(const char *name, uint8_t value)
{
	part(record.inventory, &record.inventory_count, name, value);
}

static int start(void **state)
{
	(void)state;
	memset(&evidence, 0, sizeof(evidence));
	memset(&record, 0, sizeof(record));
	return crypto_init() == CV_OK ? 0 : -1;
}

static enum reason inventory(void)
{
	memset(&verdict, 0, sizeof(verdict));
	return authorize_inventory(&input, &verdict);
}

static enum reason platform(void)
{
	memset(&verdict, 0, sizeof(verdict));
	return authorize_platform(&input, &verdict);
}

static void a_required_part_must_be_the_enrolled_one(void **state)
{
	(void)state;
	rules(TEXT("\"inventory\":{\"required\":[\"dmi.product_serial\",\"net.*\"]}"));
	assert_int_equal(inventory(), REASON_INVENTORY_MISSING); /* nothing to compare with */
	enrolled("dmi.product_serial", 1);
	enrolled("net.eth0", 2);
	enrolled("disk.sda", 3);
	assert_int_equal(inventory(), REASON_INVENTORY_MISSING);
	assert_string_equal(verdict.detail.rule, "inventory.dmi.product_serial");
	claim("net.eth0", 2);
	claim("dmi.product_serial", 1);
	assert_int_equal(inventory(), REASON_RELEASE); /* the disk is nobody's business */
	evidence.platform.inventory[0].value[31] ^= 1;
	assert_int_equal(inventory(), REASON_INVENTORY_MISMATCH);
	assert_string_equal(verdict.detail.rule, "inventory.net.eth0");
	assert_true(verdict.detail.is_serial);
	evidence.platform.inventory[0].value[31] ^= 1;
	claim("net.eth1", 9); /* a card that nobody enrolled */
	assert_int_equal(inventory(), REASON_INVENTORY_MISMATCH);
	assert_string_equal(verdict.detail.rule, "inventory.net.eth1");
}

static void parts_that_are_recorded_refuse_nothing(void **state)
{
	enum reason reason = REASON_INTERNAL;
	size_t cursor = 0;

	(void)state;
	rules(TEXT("\"inventory\":{\"recorded\":[\"*\"]}"));
	enrolled("disk.sda", 3);
	enrolled("net.eth0", 2);
	claim("disk.sda", 4);
	claim("cpu.model", 5);
	assert_int_equal(inventory(), REASON_RELEASE);
	assert_string_equal(authorize_inventory_difference(
				    &input, &policy.inventory_recorded, &cursor, &reason),
		"disk.sda");
	assert_int_equal(reason, REASON_INVENTORY_MISMATCH);
	assert_string_equal(authorize_inventory_difference(
				    &input, &policy.inventory_recorded, &cursor, &reason),
		"net.eth0");
	assert_int_equal(reason, REASON_INVENTORY_MISSING);
	assert_string_equal(authorize_inventory_difference(
				    &input, &policy.inventory_recorded, &cursor, &reason),
		"cpu.model");
	assert_null(authorize_inventory_difference(
		&input, &policy.inventory_recorded, &cursor, &reason));
}

static void a_device_without_claims_is_refused_only_where_they_are_required(void **state)
{
	(void)state;
	rules(TEXT("\"pcrs\":\"not_required\""));
	assert_int_equal(policy.platform, POLICY_NOT_REQUIRED);
	assert_int_equal(inventory(), REASON_RELEASE);
	assert_int_equal(platform(), REASON_RELEASE);
	rules(TEXT("\"platform\":{},\"inventory\":{}"));
	assert_int_equal(inventory(), REASON_POLICY_EMPTY);
	assert_int_equal(platform(), REASON_POLICY_EMPTY);
	assert_int_not_equal(policy_lint(&policy, NULL, 0), CV_OK);
	rules(TEXT("\"platform\":{\"kernel\":[\"6.1\"]}"));
	assert_int_equal(platform(), REASON_RESIDENCY_MISSING);
}

static void kernel_boot_state_and_command_line_must_be_listed(void **state)
{
	struct evidence_platform *p = &evidence.platform;

	(void)state;
	rules(TEXT("\"platform\":{\"kernel\":[\"6.1.0-30\",\"6.1.0-31\"],"
		   "\"boot_state\":[\"secure\"],\"cmdline\":[\"" ONES "\"]}"));
	strcpy(p->kernel, "6.1.0-31");
	assert_int_equal(platform(), REASON_RESIDENCY_MISSING);
	assert_string_equal(verdict.detail.rule, "platform.boot_state");
	strcpy(p->boot_state, "off");
	assert_int_equal(platform(), REASON_RESIDENCY_MISMATCH);
	assert_string_equal(verdict.detail.claimed, "off");
	strcpy(p->boot_state, "secure");
	assert_int_equal(platform(), REASON_RESIDENCY_MISSING);
	assert_string_equal(verdict.detail.rule, "platform.cmdline");
	p->has_cmdline = 1;
	assert_int_equal(platform(), REASON_RESIDENCY_MISMATCH);
	memset(p->cmdline, 0x11, CV_HASH_BYTES);
	assert_int_equal(platform(), REASON_RELEASE);
	strcpy(p->kernel, "6.1.0-32");
	assert_int_equal(platform(), REASON_RESIDENCY_MISMATCH);
	assert_string_equal(verdict.detail.claimed, "6.1.0-32");
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const bad[] = { TEXT("\"inventory\":{\"required\":[]}"),
		TEXT("\"inventory\":{\"required\":[\"Net\"]}"),
		TEXT("\"inventory\":{\"required\":[\"a*b\"]}"),
		TEXT("\"inventory\":{\"ignored\":[\"a\"]}"), TEXT("\"inventory\":7"),
		TEXT("\"platform\":{\"cmdline\":[]}"), TEXT("\"platform\":{\"cmdline\":[\"11\"]}"),
		TEXT("\"platform\":{\"kernel\":[\"\"]}"), TEXT("\"platform\":{\"os\":[\"x\"]}") };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(policy_decode(&policy, bad[i], strlen(bad[i]), NULL, 0), CV_OK);
}

static const char *written(enum privacy_level level)
{
	const struct privacy privacy = { .serials = level };
	static char text[512];
	struct json_writer w;
	size_t len;

	json_begin(&w, text, sizeof(text));
	json_object_open(&w, NULL);
	privacy_write(&w, &privacy, &verdict.detail);
	json_object_close(&w);
	assert_int_equal(json_end(&w, &len), CV_OK);
	return text;
}

static void digests_of_serials_stay_out_of_the_audit(void **state)
{
	(void)state;
	rules(TEXT("\"inventory\":{\"required\":[\"net.*\"]}"));
	enrolled("net.eth0", 2);
	claim("net.eth0", 0x11);
	assert_int_equal(inventory(), REASON_INVENTORY_MISMATCH);
	assert_string_equal(written(PRIVACY_COARSE), "{\"rule\":\"inventory.net.eth0\"}");
	assert_string_equal(
		written(PRIVACY_EXACT), "{\"rule\":\"inventory.net.eth0\",\"claimed\":\"" ONES "\"}");
	assert_string_equal(written(PRIVACY_REDACTED), "{\"rule\":\"inventory\"}");
}

static void patterns_fit_what_they_name(void **state)
{
	(void)state;
	assert_true(inventory_pattern_fits("net.eth0", "net.eth0"));
	assert_false(inventory_pattern_fits("net.eth", "net.eth0"));
	assert_false(inventory_pattern_fits("net.eth0", "net.eth"));
	assert_true(inventory_pattern_fits("net.*", "net.eth0"));
	assert_true(inventory_pattern_fits("*", "x"));
	assert_false(inventory_pattern_fits("disk.*", "dis"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_required_part_must_be_the_enrolled_one, start),
		cmocka_unit_test_setup(parts_that_are_recorded_refuse_nothing, start),
		cmocka_unit_test_setup(
			a_device_without_claims_is_refused_only_where_they_are_required, start),
		cmocka_unit_test_setup(kernel_boot_state_and_command_line_must_be_listed, start),
		cmocka_unit_test_setup(what_is_no_rule_is_refused, start),
		cmocka_unit_test_setup(digests_of_serials_stay_out_of_the_audit, start),
		cmocka_unit_test(patterns_fit_what_they_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
