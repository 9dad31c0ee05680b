/* The keeper as a process: the whole exchange, refusals, events, restart. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/mac.h"
#include "tests/unit/gateway/keeper_rig.h"

static void releases_the_share_to_its_device(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES];
	struct rig_answer *answer;

	(void)state;
	rig_nonce(rig, &rig->device, nonce);
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_AUTHORIZE, body);
	assert_true(rig_opens(&rig->device, nonce, answer));
	assert_true(rig_alerted(rig, EVENT_AUTH_OK));
	assert_int_equal(rig_health(rig, "released"), 1);
	assert_int_equal(rig_stop(rig), 0);
	rig_free(rig);
}


static struct rig_answer *refused(struct rig *rig, const struct rig_device *d, const char *body,
	const char *reason)
{
	struct rig_answer *answer = rig_device_call(rig, d, MESSAGE_TARGET_AUTHORIZE, body);

	assert_int_equal(answer->status, 403);
	assert_true(answer->authentic);
	assert_int_equal(answer->len, CV_AUTHORIZE_REPLY_BYTES);
	assert_string_equal(rig_reason(answer), reason);
	return answer;
}

static void enrol(struct rig *rig, struct rig_device *d)
{
	char *body = malloc(sizeof(d->package) + 64);

	rig_package(rig, d);
	sprintf(body, "{\"package\":\"%s\"}", d->package);
	assert_int_equal(rig_op(rig, &rig->admin, "enrol", body)->status, 200);
	free(body);
}

static void check_says_yes_and_changes_nothing(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_answer *answer;
	struct check_answer decoded;
	uint64_t revision = rig_health(rig, "store_revision");

	(void)state;
	rig->device.evidence.purpose = EVIDENCE_CHECK;
	answer = rig_authorize(rig, &rig->device);
	assert_int_equal(answer->status, 200);
	assert_true(answer->authentic);
	assert_int_equal(check_answer_decode(&decoded, answer->body, answer->len), CV_OK);
	assert_int_equal(decoded.would_release, 1);
	assert_int_equal(rig_health(rig, "store_revision"), revision);
	assert_int_equal(rig_health(rig, "released"), 0);
	rig_free(rig);
}

/* Unknown device, bad MAC, no MAC and a MAC for another path: the same bytes. */
static void unauthenticated_requests_get_one_answer(void **state)
{
	struct rig *rig = rig_enrolled();
	struct ipc_request request = { .type = IPC_DEVICE };
	struct ipc_answer answer;
	char first[256] = "";
	uint8_t mac[CV_MAC_BYTES] = {1};
	const struct mac_scope scope = { RIG_FLEET, RIG_GATEWAY, "d1" };

	(void)state;
	strcpy(request.method, "POST");
	strcpy(request.target, MESSAGE_TARGET_NONCE);
	request.body = (const uint8_t *)"{}";
	request.body_len = 2;
	for (int i = 0; i < 5; i++) {
		request.mac[0] = '\0';
		if (i == 1)
			assert_int_equal(mac_request_header(request.mac, "d1", mac), CV_OK);
		if (i == 2)
			assert_int_equal(mac_request_header(request.mac, "nobody", mac), CV_OK);
		if (i == 3)
			strcpy(request.mac, "v1 device=- mac=00");
		if (i == 4) {
			assert_int_equal(mac_request(mac, rig->device.mac_key, &scope, "POST",
						 MESSAGE_TARGET_STATUS, "{}", 2), CV_OK);
			assert_int_equal(mac_request_header(request.mac, "d1", mac), CV_OK);
		}
		assert_true(rig_exchange(rig, &request, &answer));
		assert_int_equal(answer.status, 401);
		assert_string_equal(answer.header_value, "");
		if (i == 0)
			memcpy(first, answer.body, answer.body_len);
		assert_memory_equal(first, answer.body, answer.body_len);
		assert_int_equal(strlen(first), answer.body_len);
	}
	assert_int_equal(rig_health(rig, "bad_mac"), 2);
	assert_int_equal(rig_health(rig, "unknown_device"), 3);
	assert_true(rig_alerted(rig, EVENT_BAD_MAC));
	rig_free(rig);
}

