/* Policies of groups at a real keeper: who may bring one, which one counts, and what it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/crypto.h"
#include "protocol/fleet_rules.h"
#include "protocol/group.h"
#include "protocol/json_get.h"
#include "tests/unit/gateway/keeper_rig.h"

#define EXPIRY 4102444800u

static char json[CV_GROUP_POLICY_MAX + 1];
static char text[CV_JWS_MAX + 1];
static char second[GROUP_COUNTERSIGN_MAX + 1];
static char body[CV_OP_BODY_MAX];

/* A policy that only differs in its version and in the release quota. */
static void make_policy(const char *fleet, const char *group, int version, int quota)
{
	snprintf(json, sizeof(json),
		"{\"v\":1,\"fleet\":\"%s\",\"group\":\"%s\",\"rules\":{\"v\":1,\"policy_version\":%d,"
		"\"boot\":{\"max_keys\":16,\"max_step\":1000},\"measurements\":\"not_required\","
		"\"place\":\"not_required\",\"iat\":\"not_required\",\"lease_seconds\":0,"
		"\"reveal_reason\":true},\"trust_classes\":[\"software\"],"
		"\"min_client\":\"not_required\",\"windows\":\"not_required\","
		"\"releases_per_day\":%d,\"approval\":\"not_required\",\"clock\":\"any\"}",
		fleet, group, version, quota);
}

static void sign(const struct rig_operator *op)
{
	const struct jws_signer signer = jws_key_signer(op->key);
	size_t len;

	assert_int_equal(jws_sign(text, sizeof(text), &len, GROUP_TYP, op->cert, json, strlen(json),
		&signer), CV_OK);
}

static const struct rig_answer *push_as(
	struct rig *rig, const struct rig_operator *op, const char *more)
{
	snprintf(body, sizeof(body), "{\"policy\":\"%s\"%s}", text, more);
	return rig_op(rig, op, "policy-push", body);
}

static const char *push(struct rig *rig, int version, int quota)
{
	const struct rig_answer *answer;

	make_policy(RIG_FLEET, "lamps", version, quota);
	sign(&rig->admin);
	answer = push_as(rig, &rig->admin, "");
	assert_true(answer->authentic);
	return answer->status == 200 ? "" : rig_reason(answer);
}

static void join(struct rig *rig, const char *group)
{
	snprintf(body, sizeof(body), "{\"device\":\"d1\",\"group\":\"%s\"}", group);
	assert_int_equal(rig_op(rig, &rig->admin, "group", body)->status, 200);
}

static const char *authorize_reason(struct rig *rig)
{
	const struct rig_answer *answer = rig_authorize(rig, &rig->device);

	assert_true(answer->authentic);
	return answer->status == 200 ? "" : rig_reason(answer);
}

static uint64_t number_in(const struct rig_answer *answer, const char *name)
{
	struct cJSON *tree = NULL;
	uint64_t value = UINT64_MAX;

	assert_int_equal(json_parse(&tree, answer->body, answer->len, RIG_BODY_MAX), CV_OK);
	assert_int_equal(json_get_u64(tree, name, 0, CV_JSON_INTEGER_MAX, &value), CV_OK);
	json_free(tree);
	return value;
}

static uint64_t in_force(struct rig *rig)
{
	const struct rig_answer *answer =
		rig_op(rig, &rig->admin, "policy-show", "{\"group\":\"lamps\"}");

	assert_int_equal(answer->status, 200);
	return number_in(answer, "in_force");
}

static void a_group_without_a_policy_gets_nothing_and_with_one_goes_by_it(void **state)
{
	struct rig *rig = rig_enrolled();

	(void)state;
	assert_string_equal(authorize_reason(rig), "");
	join(rig, "lamps");
	/* No policy, so nothing that allows the device to hear why. */
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 403);
	assert_string_equal(push(rig, 1, 5), "");
	assert_string_equal(authorize_reason(rig), "");
	assert_int_equal(number_in(rig_authorize(rig, &rig->device), "policy_version"), 1);
	assert_true(rig_alerted(rig, EVENT_POLICY_CHANGED));
	join(rig, "");
	assert_string_equal(authorize_reason(rig), "");
	rig_free(rig);
}

