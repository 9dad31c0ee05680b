#include "tests/unit/gateway/keeper_rig.h"

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/log.h"
#include "host/secret.h"
#include "notify/channel.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/mac.h"
#include "protocol/op.h"
#include "protocol/sealed_share.h"

#define OK(call) assert_int_equal((call), CV_OK)
#define ANSWER_MS 20000

const char rig_policy[] =
	"{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":1000},"
	"\"measurements\":\"not_required\",\"place\":\"not_required\",\"iat\":\"not_required\","
	"\"lease_seconds\":0,\"reveal_reason\":true}";

int rig_process_init(void **state)
{
	(void)state;
	log_init("test");
	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK)
		return -1;
	return 0;
}

static void remove_tree(const char *dir)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d != NULL && (e = readdir(d)) != NULL) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			remove_tree(path);
		else
			unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	strcpy(rig->dir, "/tmp/keeper-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->store, sizeof(rig->store), "%s/store.db", rig->dir);
	snprintf(rig->store_key, sizeof(rig->store_key), "%s/store.key", rig->dir);
	snprintf(rig->keys, sizeof(rig->keys), "%s/keys", rig->dir);
	assert_int_equal(mkdir(rig->keys, 0700), 0);
	OK(crypto_es256_keypair(rig->root_private, rig->root_public));
	rig->cfg.gateway = RIG_GATEWAY;
	rig->cfg.fleet = RIG_FLEET;
	rig->cfg.fleet_root = rig->root_public;
	rig->cfg.store_path = rig->store;
	rig->cfg.store_key_path = rig->store_key;
	rig->cfg.keys_dir = rig->keys;
	rig->cfg.reserve_records = 1000;
	rig->cfg.sandbox = SANDBOX_BEST_EFFORT;
	rig->cfg.limits.device_burst = 100000;
	rig->cfg.limits.device_per_minute = 100000;
	rig->front = rig->control = rig->sender = -1;
	OK(keeper_init(&rig->cfg, &rig->keeper));
	rig_operator_make(rig, &rig->admin, "admin", OP_ROLES_ALL, 4102444800u);
	rig_device_make(rig, &rig->device, "d1");
	rig_package(rig, &rig->device);
	return rig;
}

struct rig *rig_enrolled(void)
{
	struct rig *rig = rig_new();
	char *body = malloc(sizeof(rig->device.package) + 64);

	assert_true(rig_start(rig));
	sprintf(body, "{\"package\":\"%s\"}", rig->device.package);
	assert_int_equal(rig_op(rig, &rig->admin, "enrol", body)->status, 200);
	free(body);
	return rig;
}

static void close_ends(struct rig *rig)
{
	int *ends[] = { &rig->front, &rig->control, &rig->sender };

	for (size_t i = 0; i < 3; i++) {
		if (*ends[i] >= 0)
			close(*ends[i]);
		*ends[i] = -1;
	}
}

void rig_free(struct rig *rig)
{
	if (rig->pid > 0) {
		kill(rig->pid, SIGKILL);
		(void)rig_wait(rig);
	}
	close_ends(rig);
	remove_tree(rig->dir);
	free(rig);
}

static bool wait_readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, ANSWER_MS) == 1 && (p.revents & POLLIN) != 0;
}

static bool told(struct rig *rig, enum ipc_control_type type)
{
	uint8_t packet[1024];
	struct ipc_control control;
	size_t len = 0;

	return wait_readable(rig->control) &&
		ipc_receive(rig->control, packet, sizeof(packet), &len, true) == CV_OK &&
		ipc_control_decode(&control, packet, len) == CV_OK && control.type == type;
}