static void a_request_for_one_gateway_is_refused_by_another(void **state)
{
	struct rig *rig = rig_enrolled();
	const struct mac_scope other = { RIG_FLEET, "g2", "d1" };
	struct ipc_request request = { .type = IPC_DEVICE };
	struct ipc_answer answer;
	uint8_t mac[CV_MAC_BYTES];

	(void)state;
	strcpy(request.method, "POST");
	strcpy(request.target, MESSAGE_TARGET_STATUS);
	request.body = (const uint8_t *)"{}";
	request.body_len = 2;
	assert_int_equal(mac_request(mac, rig->device.mac_key, &other, "POST",
				 MESSAGE_TARGET_STATUS, "{}", 2), CV_OK);
	assert_int_equal(mac_request_header(request.mac, "d1", mac), CV_OK);
	assert_true(rig_exchange(rig, &request, &answer));
	assert_int_equal(answer.status, 401);
	rig_free(rig);
}

static void a_spent_nonce_is_a_replay(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	rig_nonce(rig, &rig->device, nonce);
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	assert_int_equal(
		rig_device_call(rig, &rig->device, MESSAGE_TARGET_AUTHORIZE, body)->status, 200);
	refused(rig, &rig->device, body, "nonce_spent");
	assert_true(rig_alerted(rig, EVENT_REPLAY));
	/* The same nonce in a new token is spent as well. */
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	refused(rig, &rig->device, body, "nonce_spent");
	assert_int_equal(rig_health(rig, "released"), 1);
	rig_free(rig);
}

static void a_refused_request_spends_its_nonce(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	rig_nonce(rig, &rig->device, nonce);
	rig->device.evidence.platform.dbgstat = EVIDENCE_DEBUG_ENABLED;
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	refused(rig, &rig->device, body, "debug_enabled");
	rig->device.evidence.platform.dbgstat = EVIDENCE_DEBUG_DISABLED;
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	refused(rig, &rig->device, body, "nonce_spent");
	rig_free(rig);
}

static void a_foreign_nonce_is_refused(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	for (size_t i = 0; i < CV_NONCE_BYTES; i++) {
		rig_nonce(rig, &rig->device, nonce);
		nonce[i] ^= 1;
		rig_authorize_body(body, sizeof(body), &rig->device, nonce);
		refused(rig, &rig->device, body, "nonce_foreign");
	}
	/* Another keeper, or this one after a restart: the key died with the process. */
	rig_nonce(rig, &rig->device, nonce);
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	refused(rig, &rig->device, body, "nonce_foreign");
	rig_free(rig);
}

static void a_nonce_is_for_one_device_and_volume(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	struct rig_device *other = malloc(sizeof(*other));
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	rig_device_make(rig, other, "d2");
	enrol(rig, other);
	rig_nonce(rig, &rig->device, nonce);
	rig_authorize_body(body, sizeof(body), other, nonce);
	refused(rig, other, body, "nonce_foreign");
	free(other);
	rig_free(rig);
}

static void an_expired_nonce_is_refused(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES], later[CV_NONCE_BYTES];

	(void)state;
	assert_int_equal(rig_stop(rig), 0);
	rig->cfg.nonce_ttl_ms = 1;
	assert_true(rig_start(rig));
	rig_nonce(rig, &rig->device, nonce);
	/* The keeper's own clock moves on with each nonce: ask until two milliseconds have passed. */
	do {
		rig_nonce(rig, &rig->device, later);
	} while (memcmp(nonce + 16, later + 16, 7) == 0 && later[23] - nonce[23] < 3);
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	refused(rig, &rig->device, body, "nonce_expired");
	rig_free(rig);
}