static void only_newer_policies_are_taken(void **state)
{
	struct rig *rig = rig_enrolled();

	(void)state;
	assert_string_equal(push(rig, 5, 5), "");
	/* the same bytes again change nothing; the same version signed anew is another document */
	assert_int_equal(push_as(rig, &rig->admin, "")->status, 200);
	assert_string_equal(push(rig, 5, 5), "conflict");
	assert_string_equal(push(rig, 4, 5), "conflict");
	assert_string_equal(push(rig, 5, 6), "conflict");
	assert_int_equal(in_force(rig), 5);
	assert_string_equal(push(rig, 6, 6), "");
	assert_int_equal(in_force(rig), 6);
	/* and not after a restart either */
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	assert_string_equal(push(rig, 5, 5), "conflict");
	assert_int_equal(in_force(rig), 6);
	rig_free(rig);
}

static void unsigned_wrong_role_wrong_fleet_and_revoked_signers_are_refused(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_operator narrow, old;

	(void)state;
	rig_operator_make(rig, &narrow, "narrow", OP_ROLES_ALL & ~(uint32_t)OP_ROLE_POLICY, EXPIRY);
	rig_operator_make(rig, &old, "old", OP_ROLES_ALL, 1767225601);
	make_policy(RIG_FLEET, "lamps", 1, 5);
	sign(&narrow);
	assert_string_equal(rig_reason(push_as(rig, &rig->admin, "")), "op_role");
	sign(&old);
	assert_string_equal(rig_reason(push_as(rig, &rig->admin, "")), "op_expired");
	sign(&rig->admin);
	text[strlen(text) - 4] = text[strlen(text) - 4] == 'A' ? 'B' : 'A';
	assert_int_equal(push_as(rig, &rig->admin, "")->status, 403);
	strcpy(text, json[0] == '{' ? "e30.e30.e30" : "");
	assert_string_equal(rig_reason(push_as(rig, &rig->admin, "")), "malformed");
	make_policy("other", "lamps", 1, 5);
	sign(&rig->admin);
	assert_string_equal(rig_reason(push_as(rig, &rig->admin, "")), "malformed");
	/* and the command itself needs the role as well */
	make_policy(RIG_FLEET, "lamps", 1, 5);
	sign(&rig->admin);
	assert_string_equal(rig_reason(push_as(rig, &narrow, "")), "op_role");
	assert_string_equal(
		rig_reason(rig_op(rig, &rig->admin, "policy-show", "{\"group\":\"lamps\"}")),
		"not_found");
	rig_free(rig);
}

static void set_two(struct rig *rig, uint64_t version, bool two, const char *expected)
{
	const struct jws_signer root = jws_key_signer(rig->root_private);
	struct fleet_rules rules = { RIG_FLEET, version, 1767225600, two };
	const struct rig_answer *answer;
	char rules_text[FLEET_RULES_MAX + 1];
	size_t len;

	assert_int_equal(
		fleet_rules_encode(rules_text, sizeof(rules_text), &len, &rules, &root), CV_OK);
	snprintf(body, sizeof(body), "{\"rules\":\"%s\"}", rules_text);
	answer = rig_op(rig, &rig->admin, "fleet-rules", body);
	assert_string_equal(answer->status == 200 ? "" : rig_reason(answer), expected);
}

static void where_the_root_says_so_it_takes_two_operators(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_operator bob;
	struct jws_signer signer;
	char more[GROUP_COUNTERSIGN_MAX + 32];
	size_t len;

	(void)state;
	rig_operator_make(rig, &bob, "bob", OP_ROLE_POLICY, EXPIRY);
	set_two(rig, 1, true, "");
	set_two(rig, 1, false, "conflict");
	assert_string_equal(push(rig, 1, 5), "op_signature");
	signer = jws_key_signer(rig->admin.key);
	assert_int_equal(group_countersign(second, sizeof(second), &len, RIG_FLEET, text,
		strlen(text), rig->admin.cert, &signer), CV_OK);
	snprintf(more, sizeof(more), ",\"countersign\":\"%s\"", second);
	assert_string_equal(rig_reason(push_as(rig, &rig->admin, more)), "op_revoked");
	signer = jws_key_signer(bob.key);
	assert_int_equal(group_countersign(second, sizeof(second), &len, RIG_FLEET, text,
		strlen(text), bob.cert, &signer), CV_OK);
	snprintf(more, sizeof(more), ",\"countersign\":\"%s\"", second);
	assert_int_equal(push_as(rig, &rig->admin, more)->status, 200);
	/* it survives a restart, and ends only with newer rules */
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	assert_string_equal(push(rig, 2, 5), "op_signature");
	set_two(rig, 2, false, "");
	assert_string_equal(push(rig, 2, 5), "");
	rig_free(rig);
}

