/* Re-enrolment: the only way in which an enrolled device gets other keys, and what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/crypto.h"
#include "protocol/message.h"
#include "tests/unit/gateway/keeper_rig.h"
#include "tests/vectors/tpm_vectors.h"

static struct rig *rig;
static struct rig_device *next; /* "d1" with other keys and another volume */

static int setup(void **state)
{
	(void)state;
	rig = rig_enrolled();
	next = malloc(sizeof(*next));
	if (next == NULL)
		return -1;
	rig_device_make(rig, next, "d1");
	rig_package(rig, next);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(next);
	rig_free(rig);
	return 0;
}

static const struct rig_answer *send(const char *name, const char *body)
{
	const struct rig_answer *answer = rig_op(rig, &rig->admin, name, body);

	assert_true(answer->authentic);
	return answer;
}

static const char *package(const struct rig_device *d)
{
	static char body[sizeof(d->package) + 64];

	snprintf(body, sizeof(body), "{\"package\":\"%s\"}", d->package);
	return body;
}

static const char *refusal(const char *name, const struct rig_device *d)
{
	const struct rig_answer *answer = send(name, package(d));

	assert_int_equal(answer->status, 403);
	return rig_reason(answer);
}

static void expect(const char *name, const char *body, const char *part)
{
	const struct rig_answer *answer = send(name, body);

	assert_int_equal(answer->status, 200);
	if (strstr(answer->body, part) == NULL)
		fail_msg("%s: %s", name, answer->body);
}

/* What a nonce request of the device gets: the first that a gateway refuses. */
static const struct rig_answer *ask(const struct rig_device *d)
{
	struct nonce_request m = {.epoch = d->enrolment.epoch};
	char body[512];
	size_t len;

	memcpy(m.volume_id, d->enrolment.volume_id, sizeof(m.volume_id));
	assert_int_equal(nonce_request_encode(body, sizeof(body), &len, &m), CV_OK);
	return rig_device_call(rig, d, MESSAGE_TARGET_NONCE, body);
}

static void enrol_never_replaces_keys(void **state)
{
	(void)state;
	assert_string_equal(refusal("enrol", next), "exists");
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	assert_int_equal(ask(next)->status, 401);
}

static void replaces_keys_and_drops_the_shares(void **state)
{
	(void)state;
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	expect("reenrol", package(next), "\"reenrolled\"");
	assert_int_equal(rig_authorize(rig, next)->status, 200);
	assert_int_equal(ask(&rig->device)->status, 401);
	/* With the new MAC key, too, the old volume is nobody's. */
	memcpy(next->enrolment.volume_id, rig->device.enrolment.volume_id, CV_VOLUME_ID_BYTES);
	assert_string_equal(rig_reason(ask(next)), "volume_unknown");
}

static void the_same_package_again_changes_nothing(void **state)
{
	(void)state;
	expect("reenrol", package(next), "\"reenrolled\"");
	assert_int_equal(rig_authorize(rig, next)->status, 200);
	expect("reenrol", package(next), "\"unchanged\"");
	assert_int_equal(rig_authorize(rig, next)->status, 200);
}

static void keeps_the_state_and_the_policy(void **state)
{
	(void)state;
	expect("policy",
		"{\"device\":\"d1\",\"policy\":{\"v\":1,\"policy_version\":7,\"boot\":{\"max_keys\":3,"
		"\"max_step\":1},\"measurements\":\"not_required\",\"place\":{\"cities\":[\"X\"]},"
		"\"iat\":\"not_required\",\"lease_seconds\":0,\"reveal_reason\":true}}",
		"7");
	expect("revoke", "{\"device\":\"d1\"}", "revoked");
	expect("reenrol", package(next), "\"reenrolled\"");
	assert_string_equal(rig_reason(ask(next)), "device_revoked");
	expect("reinstate", "{\"device\":\"d1\"}", "active");
	expect("show", "{\"device\":\"d1\"}", "\"cities\":[\"X\"]");
	assert_string_equal(rig_reason(rig_authorize(rig, next)), "place_missing");
}

static void the_audit_names_both_keys(void **state)
{
	(void)state;
	expect("reenrol", package(next), "\"reenrolled\"");
	expect("audit", "{\"from\":1}", "software to software, quoting key - to -");
}

static void a_class_that_the_policy_does_not_suit_is_refused(void **state)
{
	struct enrolment *e = &next->enrolment;

	(void)state;
	e->trust_class = TRUST_TPM;
	memcpy(e->tpm.ek_name, v_tpm_ek_name, sizeof(e->tpm.ek_name));
	memcpy(e->tpm.ak, v_tpm_ak, e->tpm.ak_len = sizeof(v_tpm_ak));
	rig_package(rig, next);
	assert_string_equal(refusal("reenrol", next), "policy_empty");
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200); /* as it was */
}

static void a_device_that_is_not_known_is_enrolled(void **state)
{
	(void)state;
	rig_device_make(rig, next, "d9");
	rig_package(rig, next);
	expect("reenrol", package(next), "\"enrolled\"");
	assert_int_equal(rig_authorize(rig, next)->status, 200);
}

static void events_are_counted_anew(void **state)
{
	char body[1024];

	(void)state;
	rig_event_body(body, sizeof(body), &rig->device, 900, DEVICE_EVENT_MOUNT_OK);
	assert_int_equal(rig_device_call(rig, &rig->device, "/v1/events", body)->status, 200);
	expect("reenrol", package(next), "\"reenrolled\"");
	rig_event_body(body, sizeof(body), next, 1, DEVICE_EVENT_MOUNT_OK);
	assert_int_equal(rig_device_call(rig, next, "/v1/events", body)->status, 200);
}

static void needs_the_role_enrol(void **state)
{
	struct rig_operator reader;
	const struct rig_answer *answer;

	(void)state;
	rig_operator_make(rig, &reader, "reader", OP_ROLE_AUDIT | OP_ROLE_REVOKE | OP_ROLE_POLICY,
		UINT32_MAX);
	answer = rig_op(rig, &reader, "reenrol", package(next));
	assert_string_equal(rig_reason(answer), "op_role");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(enrol_never_replaces_keys),
		TEST(replaces_keys_and_drops_the_shares),
		TEST(the_same_package_again_changes_nothing),
		TEST(keeps_the_state_and_the_policy),
		TEST(the_audit_names_both_keys),
		TEST(a_class_that_the_policy_does_not_suit_is_refused),
		TEST(a_device_that_is_not_known_is_enrolled),
		TEST(events_are_counted_anew),
		TEST(needs_the_role_enrol),
	};

	return cmocka_run_group_tests(tests, rig_process_init, NULL);
}