static void a_token_of_another_device_or_key_is_refused(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	struct rig_device *thief = malloc(sizeof(*thief));
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	rig_nonce(rig, &rig->device, nonce);
	*thief = rig->device;
	assert_int_equal(crypto_random(thief->attestation_key, 32), CV_OK);
	thief->attestation_key[0] &= 0x7f;
	rig_authorize_body(body, sizeof(body), thief, nonce);
	refused(rig, &rig->device, body, "evidence_signature");
	rig_nonce(rig, &rig->device, nonce);
	*thief = rig->device;
	assert_int_equal(evidence_ueid(thief->evidence.ueid, RIG_FLEET, "d2"), CV_OK);
	rig_authorize_body(body, sizeof(body), thief, nonce);
	refused(rig, &rig->device, body, "evidence_device");
	free(thief);
	rig_free(rig);
}

static void the_same_boot_and_key_is_released_again(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_device *d = &rig->device;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(rig_authorize(rig, d)->status, 200);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			crypto_x25519_keypair(d->boot_private, d->evidence.boot_key), CV_OK);
		assert_int_equal(rig_authorize(rig, d)->status, 200);
	}
	assert_true(rig_alerted(rig, EVENT_NEW_BOOT_KEY));
	assert_int_equal(crypto_x25519_keypair(d->boot_private, d->evidence.boot_key), CV_OK);
	assert_string_equal(rig_reason(rig_authorize(rig, d)), "boot_key");
	assert_true(rig_alerted(rig, EVENT_CLONE_SUSPECTED));
	assert_int_equal(rig_op(rig, &rig->admin, "allow-key", "{\"device\":\"d1\"}")->status, 200);
	assert_int_equal(rig_authorize(rig, d)->status, 200);
	d->evidence.platform.boot_id[3] ^= 1;
	assert_int_equal(crypto_x25519_keypair(d->boot_private, d->evidence.boot_key), CV_OK);
	assert_int_equal(rig_authorize(rig, d)->status, 200);
	rig_free(rig);
}

static void boot_locked_is_told_once_per_boot(void **state)
{
	struct rig *rig = rig_enrolled();
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	rig_nonce(rig, &rig->device, nonce);
	assert_true(rig_alerted(rig, EVENT_BOOT_LOCKED));
	rig_nonce(rig, &rig->device, nonce);
	assert_false(rig_alerted(rig, EVENT_BOOT_LOCKED));
	/* Another boot within the minute: seen, not told. */
	rig->device.evidence.platform.boot_id[3] ^= 1;
	rig_nonce(rig, &rig->device, nonce);
	assert_false(rig_alerted(rig, EVENT_BOOT_LOCKED));
	rig_free(rig);
}

static void a_revoked_device_gets_nothing(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	rig_nonce(rig, &rig->device, nonce);
	assert_int_equal(rig_op(rig, &rig->admin, "quarantine", "{\"device\":\"d1\"}")->status, 200);
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	refused(rig, &rig->device, body, "device_quarantined");
	assert_int_equal(rig_op(rig, &rig->admin, "revoke",
				 "{\"device\":\"d1\",\"reason\":\"stolen\"}")->status, 200);
	assert_true(rig_alerted(rig, EVENT_DEVICE_REVOKED));
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	refused(rig, &rig->device, body, "nonce_spent");
	/* It holds over a restart, and an operator can take it back. */
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	assert_int_equal(
		rig_op(rig, &rig->admin, "reinstate", "{\"device\":\"d1\"}")->status, 200);
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	rig_free(rig);
}

static void malformed_bodies_are_refused_after_the_mac(void **state)
{
	static const char *const bodies[] = { "", "{", "[]", "{}", "{\"request_id\":1}",
		"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}",
		"{\"request_id\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"request_id\":\"AAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"request_id\":\"\xff\xfe\"}" };
	static const char *const targets[] = { MESSAGE_TARGET_NONCE, MESSAGE_TARGET_AUTHORIZE,
		MESSAGE_TARGET_CHECK, MESSAGE_TARGET_EVENTS, MESSAGE_TARGET_STATUS, "/v1/other" };
	struct rig *rig = rig_enrolled();

	(void)state;
	for (size_t t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
		for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++) {
			const struct rig_answer *answer =
				rig_device_call(rig, &rig->device, targets[t], bodies[b]);

			assert_int_equal(answer->status, 403);
			assert_true(answer->authentic);
			assert_string_equal(rig_reason(answer), "malformed");
		}
	}
	rig_free(rig);
}

