/*
 * Bad days of the keeper: a commit that fails releases nothing, a kill at any write or sync leaves a
 * store that opens and holds everything that was answered, a full disk still releases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/mac.h"
#include "tests/unit/gateway/faulty_vfs.h"
#include "tests/unit/gateway/keeper_rig.h"

#define BATCH 8

static struct faulty_order *order;

static void arm(enum faulty_action action, int countdown)
{
	order->countdown = countdown;
	order->action = action;
}

static struct rig *faulty_rig(void)
{
	struct rig *rig = rig_enrolled();

	arm(FAULTY_NONE, 0);
	assert_int_equal(rig_stop(rig), 0);
	rig->in_child = faulty_vfs_install;
	rig->child_context = order;
	assert_true(rig_start(rig));
	return rig;
}

static void send_authorize(struct rig *rig, char *body, uint8_t mac[CV_MAC_BYTES])
{
	const struct mac_scope scope = { RIG_FLEET, RIG_GATEWAY, "d1" };
	struct ipc_request request = { .type = IPC_DEVICE };

	strcpy(request.method, "POST");
	strcpy(request.target, MESSAGE_TARGET_AUTHORIZE);
	request.body = (const uint8_t *)body;
	request.body_len = strlen(body);
	assert_int_equal(mac_request(mac, rig->device.mac_key, &scope, "POST",
				 MESSAGE_TARGET_AUTHORIZE, body, strlen(body)), CV_OK);
	assert_int_equal(mac_request_header(request.mac, "d1", mac), CV_OK);
	rig_send(rig, &request);
}

static void expect_store_failed(const struct ipc_answer *answer)
{
	struct refusal refusal;
	char body[CV_BODY_MAX];

	assert_int_equal(answer->status, 503);
	assert_int_equal(answer->body_len, CV_AUTHORIZE_REPLY_BYTES);
	memcpy(body, answer->body, answer->body_len);
	body[answer->body_len] = '\0';
	assert_null(strstr(body, "sealed_share"));
	assert_true(strlen(answer->header_value) > 0);
	assert_int_equal(refusal_decode(&refusal, 503, body, answer->body_len), CV_OK);
	assert_int_equal(refusal.reason, REASON_STORE_FAILED);
	assert_int_equal(refusal.retry, RETRY_LATER);
}

static void a_failed_commit_releases_nothing(void **state)
{
	static const enum faulty_action actions[] = { FAULTY_SYNC, FAULTY_FULL };
	struct rig *rig = faulty_rig();
	static char bodies[BATCH][CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES], macs[BATCH][CV_MAC_BYTES];
	uint64_t seq, revision;

	(void)state;
	for (size_t a = 0; a < 2; a++) {
		for (int i = 0; i < BATCH; i++) {
			rig_nonce(rig, &rig->device, nonce);
			rig_authorize_body(bodies[i], sizeof(bodies[i]), &rig->device, nonce);
		}
		assert_false(rig_alerted(rig, EVENT_AUTH_OK));
		seq = rig_health(rig, "audit_seq");
		revision = rig_health(rig, "store_revision");
		kill(rig->pid, SIGSTOP);
		for (int i = 0; i < BATCH; i++)
			send_authorize(rig, bodies[i], macs[i]);
		arm(actions[a], 1);
		kill(rig->pid, SIGCONT);
		for (int i = 0; i < BATCH; i++) {
			struct ipc_answer answer;

			assert_true(rig_receive(rig, &answer));
			expect_store_failed(&answer);
		}
		assert_int_equal(rig_health(rig, "released"), a);
		assert_int_equal(rig_health(rig, "audit_seq"), seq);
		assert_int_equal(rig_health(rig, "store_revision"), revision);
		assert_false(rig_alerted(rig, EVENT_AUTH_OK));
		arm(FAULTY_NONE, 0);
		assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
		(void)rig_health(rig, "queue");
		(void)rig_alerted(rig, EVENT_AUTH_OK);
	}
	rig->in_child = NULL;
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	rig_free(rig);
}

static void a_command_that_cannot_be_written_has_no_effect(void **state)
{
	struct rig *rig = faulty_rig();
	const uint64_t revision = rig_health(rig, "store_revision");
	const struct rig_answer *answer;

	(void)state;
	arm(FAULTY_SYNC, 1);
	answer = rig_op(rig, &rig->admin, "revoke", "{\"device\":\"d1\"}");
	assert_int_equal(answer->status, 403);
	assert_true(answer->authentic);
	assert_string_equal(rig_reason(answer), "store_failed");
	assert_int_equal(answer->revision, revision);
	assert_false(rig_alerted(rig, EVENT_DEVICE_REVOKED));
	arm(FAULTY_NONE, 0);
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	rig_free(rig);
}

/* One round of work; true if the keeper answered all of it. *counter is the last event taken. */
static bool work(struct rig *rig, uint64_t *released, uint64_t *counter)
{
	static char body[CV_BODY_MAX];
	struct nonce_request request = {0};
	uint8_t nonce[CV_NONCE_BYTES];
	struct nonce_answer decoded;
	const struct rig_answer *answer;
	size_t len;

	memcpy(request.volume_id, rig->device.enrolment.volume_id, CV_VOLUME_ID_BYTES);
	request.epoch = 1;
	memcpy(request.boot_id, rig->device.evidence.platform.boot_id, CV_BOOT_ID_BYTES);
	assert_int_equal(nonce_request_encode(body, sizeof(body), &len, &request), CV_OK);
	answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_NONCE, body);
	if (answer->status != 200)
		return false;
	assert_int_equal(nonce_answer_decode(&decoded, answer->body, answer->len), CV_OK);
	memcpy(nonce, decoded.nonce, sizeof(nonce));
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_AUTHORIZE, body);
	if (answer->status != 200)
		return false;
	(*released)++;
	rig_event_body(body, sizeof(body), &rig->device, *counter + 1, DEVICE_EVENT_MOUNT_OK);
	answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_EVENTS, body);
	if (answer->status != 200)
		return false;
	(*counter)++;
	return true;
}

