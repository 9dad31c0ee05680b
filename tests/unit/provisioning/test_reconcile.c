/* What does not add up when the audits of several gateways are laid side by side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/base64url.h"
#include "provisioning/reconcile.h"

#define NOW 2000000000u

static struct reconcile *r;
static unsigned int found; /* bit per finding */
static size_t count;

static void begin(void)
{
	reconcile_close(r);
	assert_int_equal(reconcile_open(&r), CV_OK);
}

static void encode(char *out, size_t cap, uint8_t fill, size_t n)
{
	uint8_t bytes[32];

	memset(bytes, fill, sizeof(bytes));
	assert_int_equal(base64url_encode(out, cap, bytes, n), CV_OK);
}

static void release(const char *gateway, const char *device, uint8_t boot, uint8_t key, uint64_t ago)
{
	char text[512], id[32], public[64];

	encode(id, sizeof(id), boot, 16);
	encode(public, sizeof(public), key, 32);
	snprintf(text, sizeof(text),
		"{\"time\":%llu,\"clock_trusted\":true,\"kind\":\"release\",\"device\":\"%s\","
		"\"boot_id\":\"%s\",\"boot_key\":\"%s\"}",
		(unsigned long long)(NOW - ago), device, id, public);
	assert_int_equal(reconcile_add(r, gateway, text), CV_OK);
}

static void mounted(const char *gateway, const char *device, uint8_t boot)
{
	char text[512], id[32];

	encode(id, sizeof(id), boot, 16);
	snprintf(text, sizeof(text),
		"{\"time\":%u,\"kind\":\"event\",\"event\":\"MOUNT_OK\",\"device\":\"%s\","
		"\"boot_id\":\"%s\"}",
		NOW - 500, device, id);
	assert_int_equal(reconcile_add(r, gateway, text), CV_OK);
}

static size_t two(void *user, const char *device)
{
	(void)user;
	return strcmp(device, "stranger") == 0 ? 0 : 2;
}

static void on_finding(void *user, const struct reconcile_result *result)
{
	(void)user;
	found |= 1u << result->finding;
	count++;
}

static unsigned int judge(const char *device)
{
	const struct reconcile_rules rules = {NOW, 0, device, two, NULL};

	found = 0;
	count = 0;
	reconcile_judge(r, &rules, on_finding, NULL);
	return found;
}

static void an_ordinary_boot_adds_up(void **state)
{
	(void)state;
	begin();
	release("g1", "d1", 1, 1, 1000);
	release("g2", "d1", 1, 1, 1000);
	release("g2", "d1", 1, 1, 900); /* again, with the same key */
	mounted("g1", "d1", 1);
	assert_int_equal(reconcile_add(r, "g1", "{\"time\":1,\"kind\":\"command\"}"), CV_OK);
	assert_int_equal(judge(NULL), 0);
	assert_int_equal(reconcile_boots(r), 1);
}

static void releases_at_fewer_than_k_gateways_are_found(void **state)
{
	(void)state;
	begin();
	release("g1", "d1", 1, 1, 1000);
	assert_int_equal(judge(NULL), 1u << RECONCILE_FEW_GATEWAYS);
	assert_int_equal(judge("d2"), 0);
	/* not while it may still be going on, and not when an audit is missing */
	begin();
	release("g1", "d1", 1, 1, RECONCILE_GRACE_S);
	assert_int_equal(judge(NULL), 0);
	begin();
	release("g1", "d1", 1, 1, 1000);
	assert_int_equal(reconcile_missing(r, "g2"), CV_OK);
	assert_int_equal(judge(NULL), 0);
	begin();
	release("g1", "stranger", 1, 1, 1000);
	mounted("g1", "stranger", 1);
	assert_int_equal(judge(NULL), 0);
}

static void shares_that_were_never_used_are_found(void **state)
{
	(void)state;
	begin();
	release("g1", "d1", 1, 1, 1000);
	release("g2", "d1", 1, 1, 1000);
	mounted("g1", "d1", 2);
	mounted("g1", "d2", 1);
	assert_int_equal(judge(NULL), 1u << RECONCILE_UNCONFIRMED);
	mounted("g3", "d1", 1);
	assert_int_equal(judge(NULL), 0);
}

static void two_keys_in_one_boot_are_found_across_gateways(void **state)
{
	(void)state;
	begin();
	for (uint8_t key = 1; key <= 2; key++) {
		release("g1", "d1", 1, key, 1000);
		release("g2", "d1", 1, key, 1000);
	}
	release("g1", "d2", 1, 3, 1000); /* another device's boot of the same id */
	release("g2", "d2", 1, 3, 1000);
	mounted("g1", "d1", 1);
	mounted("g1", "d2", 1);
	assert_int_equal(judge(NULL), 1u << RECONCILE_TWO_KEYS);
	assert_int_equal(count, 1);
}

static void boots_that_alternate_are_found(void **state)
{
	(void)state;
	begin();
	for (int round = 0; round < 2; round++) {
		for (uint8_t boot = 1; boot <= 2; boot++) {
			release("g1", "d1", boot, boot, 1000);
			release("g2", "d1", boot, boot, 1000);
			mounted("g1", "d1", boot);
		}
	}
	assert_int_equal(judge(NULL), 1u << RECONCILE_ALTERNATING);
	assert_int_equal(count, 2);
}

static void a_text_that_is_none_is_refused(void **state)
{
	(void)state;
	begin();
	assert_int_not_equal(reconcile_add(r, "g1", "{\"time\":"), CV_OK);
	assert_int_not_equal(reconcile_add(r, "g1",
		"{\"time\":1,\"kind\":\"release\",\"device\":\"d1\",\"boot_id\":\"AA\"}"), CV_OK);
	reconcile_close(r);
	r = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ordinary_boot_adds_up),
		cmocka_unit_test(releases_at_fewer_than_k_gateways_are_found),
		cmocka_unit_test(shares_that_were_never_used_are_found),
		cmocka_unit_test(two_keys_in_one_boot_are_found_across_gateways),
		cmocka_unit_test(boots_that_alternate_are_found),
		cmocka_unit_test(a_text_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