static void reasons_are_hidden_unless_the_policy_reveals_them(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	const struct rig_answer *answer;
	uint8_t nonce[CV_NONCE_BYTES];
	char policy[1024];

	(void)state;
	snprintf(policy, sizeof(policy), "{\"device\":\"d1\",\"policy\":%s}", rig_policy);
	memcpy(strstr(policy, "reveal_reason\":true"), "reveal_reason\":null", 19);
	assert_string_equal(rig_reason(rig_op(rig, &rig->admin, "policy", policy)), "malformed");
	snprintf(policy, sizeof(policy),
		"{\"device\":\"d1\",\"policy\":{\"v\":1,\"policy_version\":2,\"boot\":{\"max_keys\":3,"
		"\"max_step\":1000},\"measurements\":\"not_required\",\"place\":\"not_required\","
		"\"iat\":\"not_required\",\"lease_seconds\":7,\"reveal_reason\":false}}");
	assert_int_equal(rig_op(rig, &rig->admin, "policy", policy)->status, 200);
	rig_nonce(rig, &rig->device, nonce);
	nonce[0] ^= 1;
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_AUTHORIZE, body);
	assert_int_equal(answer->status, 403);
	assert_string_equal(rig_reason(answer), "");
	assert_int_equal(answer->len, CV_AUTHORIZE_REPLY_BYTES);
	rig_free(rig);
}

static void a_device_over_its_budget_is_asked_to_wait(void **state)
{
	struct rig *rig = rig_new();
	struct refusal refusal;
	const struct rig_answer *answer = NULL;

	(void)state;
	rig->cfg.limits.device_burst = 3;
	rig->cfg.limits.device_per_minute = 1;
	assert_true(rig_start(rig));
	enrol(rig, &rig->device);
	for (int i = 0; i < 4; i++)
		answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_STATUS, "{}");
	assert_int_equal(answer->status, 403);
	assert_string_equal(rig_reason(answer), "rate_limited");
	assert_int_equal(refusal_decode(&refusal, 403, answer->body, answer->len), CV_OK);
	assert_int_equal(refusal.retry, RETRY_LATER);
	assert_true(refusal.retry_after_s > 0);
	rig_free(rig);
}

static void events_count_up_and_repeat_harmlessly(void **state)
{
	struct rig *rig = rig_enrolled();
	char body[1024];
	uint64_t seq;

	(void)state;
	rig_event_body(body, sizeof(body), &rig->device, 5, DEVICE_EVENT_MOUNT_OK);
	assert_int_equal(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS, body)->status, 200);
	assert_true(rig_alerted(rig, EVENT_MOUNT_OK));
	seq = rig_health(rig, "audit_seq");
	rig_event_body(body, sizeof(body), &rig->device, 5, DEVICE_EVENT_MOUNT_OK);
	assert_int_equal(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS, body)->status, 200);
	assert_false(rig_alerted(rig, EVENT_MOUNT_OK));
	assert_int_equal(rig_health(rig, "audit_seq"), seq);
	rig_event_body(body, sizeof(body), &rig->device, 5, DEVICE_EVENT_MOUNT_FAIL);
	assert_string_equal(rig_reason(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS,
				    body)), "counter_reused");
	rig_event_body(body, sizeof(body), &rig->device, 4, DEVICE_EVENT_MOUNT_OK);
	assert_string_equal(rig_reason(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS,
				    body)), "counter_reused");
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	rig_event_body(body, sizeof(body), &rig->device, 5, DEVICE_EVENT_SHARE_INVALID);
	assert_string_equal(rig_reason(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS,
				    body)), "counter_reused");
	rig_event_body(body, sizeof(body), &rig->device, 6, DEVICE_EVENT_SHARE_INVALID);
	assert_int_equal(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS, body)->status, 200);
	assert_true(rig_alerted(rig, EVENT_SHARE_INVALID));
	rig_free(rig);
}