bool rig_start(struct rig *rig)
{
	int front[2], control[2], sender[2];

	OK(ipc_pair(front));
	OK(ipc_pair(control));
	OK(channel_pair(&sender[0], &sender[1]));
	fflush(NULL);
	rig->pid = fork();
	assert_true(rig->pid >= 0);
	if (rig->pid == 0) {
		close(front[1]);
		close(control[1]);
		close(sender[1]);
		rig->cfg.front_fd = front[0];
		rig->cfg.control_fd = control[0];
		rig->cfg.sender_fd = sender[0];
		if (rig->in_child != NULL)
			rig->in_child(rig->child_context);
		_exit(keeper_run(&rig->cfg));
	}
	close(front[0]);
	close(control[0]);
	close(sender[0]);
	rig->front = front[1];
	rig->control = control[1];
	rig->sender = sender[1];
	return told(rig, IPC_READY);
}

int rig_wait(struct rig *rig)
{
	int status = 0;

	assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
	rig->pid = 0;
	close_ends(rig);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int rig_stop(struct rig *rig)
{
	uint8_t packet[64];
	struct ipc_control control = { .type = IPC_DRAIN };
	size_t len = 0;

	OK(ipc_control_encode(packet, sizeof(packet), &len, &control));
	OK(ipc_send(rig->control, packet, len, true));
	assert_true(told(rig, IPC_DRAINED));
	return rig_wait(rig);
}

void rig_operator_make(
	struct rig *rig, struct rig_operator *op, const char *id, uint32_t roles, uint64_t exp_s)
{
	const struct jws_signer root = jws_key_signer(rig->root_private);
	struct opcert cert = {0};
	size_t len;

	snprintf(op->id, sizeof(op->id), "%s", id);
	strcpy(cert.fleet, RIG_FLEET);
	snprintf(cert.operator_id, sizeof(cert.operator_id), "%s", id);
	OK(crypto_es256_keypair(op->key, cert.key));
	cert.roles = roles;
	cert.iat_s = 1767225600;
	cert.exp_s = exp_s;
	OK(opcert_encode(op->cert, sizeof(op->cert), &len, &cert, &root));
}

void rig_device_make(struct rig *rig, struct rig_device *d, const char *id)
{
	struct enrolment *e = &d->enrolment;
	struct evidence *ev = &d->evidence;

	(void)rig;
	memset(d, 0, sizeof(*d));
	snprintf(d->id, sizeof(d->id), "%s", id);
	OK(crypto_random(d->mac_key, sizeof(d->mac_key)));
	OK(crypto_es256_keypair(d->attestation_key, e->attestation_key));
	OK(crypto_x25519_keypair(d->boot_private, d->boot_public));
	OK(crypto_random(d->share, sizeof(d->share)));
	strcpy(e->fleet, RIG_FLEET);
	strcpy(e->gateway, RIG_GATEWAY);
	strcpy(e->device, d->id);
	OK(crypto_random(e->volume_id, sizeof(e->volume_id)));
	e->epoch = 1;
	e->x = 3;
	memcpy(e->share, d->share, sizeof(e->share));
	memcpy(e->mac_key, d->mac_key, sizeof(e->mac_key));
	OK(crypto_random(e->share_set_hash, sizeof(e->share_set_hash)));
	e->threshold = 2;
	e->members = 3;
	e->trust_class = TRUST_SOFTWARE;
	strcpy(e->policy, rig_policy);
	e->policy_len = strlen(rig_policy);
	ev->purpose = EVIDENCE_UNLOCK;
	OK(evidence_ueid(ev->ueid, RIG_FLEET, d->id));
	memcpy(ev->volume_id, e->volume_id, sizeof(ev->volume_id));
	ev->epoch = 1;
	memcpy(ev->share_set_hash, e->share_set_hash, sizeof(ev->share_set_hash));
	memcpy(ev->boot_key, d->boot_public, sizeof(ev->boot_key));
	OK(crypto_random(ev->platform.boot_id, sizeof(ev->platform.boot_id)));
	ev->platform.boot_id[0] |= 1;
	strcpy(ev->platform.swname, "conclave");
	strcpy(ev->platform.swversion, "0.1.0");
	ev->platform.dbgstat = EVIDENCE_DEBUG_DISABLED;
}

void rig_package(struct rig *rig, struct rig_device *d)
{
	const struct jws_signer signer = jws_key_signer(rig->admin.key);
	size_t len;

	OK(enrolment_seal(d->package, sizeof(d->package), &len, &d->enrolment,
		rig->keeper.enrolment_key, rig->admin.cert, &signer));
}

uint64_t rig_send(struct rig *rig, struct ipc_request *request)
{
	static uint8_t packet[IPC_PACKET_MAX];
	size_t len = 0;

	request->id = ++rig->next_id;
	OK(ipc_request_encode(packet, sizeof(packet), &len, request));
	(void)!ipc_send(rig->front, packet, len, true);
	return request->id;
}

bool rig_receive(struct rig *rig, struct ipc_answer *answer)
{
	static uint8_t packet[IPC_PACKET_MAX];
	size_t len = 0;

	if (!wait_readable(rig->front) ||
		ipc_receive(rig->front, packet, sizeof(packet), &len, true) != CV_OK)
		return false;
	OK(ipc_answer_decode(answer, packet, len));
	return true;
}

bool rig_exchange(struct rig *rig, struct ipc_request *request, struct ipc_answer *answer)
{
	const uint64_t id = rig_send(rig, request);

	do {
		if (!rig_receive(rig, answer))
			return false;
	} while (answer->id != id);
	return true;
}

static void take_answer(struct rig_answer *out, const struct ipc_answer *answer)
{
	assert_true(answer->body_len <= RIG_BODY_MAX);
	memset(out, 0, sizeof(*out));
	out->status = answer->status;
	strcpy(out->header, answer->header_value);
	memcpy(out->body, answer->body, answer->body_len);
	out->len = answer->body_len;
}

static void device_request(struct ipc_request *request, uint8_t mac[CV_MAC_BYTES],
	const struct rig_device *d, const char *target, const char *body)
{
	const struct mac_scope scope = { RIG_FLEET, RIG_GATEWAY, d->id };

	memset(request, 0, sizeof(*request));
	request->type = IPC_DEVICE;
	strcpy(request->peer, "127.0.0.1:1");
	strcpy(request->method, "POST");
	strcpy(request->target, target);
	request->body = (const uint8_t *)body;
	request->body_len = strlen(body);
	OK(mac_request(mac, d->mac_key, &scope, "POST", target, body, strlen(body)));
	OK(mac_request_header(request->mac, d->id, mac));
}

struct rig_answer *rig_device_call(
	struct rig *rig, const struct rig_device *d, const char *target, const char *body)
{
	static struct rig_answer out;
	const struct mac_scope scope = { RIG_FLEET, RIG_GATEWAY, d->id };
	uint8_t mac[CV_MAC_BYTES], expected[CV_MAC_BYTES], claimed[CV_MAC_BYTES];
	struct ipc_request request;
	struct ipc_answer answer;

	device_request(&request, mac, d, target, body);
	memset(&out, 0, sizeof(out));
	if (!rig_exchange(rig, &request, &answer))
		return &out;
	take_answer(&out, &answer);
	OK(mac_response(expected, d->mac_key, &scope, mac, out.status, out.body, out.len));
	out.authentic =
		mac_response_header_parse(out.header, strlen(out.header), claimed) == CV_OK &&
		memcmp(expected, claimed, sizeof(claimed)) == 0;
	return &out;
}

void rig_nonce(struct rig *rig, const struct rig_device *d, uint8_t nonce[CV_NONCE_BYTES])
{
	struct nonce_request request = {0};
	struct nonce_answer decoded;
	struct rig_answer *answer;
	char body[512];
	size_t len;

	OK(crypto_random(request.request_id, sizeof(request.request_id)));
	memcpy(request.volume_id, d->enrolment.volume_id, sizeof(request.volume_id));
	request.epoch = d->enrolment.epoch;
	memcpy(request.boot_id, d->evidence.platform.boot_id, sizeof(request.boot_id));
	OK(nonce_request_encode(body, sizeof(body), &len, &request));
	answer = rig_device_call(rig, d, MESSAGE_TARGET_NONCE, body);
	assert_int_equal(answer->status, 200);
	assert_true(answer->authentic);
	OK(nonce_answer_decode(&decoded, answer->body, answer->len));
	memcpy(nonce, decoded.nonce, CV_NONCE_BYTES);
}

void rig_authorize_body(char *body, size_t cap, const struct rig_device *d,
	const uint8_t nonce[CV_NONCE_BYTES])
{
	static char token[CV_EVIDENCE_MAX + 1], work[CV_EVIDENCE_MAX];
	const struct jws_signer signer = jws_key_signer(d->attestation_key);
	struct authorize_request request = {0};
	struct evidence *ev = malloc(sizeof(*ev));
	size_t len;

	*ev = d->evidence;
	ev->nonce_count = 1;
	memcpy(ev->nonces[0], nonce, CV_NONCE_BYTES);
	OK(evidence_encode(token, sizeof(token), &len, ev, &signer, work, sizeof(work)));
	OK(crypto_random(request.request_id, sizeof(request.request_id)));
	memcpy(request.volume_id, d->enrolment.volume_id, sizeof(request.volume_id));
	request.epoch = d->enrolment.epoch;
	memcpy(request.nonce, nonce, CV_NONCE_BYTES);
	request.evidence = token;
	request.evidence_len = len;
	OK(authorize_request_encode(body, cap, &len, &request));
	free(ev);
}

struct rig_answer *rig_authorize(struct rig *rig, const struct rig_device *d)
{
	static char body[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES];

	rig_nonce(rig, d, nonce);
	rig_authorize_body(body, sizeof(body), d, nonce);
	return rig_device_call(rig, d,
		d->evidence.purpose == EVIDENCE_CHECK ? MESSAGE_TARGET_CHECK
						      : MESSAGE_TARGET_AUTHORIZE,
		body);
}

bool rig_opens(const struct rig_device *d, const uint8_t nonce[CV_NONCE_BYTES],
	const struct rig_answer *answer)
{
	const struct sealed_share_scope scope = { { RIG_FLEET, RIG_GATEWAY, d->id },
		d->enrolment.volume_id, d->enrolment.epoch, nonce, d->enrolment.x,
		d->enrolment.share_set_hash };
	struct authorize_answer decoded;
	uint8_t share[CV_SECRET_BYTES];

	return answer->status == 200 && answer->authentic &&
		answer->len == CV_AUTHORIZE_REPLY_BYTES &&
		authorize_answer_decode(&decoded, answer->body, answer->len) == CV_OK &&
		sealed_share_open(share, d->boot_private, d->evidence.boot_key, &scope,
			decoded.sealed_share) == CV_OK &&
		memcmp(share, d->share, sizeof(share)) == 0;
}

void rig_event_body(char *body, size_t cap, const struct rig_device *d, uint64_t counter,
	enum device_event event)
{
	struct event_request request = {0};
	size_t len;

	OK(crypto_random(request.request_id, sizeof(request.request_id)));
	memcpy(request.volume_id, d->enrolment.volume_id, sizeof(request.volume_id));
	request.epoch = d->enrolment.epoch;
	memcpy(request.boot_id, d->evidence.platform.boot_id, sizeof(request.boot_id));
	request.counter = counter;
	request.event = event;
	if (event == DEVICE_EVENT_MOUNT_FAIL)
		strcpy(request.reason, "tampered");
	if (event == DEVICE_EVENT_SHARE_INVALID)
		strcpy(request.gateway, "g2");
	OK(event_request_encode(body, cap, &len, &request));
}

static void op_request(struct ipc_request *request, const struct rig_operator *op,
	const char *name, const char *body)
{
	memset(request, 0, sizeof(*request));
	request->type = IPC_OPERATOR;
	strcpy(request->peer, "127.0.0.1:2");
	strcpy(request->operator_id, op->id);
	strcpy(request->method, "POST");
	snprintf(request->target, sizeof(request->target), "/v1/op/%s", name);
	strcpy(request->op_cert, op->cert);
	request->body = (const uint8_t *)body;
	request->body_len = strlen(body);
}

static bool op_call(struct rig *rig, struct ipc_request *request, const uint8_t *nonce,
	size_t nonce_len, struct rig_answer *out)
{
	const struct op_command command = { rig->keeper.keeper_key, nonce, nonce_len, "POST",
		request->target, request->body, request->body_len };
	uint8_t command_hash[CV_HASH_BYTES], hash[CV_HASH_BYTES], sig[CV_ES256_SIG_BYTES];
	struct op_reply reply = {0};
	struct ipc_answer answer;

	memset(out, 0, sizeof(*out));
	if (!rig_exchange(rig, request, &answer))
		return false;
	take_answer(out, &answer);
	OK(op_command_hash(command_hash, &command));
	OK(op_reply_header_parse(out->header, strlen(out->header), &reply, sig));
	reply.status = out->status;
	reply.body = out->body;
	reply.body_len = out->len;
	OK(op_reply_hash(hash, command_hash, &reply));
	out->authentic = crypto_es256_verify(rig->keeper.keeper_key, hash, sig) == CV_OK;
	out->revision = reply.store_revision;
	out->seq = reply.audit_seq;
	memcpy(out->head, reply.audit_head, sizeof(out->head));
	return true;
}

struct rig_answer *rig_op(
	struct rig *rig, const struct rig_operator *op, const char *name, const char *body)
{
	static struct rig_answer out;
	uint8_t hash[CV_HASH_BYTES], sig[CV_ES256_SIG_BYTES];
	struct op_command command = { rig->keeper.keeper_key, NULL, CV_NONCE_BYTES, "POST", NULL,
		body, strlen(body) };
	struct nonce_answer nonce;
	struct ipc_request request;

	op_request(&request, op, "nonce", "{}");
	if (!op_call(rig, &request, NULL, 0, &out))
		return &out;
	assert_true(out.authentic);
	assert_int_equal(out.status, 200);
	OK(nonce_answer_decode(&nonce, out.body, out.len));
	op_request(&request, op, name, body);
	command.nonce = nonce.nonce;
	command.target = request.target;
	OK(op_command_hash(hash, &command));
	OK(crypto_es256_sign(sig, op->key, hash));
	OK(op_header(request.op, nonce.nonce, sig));
	if (op_call(rig, &request, nonce.nonce, sizeof(nonce.nonce), &out))
		assert_true(out.authentic);
	return &out;
}

bool rig_alerted(struct rig *rig, enum event_type type)
{
	uint8_t packet[CHANNEL_PACKET_MAX];
	struct event_alert alert;
	bool found = false;
	ssize_t n;

	/* alerts of a batch leave after its answers: one more question, and they are there */
	(void)rig_health(rig, "released");
	while ((n = recv(rig->sender, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
		if (packet[0] != CHANNEL_ALERT ||
			event_decode(&alert, (const char *)packet + 1, (size_t)n - 1) != CV_OK)
			continue;
		found = found || alert.type == type;
	}
	return found;
}

const char *rig_reason(const struct rig_answer *answer)
{
	static char reason[64];
	struct cJSON *tree = NULL;

	reason[0] = '\0';
	if (json_parse(&tree, answer->body, answer->len, RIG_BODY_MAX) == CV_OK &&
		json_get_text(tree, "reason", reason, sizeof(reason)) != CV_OK)
		reason[0] = '\0';
	json_free(tree);
	return reason;
}

uint64_t rig_health(struct rig *rig, const char *name)
{
	struct ipc_request request = { .type = IPC_HEALTH };
	struct cJSON *tree = NULL;
	struct ipc_answer answer;
	uint64_t value = UINT64_MAX;

	assert_true(rig_exchange(rig, &request, &answer));
	OK(json_parse(&tree, (const char *)answer.body, answer.body_len, RIG_BODY_MAX));
	OK(json_get_u64(tree, name, 0, CV_JSON_INTEGER_MAX, &value));
	json_free(tree);
	return value;
}