static const char *canary(struct rig *rig, int version, const char *action)
{
	const struct rig_answer *answer;

	snprintf(body, sizeof(body), "{\"group\":\"lamps\",\"version\":%d,\"action\":\"%s\"}",
		version, action);
	answer = rig_op(rig, &rig->admin, "policy-canary", body);
	return answer->status == 200 ? "" : rig_reason(answer);
}

static void a_canary_share_gets_a_policy_first(void **state)
{
	struct rig *rig = rig_enrolled();
	char more[32];
	int percent = 1, is = 0;

	(void)state;
	join(rig, "lamps");
	assert_string_equal(push(rig, 1, 100), "");
	while (percent < 99 && !is)
		assert_int_equal(group_is_canary("lamps", "d1", (uint32_t)++percent, &is), CV_OK);
	/* one percent less: the device is not among them */
	make_policy(RIG_FLEET, "lamps", 2, 100);
	sign(&rig->admin);
	snprintf(more, sizeof(more), ",\"canary\":%d", percent - 1);
	assert_int_equal(push_as(rig, &rig->admin, more)->status, 200);
	assert_int_equal(number_in(rig_authorize(rig, &rig->device), "policy_version"), 1);
	make_policy(RIG_FLEET, "lamps", 3, 100);
	sign(&rig->admin);
	snprintf(more, sizeof(more), ",\"canary\":%d", percent);
	assert_int_equal(push_as(rig, &rig->admin, more)->status, 200);
	assert_int_equal(number_in(rig_authorize(rig, &rig->device), "policy_version"), 3);
	assert_int_equal(in_force(rig), 1);
	assert_string_equal(canary(rig, 2, "promote"), "conflict");
	assert_string_equal(canary(rig, 3, "abort"), "");
	assert_string_equal(canary(rig, 3, "abort"), "");
	assert_int_equal(number_in(rig_authorize(rig, &rig->device), "policy_version"), 1);
	assert_string_equal(canary(rig, 3, "promote"), "conflict");
	assert_string_equal(push(rig, 3, 100), "conflict");
	make_policy(RIG_FLEET, "lamps", 4, 100);
	sign(&rig->admin);
	assert_int_equal(push_as(rig, &rig->admin, more)->status, 200);
	assert_string_equal(canary(rig, 4, "promote"), "");
	assert_string_equal(canary(rig, 4, "promote"), "");
	assert_int_equal(in_force(rig), 4);
	rig_free(rig);
}

static void history_is_kept_and_the_oldest_goes(void **state)
{
	struct rig *rig = rig_enrolled();
	const struct rig_answer *answer;

	(void)state;
	for (int version = 1; version <= 20; version++)
		assert_string_equal(push(rig, version, version), "");
	answer = rig_op(rig, &rig->admin, "policy-show", "{\"group\":\"lamps\",\"version\":5}");
	assert_int_equal(answer->status, 200);
	answer = rig_op(rig, &rig->admin, "policy-show", "{\"group\":\"lamps\",\"version\":4}");
	assert_string_equal(rig_reason(answer), "not_found");
	/* the store's sum must still be right */
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	assert_int_equal(in_force(rig), 20);
	rig_free(rig);
}

static void the_quota_of_a_day_is_kept_over_a_restart(void **state)
{
	struct rig *rig = rig_enrolled();

	(void)state;
	join(rig, "lamps");
	assert_string_equal(push(rig, 1, 2), "");
	for (int i = 0; i < 2; i++) {
		assert_string_equal(authorize_reason(rig), "");
		assert_int_equal(crypto_random(rig->device.evidence.platform.boot_id + 1, 15), CV_OK);
	}
	assert_string_equal(authorize_reason(rig), "quota_reached");
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	assert_string_equal(authorize_reason(rig), "quota_reached");
	assert_string_equal(push(rig, 2, 3), "");
	assert_string_equal(authorize_reason(rig), "");
	rig_free(rig);
}