static void a_checkpoint_brings_an_anchor_and_makes_no_noise(void **state)
{
	struct rig *rig = rig_enrolled();
	struct event_request request = {0};
	char body[1024];
	size_t len;
	uint64_t seq = rig_health(rig, "audit_seq");

	(void)state;
	rig_event_body(body, sizeof(body), &rig->device, 7, DEVICE_EVENT_CHECKPOINT);
	assert_int_equal(event_request_decode(&request, body, strlen(body)), CV_OK);
	strcpy(request.anchor, "1.9.newer");
	assert_int_equal(event_request_encode(body, sizeof(body), &len, &request), CV_OK);
	assert_int_equal(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS, body)->status, 200);
	assert_int_equal(rig_health(rig, "audit_seq"), seq);
	assert_false(rig_alerted(rig, EVENT_MOUNT_OK));
	rig_event_body(body, sizeof(body), &rig->device, 7, DEVICE_EVENT_MOUNT_OK);
	assert_string_equal(rig_reason(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS,
				    body)), "counter_reused");
	rig_free(rig);
}

static void a_rolled_back_store_is_suspected(void **state)
{
	struct rig *rig = rig_enrolled();
	struct event_request request = {0};
	char body[1024];
	size_t len;

	(void)state;
	rig_event_body(body, sizeof(body), &rig->device, 1, DEVICE_EVENT_MOUNT_OK);
	assert_int_equal(event_request_decode(&request, body, strlen(body)), CV_OK);
	request.store_revision = 1000;
	assert_int_equal(event_request_encode(body, sizeof(body), &len, &request), CV_OK);
	assert_int_equal(rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS, body)->status, 200);
	assert_true(rig_alerted(rig, EVENT_ROLLBACK_SUSPECTED));
	rig_free(rig);
}

static void status_tells_state_and_revision(void **state)
{
	struct rig *rig = rig_enrolled();
	struct status_request request = {0};
	struct status_answer decoded;
	const struct rig_answer *answer;
	char body[512];
	size_t len;

	(void)state;
	memcpy(request.volume_id, rig->device.enrolment.volume_id, sizeof(request.volume_id));
	assert_int_equal(status_request_encode(body, sizeof(body), &len, &request), CV_OK);
	answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_STATUS, body);
	assert_int_equal(answer->status, 200);
	assert_int_equal(status_answer_decode(&decoded, answer->body, answer->len), CV_OK);
	assert_int_equal(decoded.state, DEVICE_ACTIVE);
	assert_int_equal(decoded.policy_version, 1);
	assert_int_equal(decoded.store_revision, rig_health(rig, "store_revision"));
	request.volume_id[0] ^= 1;
	assert_int_equal(status_request_encode(body, sizeof(body), &len, &request), CV_OK);
	assert_string_equal(rig_reason(rig_device_call(rig, &rig->device, MESSAGE_TARGET_STATUS,
				    body)), "volume_unknown");
	rig_free(rig);
}