static uint64_t stored_counter(struct rig *rig)
{
	const struct rig_answer *answer = rig_op(rig, &rig->admin, "show", "{\"device\":\"d1\"}");
	struct cJSON *tree = NULL;
	uint64_t counter = UINT64_MAX;

	assert_int_equal(answer->status, 200);
	assert_int_equal(json_parse(&tree, answer->body, answer->len, RIG_BODY_MAX), CV_OK);
	assert_int_equal(json_get_u64(tree, "counter", 0, UINT32_MAX, &counter), CV_OK);
	json_free(tree);
	return counter;
}

/* The same store through all the kills; each start checks every record, the sum and the chain. */
static void a_kill_at_any_step_loses_nothing_that_was_answered(void **state)
{
	struct rig *rig = faulty_rig();
	uint64_t released = 0, counter = 0;

	(void)state;
	for (int step = 1; step <= 40; step++) {
		const uint64_t seq = rig_health(rig, "audit_seq");
		const uint64_t before = released + counter;

		arm(step % 2 == 1 ? FAULTY_KILL : FAULTY_KILL_HALF, (step + 1) / 2);
		while (work(rig, &released, &counter))
			;
		assert_int_equal(rig_wait(rig), 128 + SIGKILL);
		arm(FAULTY_NONE, 0);
		assert_true(rig_start(rig));
		assert_true(rig_health(rig, "audit_seq") - seq >= released + counter - before);
		/* An event may be stored whose answer was lost: the device sends it again. */
		assert_in_range(stored_counter(rig), counter, counter + 1);
		counter = stored_counter(rig);
	}
	assert_true(work(rig, &released, &counter));
	rig_free(rig);
}