static void a_frozen_fleet_releases_nothing_until_it_is_thawed(void **state)
{
	struct rig *rig = rig_enrolled();
	struct nonce_request nonce = {0};
	char ask[512];
	size_t len;

	(void)state;
	assert_int_equal(
		rig_op(rig, &rig->admin, "freeze", "{\"reason\":\"found a copy\"}")->status, 200);
	assert_int_equal(rig_op(rig, &rig->admin, "freeze", "{}")->status, 200);
	assert_true(rig_alerted(rig, EVENT_FLEET_FROZEN));
	memcpy(nonce.volume_id, rig->device.enrolment.volume_id, sizeof(nonce.volume_id));
	nonce.epoch = 1;
	assert_int_equal(nonce_request_encode(ask, sizeof(ask), &len, &nonce), CV_OK);
	assert_string_equal(rig_reason(rig_device_call(rig, &rig->device, MESSAGE_TARGET_NONCE, ask)),
		"fleet_frozen");
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	assert_string_equal(rig_reason(rig_device_call(rig, &rig->device, MESSAGE_TARGET_NONCE, ask)),
		"fleet_frozen");
	assert_int_equal(rig_op(rig, &rig->admin, "thaw", "{}")->status, 200);
	assert_string_equal(authorize_reason(rig), "");
	rig_free(rig);
}

/* The number of the first request that waits; 0 if none does. */
static uint64_t waiting(struct rig *rig)
{
	const struct rig_answer *answer = rig_op(rig, &rig->admin, "requests", "{}");
	const cJSON *list = NULL;
	struct cJSON *tree = NULL;
	uint64_t number = 0;
	size_t count = 0;

	assert_int_equal(answer->status, 200);
	assert_int_equal(json_parse(&tree, answer->body, answer->len, RIG_BODY_MAX), CV_OK);
	assert_int_equal(json_get_array(tree, "requests", &list, &count), CV_OK);
	if (count > 0)
		assert_int_equal(
			json_get_u64(list->child, "request", 1, UINT32_MAX * 4ull, &number), CV_OK);
	json_free(tree);
	return number;
}

static const char *approve(struct rig *rig, uint64_t number)
{
	const struct rig_answer *answer;

	snprintf(body, sizeof(body), "{\"request\":%llu}", (unsigned long long)number);
	answer = rig_op(rig, &rig->admin, "approve", body);
	return answer->status == 200 ? "" : rig_reason(answer);
}

static void an_approval_lets_one_key_pass_once(void **state)
{
	struct rig *rig = rig_enrolled();
	char *at;
	uint64_t number;

	(void)state;
	join(rig, "lamps");
	make_policy(RIG_FLEET, "lamps", 1, 100);
	at = strstr(json, "\"approval\":\"not_required\"");
	memcpy(at, "\"approval\":    \"required\"", 25);
	sign(&rig->admin);
	assert_int_equal(push_as(rig, &rig->admin, "")->status, 200);
	assert_int_equal(waiting(rig), 0);
	assert_string_equal(authorize_reason(rig), "approval_required");
	assert_string_equal(authorize_reason(rig), "approval_required");
	number = waiting(rig);
	assert_true(number > 0);
	assert_true(rig_alerted(rig, EVENT_APPROVAL_NEEDED));
	assert_string_equal(approve(rig, number + 1), "not_found");
	assert_string_equal(approve(rig, number), "");
	/* the grant is durable, and another boot's key does not get it */
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	rig->device.evidence.boot_key[5] ^= 1;
	assert_string_equal(authorize_reason(rig), "approval_required");
	rig->device.evidence.boot_key[5] ^= 1;
	assert_string_equal(authorize_reason(rig), "");
	/* the same key in the same boot is free; a new boot asks anew, under another number */
	assert_string_equal(authorize_reason(rig), "");
	rig->device.evidence.platform.boot_id[3] ^= 1;
	assert_string_equal(authorize_reason(rig), "approval_required"); /* it was for one release */
	rig->device.evidence.boot_key[6] ^= 1;
	assert_string_equal(authorize_reason(rig), "approval_required");
	assert_true(waiting(rig) != number);
	/* and a further key takes its place: what waited before would be approved for nobody */
	number = waiting(rig);
	rig->device.evidence.boot_key[7] ^= 1;
	assert_string_equal(authorize_reason(rig), "approval_required");
	assert_string_equal(approve(rig, number), "not_found");
	assert_string_equal(approve(rig, waiting(rig)), "");
	assert_string_equal(authorize_reason(rig), "");
	rig_free(rig);
}