/* Many requests that wait together are one transaction. */
static void requests_that_wait_together_share_a_commit(void **state)
{
	struct rig *rig = rig_enrolled();
	const struct mac_scope scope = { RIG_FLEET, RIG_GATEWAY, "d1" };
	static char bodies[16][CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES], mac[CV_MAC_BYTES];
	struct ipc_answer answer;
	uint64_t batches;

	(void)state;
	for (int i = 0; i < 16; i++) {
		rig_nonce(rig, &rig->device, nonce);
		rig_authorize_body(bodies[i], sizeof(bodies[i]), &rig->device, nonce);
	}
	batches = rig_health(rig, "batches");
	kill(rig->pid, SIGSTOP);
	for (int i = 0; i < 16; i++) {
		struct ipc_request request = { .type = IPC_DEVICE };

		strcpy(request.method, "POST");
		strcpy(request.target, MESSAGE_TARGET_AUTHORIZE);
		request.body = (const uint8_t *)bodies[i];
		request.body_len = strlen(bodies[i]);
		assert_int_equal(mac_request(mac, rig->device.mac_key, &scope, "POST",
					 MESSAGE_TARGET_AUTHORIZE, request.body, request.body_len),
			CV_OK);
		assert_int_equal(mac_request_header(request.mac, "d1", mac), CV_OK);
		rig_send(rig, &request);
	}
	kill(rig->pid, SIGCONT);
	for (int i = 0; i < 16; i++) {
		assert_true(rig_receive(rig, &answer));
		assert_int_equal(answer.status, 200);
	}
	assert_int_equal(rig_health(rig, "released"), 16);
	assert_true(rig_health(rig, "batches") - batches < 16);
	rig_free(rig);
}

static void packets_that_are_no_request_are_dropped(void **state)
{
	struct rig *rig = rig_enrolled();
	static uint8_t junk[IPC_PACKET_MAX];

	(void)state;
	for (size_t len = 1; len < 64; len += 9) {
		assert_int_equal(crypto_random(junk, len), CV_OK);
		assert_int_equal(ipc_send(rig->front, junk, len, true), CV_OK);
	}
	assert_int_equal(ipc_send(rig->front, junk, sizeof(junk), true), CV_OK);
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	rig_free(rig);
}

static void limits_can_be_reloaded(void **state)
{
	struct rig *rig = rig_enrolled();
	struct ipc_control control = { .type = IPC_RELOAD, .log_level = LOG_LEVEL_ERROR };
	uint8_t packet[256];
	const struct rig_answer *answer;
	size_t len;
	int i = 0;

	(void)state;
	control.limits.device_burst = 2;
	control.limits.device_per_minute = 1;
	assert_int_equal(ipc_control_encode(packet, sizeof(packet), &len, &control), CV_OK);
	assert_int_equal(ipc_send(rig->control, packet, len, true), CV_OK);
	do {
		answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_STATUS, "{}");
	} while (++i < 1000 && strcmp(rig_reason(answer), "rate_limited") != 0);
	assert_string_equal(rig_reason(answer), "rate_limited");
	rig_free(rig);
}

/* What waits in the socket when the keeper is told to drain is answered. */
static void draining_answers_what_is_there(void **state)
{
	struct rig *rig = rig_enrolled();
	struct ipc_request request = { .type = IPC_HEALTH };
	struct ipc_control control = { .type = IPC_DRAIN };
	struct ipc_answer answer;
	uint8_t packet[64];
	size_t len;

	(void)state;
	kill(rig->pid, SIGSTOP);
	assert_int_equal(ipc_control_encode(packet, sizeof(packet), &len, &control), CV_OK);
	assert_int_equal(ipc_send(rig->control, packet, len, true), CV_OK);
	for (int i = 0; i < 20; i++)
		rig_send(rig, &request);
	kill(rig->pid, SIGCONT);
	for (int i = 0; i < 20; i++)
		assert_true(rig_receive(rig, &answer));
	assert_int_equal(rig_wait(rig), 0);
	rig_free(rig);
}

static void ends_when_the_front_is_gone_or_on_sigterm(void **state)
{
	struct rig *rig = rig_enrolled();

	(void)state;
	close(rig->front);
	rig->front = -1;
	assert_int_equal(rig_wait(rig), 0);
	assert_true(rig_start(rig));
	kill(rig->pid, SIGTERM);
	assert_int_equal(rig_wait(rig), 0);
	assert_true(rig_start(rig));
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	rig_free(rig);
}