static void kill_while_a_store_is_made_leaves_none_or_a_whole_one(void **state)
{
	(void)state;
	for (int step = 1; step < 60; step += 7) {
		struct rig *rig = rig_new();
		struct keeper_public keys;
		int status;
		pid_t pid;

		assert_int_equal(remove(rig->store), 0);
		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			faulty_vfs_install(order);
			arm(FAULTY_KILL, step);
			_exit(keeper_init(&rig->cfg, &keys) == CV_OK ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		arm(FAULTY_NONE, 0);
		assert_int_equal(keeper_init(&rig->cfg, &keys), CV_OK);
		assert_true(rig_start(rig));
		rig_free(rig);
	}
}

static void limit_files(void *context)
{
	const struct rlimit limit = { *(rlim_t *)context, *(rlim_t *)context };

	setrlimit(RLIMIT_FSIZE, &limit);
}

static const struct rig_answer *enrol_large(struct rig *rig, unsigned number)
{
	static char body[sizeof(((struct rig_device *)0)->package) + 64];
	struct rig_device *d = malloc(sizeof(*d));
	const struct rig_answer *answer;
	char id[16];

	snprintf(id, sizeof(id), "x%u", number);
	rig_device_make(rig, d, id);
	d->enrolment.policy_len--;
	memset(d->enrolment.policy + d->enrolment.policy_len, ' ', 5000);
	d->enrolment.policy_len += 5000;
	d->enrolment.policy[d->enrolment.policy_len++] = '}';
	rig_package(rig, d);
	snprintf(body, sizeof(body), "{\"package\":\"%s\"}", d->package);
	answer = rig_op(rig, &rig->admin, "enrol", body);
	free(d);
	return answer;
}

/* Devices are enrolled until the disk is full; then only releases and revocations go on. */
static void a_full_disk_still_releases(void **state)
{
	struct rig *rig = rig_new();
	const struct rig_answer *answer;
	struct stat st;
	rlim_t limit;
	unsigned number = 0;
	char *body = malloc(sizeof(rig->device.package) + 64);

	(void)state;
	assert_int_equal(remove(rig->store), 0);
	rig->cfg.reserve_records = 20000;
	assert_int_equal(keeper_init(&rig->cfg, &rig->keeper), CV_OK);
	assert_true(rig_start(rig));
	sprintf(body, "{\"package\":\"%s\"}", rig->device.package);
	assert_int_equal(rig_op(rig, &rig->admin, "enrol", body)->status, 200);
	free(body);
	assert_int_equal(rig_stop(rig), 0);
	assert_int_equal(stat(rig->store, &st), 0);
	limit = (rlim_t)st.st_size;
	rig->in_child = limit_files;
	rig->child_context = &limit;
	assert_true(rig_start(rig));
	do {
		answer = enrol_large(rig, number++);
	} while (answer->status == 200 && number < 2000);
	assert_int_equal(answer->status, 403);
	assert_string_equal(rig_reason(answer), "store_failed");
	assert_true(rig_alerted(rig, EVENT_DISK_LOW));
	for (int i = 0; i < 50; i++)
		assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	assert_int_equal(rig_op(rig, &rig->admin, "revoke", "{\"device\":\"x0\"}")->status, 200);
	assert_string_equal(rig_reason(enrol_large(rig, number)), "store_failed");
	assert_true(rig_health(rig, "reserve_left") > 0);
	/* Room again: everything goes on. */
	assert_int_equal(rig_stop(rig), 0);
	rig->in_child = NULL;
	assert_true(rig_start(rig));
	assert_int_equal(enrol_large(rig, number)->status, 200);
	rig_free(rig);
}

static int set_up(void **state)
{
	order = faulty_order_new();
	return order == NULL ? -1 : rig_process_init(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_commit_releases_nothing),
		cmocka_unit_test(a_command_that_cannot_be_written_has_no_effect),
		cmocka_unit_test(a_kill_at_any_step_loses_nothing_that_was_answered),
		cmocka_unit_test(kill_while_a_store_is_made_leaves_none_or_a_whole_one),
		cmocka_unit_test(a_full_disk_still_releases),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