static size_t boots_on_record(struct rig *rig)
{
	const struct rig_answer *answer =
		rig_op(rig, &rig->admin, "evidence", "{\"device\":\"d1\"}");
	const cJSON *list = NULL;
	struct cJSON *tree = NULL;
	size_t count = 0;

	assert_int_equal(answer->status, 200);
	assert_int_equal(json_parse(&tree, answer->body, answer->len, RIG_BODY_MAX), CV_OK);
	assert_int_equal(json_get_array(tree, "boots", &list, &count), CV_OK);
	json_free(tree);
	return count;
}

static void the_last_boots_and_the_last_refusal_are_on_record(void **state)
{
	struct rig *rig = rig_enrolled();

	(void)state;
	assert_int_equal(boots_on_record(rig), 0);
	for (uint8_t boot = 1; boot <= 5; boot++) {
		rig->device.evidence.platform.boot_id[1] = boot;
		assert_string_equal(authorize_reason(rig), "");
		assert_string_equal(authorize_reason(rig), ""); /* one for each boot */
		assert_int_equal(boots_on_record(rig), boot < 3 ? boot : 3);
	}
	rig->device.evidence.platform.dbgstat = EVIDENCE_DEBUG_ENABLED;
	assert_string_equal(authorize_reason(rig), "debug_enabled");
	assert_int_equal(boots_on_record(rig), 4);
	rig->device.evidence.platform.dbgstat = EVIDENCE_DEBUG_DISABLED;
	rig->device.evidence.platform.boot_id[1] = 6;
	assert_string_equal(authorize_reason(rig), "");
	assert_int_equal(boots_on_record(rig), 4);
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	assert_int_equal(boots_on_record(rig), 4);
	rig_free(rig);
}

static void a_finding_becomes_an_alert_and_only_a_known_one(void **state)
{
	struct rig *rig = rig_enrolled();

	(void)state;
	assert_string_equal(rig_reason(rig_op(rig, &rig->admin, "suspect",
		"{\"device\":\"d1\",\"finding\":\"anything\"}")), "malformed");
	assert_int_equal(rig_op(rig, &rig->admin, "suspect",
		"{\"device\":\"d1\",\"finding\":\"few_gateways\"}")->status, 200);
	assert_true(rig_alerted(rig, EVENT_HARVEST_SUSPECTED));
	rig_free(rig);
}

static void status_lists_groups_page_by_page_and_the_health_answer_has_versions(void **state)
{
	struct rig *rig = rig_enrolled();
	const struct rig_answer *answer;

	(void)state;
	for (int i = 0; i < 3; i++) {
		char group[8];

		snprintf(group, sizeof(group), "g%d", i);
		make_policy(RIG_FLEET, group, i + 1, 5);
		sign(&rig->admin);
		assert_int_equal(push_as(rig, &rig->admin, "")->status, 200);
	}
	answer = rig_op(rig, &rig->admin, "policy-status", "{}");
	assert_non_null(strstr(answer->body, "{\"group\":\"g0\",\"in_force\":1,"));
	assert_non_null(strstr(answer->body, "{\"group\":\"g2\",\"in_force\":3,"));
	answer = rig_op(rig, &rig->admin, "policy-status", "{\"after\":\"g1\"}");
	assert_null(strstr(answer->body, "\"g1\""));
	assert_non_null(strstr(answer->body, "\"g2\""));
	assert_int_equal(rig_health(rig, "policy_groups"), 3);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_without_a_policy_gets_nothing_and_with_one_goes_by_it),
		cmocka_unit_test(only_newer_policies_are_taken),
		cmocka_unit_test(unsigned_wrong_role_wrong_fleet_and_revoked_signers_are_refused),
		cmocka_unit_test(where_the_root_says_so_it_takes_two_operators),
		cmocka_unit_test(a_canary_share_gets_a_policy_first),
		cmocka_unit_test(history_is_kept_and_the_oldest_goes),
		cmocka_unit_test(the_quota_of_a_day_is_kept_over_a_restart),
		cmocka_unit_test(a_frozen_fleet_releases_nothing_until_it_is_thawed),
		cmocka_unit_test(an_approval_lets_one_key_pass_once),
		cmocka_unit_test(the_last_boots_and_the_last_refusal_are_on_record),
		cmocka_unit_test(a_finding_becomes_an_alert_and_only_a_known_one),
		cmocka_unit_test(status_lists_groups_page_by_page_and_the_health_answer_has_versions),
	};

	return cmocka_run_group_tests(tests, rig_process_init, NULL);
}