/* Junk that names a device costs that device nothing. */
static void requests_with_a_bad_mac_spend_no_budget(void **state)
{
	struct rig *rig = rig_new();
	struct ipc_request request = { .type = IPC_DEVICE };
	const uint8_t mac[CV_MAC_BYTES] = {1};
	struct ipc_answer answer;

	(void)state;
	rig->cfg.limits.device_burst = 3;
	rig->cfg.limits.device_per_minute = 1;
	assert_true(rig_start(rig));
	enrol(rig, &rig->device);
	strcpy(request.method, "POST");
	strcpy(request.target, MESSAGE_TARGET_NONCE);
	assert_int_equal(mac_request_header(request.mac, "d1", mac), CV_OK);
	for (int i = 0; i < 100; i++) {
		assert_true(rig_exchange(rig, &request, &answer));
		assert_int_equal(answer.status, 401);
	}
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	rig_free(rig);
}

/* The token's header says another algorithm; the rest is as good as it can be. */
static void a_token_with_another_algorithm_is_refused(void **state)
{
	static const char *const headers[] = { "{\"alg\":\"none\",\"typ\":\"eat+jwt\"}",
		"{\"alg\":\"HS256\",\"typ\":\"eat+jwt\"}" };
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX], forged[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char header[128], *token, *rest;

		rig_nonce(rig, &rig->device, nonce);
		rig_authorize_body(body, sizeof(body), &rig->device, nonce);
		token = strstr(body, "\"evidence\":\"");
		assert_non_null(token);
		token += strlen("\"evidence\":\"");
		rest = strchr(token, '.');
		assert_non_null(rest);
		assert_int_equal(base64url_encode(header, sizeof(header), headers[i],
					 strlen(headers[i])), CV_OK);
		snprintf(forged, sizeof(forged), "%.*s%s%s", (int)(token - body), body, header,
			rest);
		refused(rig, &rig->device, forged, "evidence_algorithm");
	}
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases_the_share_to_its_device),
		cmocka_unit_test(check_says_yes_and_changes_nothing),
		cmocka_unit_test(unauthenticated_requests_get_one_answer),
		cmocka_unit_test(a_request_for_one_gateway_is_refused_by_another),
		cmocka_unit_test(a_spent_nonce_is_a_replay),
		cmocka_unit_test(a_refused_request_spends_its_nonce),
		cmocka_unit_test(a_foreign_nonce_is_refused),
		cmocka_unit_test(a_nonce_is_for_one_device_and_volume),
		cmocka_unit_test(an_expired_nonce_is_refused),
		cmocka_unit_test(a_token_of_another_device_or_key_is_refused),
		cmocka_unit_test(requests_with_a_bad_mac_spend_no_budget),
		cmocka_unit_test(a_token_with_another_algorithm_is_refused),
		cmocka_unit_test(the_same_boot_and_key_is_released_again),
		cmocka_unit_test(boot_locked_is_told_once_per_boot),
		cmocka_unit_test(a_revoked_device_gets_nothing),
		cmocka_unit_test(malformed_bodies_are_refused_after_the_mac),
		cmocka_unit_test(reasons_are_hidden_unless_the_policy_reveals_them),
		cmocka_unit_test(a_device_over_its_budget_is_asked_to_wait),
		cmocka_unit_test(events_count_up_and_repeat_harmlessly),
		cmocka_unit_test(a_checkpoint_brings_an_anchor_and_makes_no_noise),
		cmocka_unit_test(a_rolled_back_store_is_suspected),
		cmocka_unit_test(status_tells_state_and_revision),
		cmocka_unit_test(requests_that_wait_together_share_a_commit),
		cmocka_unit_test(packets_that_are_no_request_are_dropped),
		cmocka_unit_test(limits_can_be_reloaded),
		cmocka_unit_test(draining_answers_what_is_there),
		cmocka_unit_test(ends_when_the_front_is_gone_or_on_sigterm),
	};

	return cmocka_run_group_tests(tests, rig_process_init, NULL);
}
