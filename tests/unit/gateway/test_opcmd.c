/* Operators' commands: who may, what it does, what is refused, and that all replies are signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/audit_chain.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/op.h"
#include "tests/unit/gateway/keeper_rig.h"
#include "tests/vectors/tpm_vectors.h"

#define EXPIRY 4102444800u

static char *package_body(const struct rig_device *d)
{
	static char body[sizeof(d->package) + 64];

	snprintf(body, sizeof(body), "{\"package\":\"%s\"}", d->package);
	return body;
}

static const char *op_reason(struct rig *rig, const struct rig_operator *op, const char *name,
	const char *body)
{
	const struct rig_answer *answer = rig_op(rig, op, name, body);

	assert_true(answer->authentic);
	assert_int_equal(answer->status, 403);
	return rig_reason(answer);
}

static struct cJSON *op_tree(struct rig *rig, const char *name, const char *body)
{
	const struct rig_answer *answer = rig_op(rig, &rig->admin, name, body);
	struct cJSON *tree = NULL;

	if (answer->status != 200)
		print_error("%s: %s\n", name, answer->body);
	assert_int_equal(answer->status, 200);
	assert_true(answer->authentic);
	assert_int_equal(json_parse(&tree, answer->body, answer->len, RIG_BODY_MAX), CV_OK);
	return tree;
}

static void expect_text(const struct cJSON *tree, const char *name, const char *value)
{
	char text[128];

	assert_int_equal(json_get_text(tree, name, text, sizeof(text)), CV_OK);
	assert_string_equal(text, value);
}

static const char *const commands[][3] = {
	{ "enrol", "enrol", NULL },
	{ "share", "enrol", NULL },
	{ "list", "audit", "{}" },
	{ "show", "audit", "{\"device\":\"d1\"}" },
	{ "revoke", "revoke", "{\"device\":\"d1\"}" },
	{ "quarantine", "revoke", "{\"device\":\"d1\"}" },
	{ "reinstate", "revoke", "{\"device\":\"d1\"}" },
	{ "allow-key", "revoke", "{\"device\":\"d1\"}" },
	{ "policy", "policy", "{\"device\":\"d1\",\"policy\":{}}" },
	{ "audit", "audit", "{\"from\":1}" },
	{ "group", "policy", "{\"device\":\"d1\",\"group\":\"\"}" },
	{ "policy-push", "policy", "{}" },
	{ "policy-canary", "policy", "{}" },
	{ "policy-test", "policy", "{}" },
	{ "policy-show", "audit", "{\"group\":\"g\"}" },
	{ "policy-status", "audit", "{}" },
	{ "evidence", "audit", "{\"device\":\"d1\"}" },
	{ "requests", "audit", "{}" },
	{ "suspect", "audit", "{}" },
	{ "approve", "revoke", "{\"request\":1}" },
	{ "thaw", "revoke", "{}" },
	{ "freeze", "revoke", "{\"bad\":1}" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Each command with every single role: refused with all but its own. */
static void a_command_needs_its_role(void **state)
{
	static const uint32_t roles[] = { OP_ROLE_ENROL, OP_ROLE_REVOKE, OP_ROLE_POLICY,
		OP_ROLE_AUDIT, OP_ROLE_DEAL };
	struct rig *rig = rig_enrolled();

	(void)state;
	for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++) {
		struct rig_operator op;

		rig_operator_make(rig, &op, "narrow", roles[r], EXPIRY);
		for (size_t c = 0; c < COMMANDS; c++) {
			const char *body = commands[c][2] != NULL ? commands[c][2] : "{}";
			const struct rig_answer *answer = rig_op(rig, &op, commands[c][0], body);
			const bool own = op_role_parse(commands[c][1]) == roles[r];

			assert_true(answer->authentic);
			if (own)
				assert_string_not_equal(rig_reason(answer), "op_role");
			else
				assert_string_equal(rig_reason(answer), "op_role");
		}
	}
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	rig_free(rig);
}

/* A request made by hand: nonce, certificate, key and signed bytes each as the case wants. */
struct crafted {
	struct ipc_request request;
	uint8_t nonce[CV_NONCE_BYTES];
	uint8_t signature[CV_ES256_SIG_BYTES];
};

static void craft(struct rig *rig, struct crafted *c, const struct rig_operator *op,
	const char *name, const char *body)
{
	struct op_command command = { rig->keeper.keeper_key, c->nonce, CV_NONCE_BYTES, "POST",
		c->request.target, body, strlen(body) };
	struct ipc_request ask = { .type = IPC_OPERATOR };
	struct nonce_answer nonce;
	struct ipc_answer answer;
	uint8_t hash[CV_HASH_BYTES];

	strcpy(ask.method, "POST");
	strcpy(ask.target, "/v1/op/nonce");
	ask.body = (const uint8_t *)"{}";
	ask.body_len = 2;
	assert_true(rig_exchange(rig, &ask, &answer));
	assert_int_equal(nonce_answer_decode(&nonce, (const char *)answer.body, answer.body_len),
		CV_OK);
	memcpy(c->nonce, nonce.nonce, sizeof(c->nonce));
	memset(&c->request, 0, sizeof(c->request));
	c->request.type = IPC_OPERATOR;
	strcpy(c->request.method, "POST");
	snprintf(c->request.target, sizeof(c->request.target), "/v1/op/%s", name);
	strcpy(c->request.op_cert, op->cert);
	c->request.body = (const uint8_t *)body;
	c->request.body_len = strlen(body);
	assert_int_equal(op_command_hash(hash, &command), CV_OK);
	assert_int_equal(crypto_es256_sign(c->signature, op->key, hash), CV_OK);
	assert_int_equal(op_header(c->request.op, c->nonce, c->signature), CV_OK);
}

static const char *send_crafted(struct rig *rig, struct crafted *c)
{
	static struct rig_answer out;
	struct ipc_answer answer;

	assert_true(rig_exchange(rig, &c->request, &answer));
	assert_true(strlen(answer.header_value) > 0);
	memset(&out, 0, sizeof(out));
	out.status = answer.status;
	memcpy(out.body, answer.body, answer.body_len);
	out.len = answer.body_len;
	return out.status == 200 ? "" : rig_reason(&out);
}

static void a_command_is_taken_once_and_as_it_was_signed(void **state)
{
	static const char body[] = "{\"device\":\"d1\"}";
	struct rig *rig = rig_enrolled();
	struct crafted *c = calloc(1, sizeof(*c));

	(void)state;
	craft(rig, c, &rig->admin, "quarantine", body);
	assert_string_equal(send_crafted(rig, c), "");
	/* Replayed. */
	assert_string_equal(send_crafted(rig, c), "op_nonce");
	/* Another body, another command, another method's worth of bytes: the signature is off. */
	craft(rig, c, &rig->admin, "reinstate", body);
	c->request.body = (const uint8_t *)"{\"device\":\"d2\"}";
	assert_string_equal(send_crafted(rig, c), "op_signature");
	craft(rig, c, &rig->admin, "quarantine", body);
	strcpy(c->request.target, "/v1/op/reinstate");
	assert_string_equal(send_crafted(rig, c), "op_signature");
	/* The failed attempt spent the nonce. */
	strcpy(c->request.target, "/v1/op/quarantine");
	assert_string_equal(send_crafted(rig, c), "op_nonce");
	/* Each bit of the nonce and one of each byte of the signature. */
	for (size_t i = 0; i < CV_NONCE_BYTES; i += 3) {
		craft(rig, c, &rig->admin, "list", "{}");
		c->nonce[i] ^= 0x10;
		assert_int_equal(op_header(c->request.op, c->nonce, c->signature), CV_OK);
		assert_string_equal(send_crafted(rig, c), "op_nonce");
	}
	for (size_t i = 0; i < CV_ES256_SIG_BYTES; i += 5) {
		craft(rig, c, &rig->admin, "list", "{}");
		c->signature[i] ^= 0x10;
		assert_int_equal(op_header(c->request.op, c->nonce, c->signature), CV_OK);
		assert_string_equal(send_crafted(rig, c), "op_signature");
	}
	craft(rig, c, &rig->admin, "list", "{}");
	c->request.op[0] = '\0';
	assert_string_equal(send_crafted(rig, c), "op_nonce");
	assert_true(rig_alerted(rig, EVENT_OPERATOR_REFUSED));
	free(c);
	rig_free(rig);
}

/* A command signed for another keeper: its key is in what is signed. */
static void a_command_for_another_keeper_is_refused(void **state)
{
	struct rig *rig = rig_enrolled();
	struct crafted *c = calloc(1, sizeof(*c));
	uint8_t kept = rig->keeper.keeper_key[40];

	(void)state;
	rig->keeper.keeper_key[40] ^= 1;
	craft(rig, c, &rig->admin, "list", "{}");
	rig->keeper.keeper_key[40] = kept;
	assert_string_equal(send_crafted(rig, c), "op_signature");
	free(c);
	rig_free(rig);
}

static void certificates_are_judged_first(void **state)
{
	struct rig *rig = rig_enrolled();
	struct crafted *c = calloc(1, sizeof(*c));
	struct rig_operator other, expired;
	uint8_t kept[CV_ES256_PRIVATE_BYTES];

	(void)state;
	/* Another fleet's root. */
	memcpy(kept, rig->root_private, sizeof(kept));
	assert_int_equal(crypto_random(rig->root_private, 32), CV_OK);
	rig->root_private[0] &= 0x7f;
	rig_operator_make(rig, &other, "other", OP_ROLES_ALL, EXPIRY);
	memcpy(rig->root_private, kept, sizeof(kept));
	craft(rig, c, &other, "list", "{}");
	assert_string_equal(send_crafted(rig, c), "op_certificate");
	craft(rig, c, &rig->admin, "list", "{}");
	c->request.op_cert[0] = '\0';
	assert_string_equal(send_crafted(rig, c), "op_certificate");
	/* TLS knew somebody else. */
	craft(rig, c, &rig->admin, "list", "{}");
	strcpy(c->request.operator_id, "mallory");
	assert_string_equal(send_crafted(rig, c), "op_certificate");
	strcpy(c->request.operator_id, "admin");
	assert_string_equal(send_crafted(rig, c), "");
	/* A certificate with another operator's key behind it. */
	rig_operator_make(rig, &other, "admin", OP_ROLES_ALL, EXPIRY);
	memcpy(other.cert, rig->admin.cert, sizeof(other.cert));
	assert_string_equal(op_reason(rig, &other, "list", "{}"), "op_signature");
	rig_operator_make(rig, &expired, "late", OP_ROLES_ALL, 1767225601);
	assert_string_equal(op_reason(rig, &expired, "list", "{}"), "op_expired");
	free(c);
	rig_free(rig);
}

static void revocations_body(struct rig *rig, char *body, size_t cap, uint64_t version,
	const char *operator_id, const uint8_t root[CV_ES256_PRIVATE_BYTES])
{
	const struct jws_signer signer = jws_key_signer(root);
	struct revocations *list = calloc(1, sizeof(*list));
	char text[2048];
	size_t len;

	(void)rig;
	strcpy(list->fleet, RIG_FLEET);
	list->version = version;
	list->iat_s = 1800000000;
	list->count = operator_id != NULL;
	if (operator_id != NULL)
		strcpy(list->operators[0], operator_id);
	assert_int_equal(revocations_encode(text, sizeof(text), &len, list, &signer), CV_OK);
	snprintf(body, cap, "{\"list\":\"%s\"}", text);
	free(list);
}

static void revoked_operators_stay_revoked(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_operator op;
	char body[4096];

	(void)state;
	rig_operator_make(rig, &op, "bob", OP_ROLES_ALL, EXPIRY);
	assert_int_equal(rig_op(rig, &op, "list", "{}")->status, 200);
	revocations_body(rig, body, sizeof(body), 5, "bob", op.key);
	assert_string_equal(op_reason(rig, &rig->admin, "revocations", body), "malformed");
	revocations_body(rig, body, sizeof(body), 5, "bob", rig->root_private);
	assert_int_equal(rig_op(rig, &rig->admin, "revocations", body)->status, 200);
	assert_int_equal(rig_op(rig, &rig->admin, "revocations", body)->status, 200);
	assert_string_equal(op_reason(rig, &op, "list", "{}"), "op_revoked");
	revocations_body(rig, body, sizeof(body), 4, NULL, rig->root_private);
	assert_string_equal(op_reason(rig, &rig->admin, "revocations", body), "conflict");
	revocations_body(rig, body, sizeof(body), 5, NULL, rig->root_private);
	assert_string_equal(op_reason(rig, &rig->admin, "revocations", body), "conflict");
	assert_int_equal(rig_stop(rig), 0);
	assert_true(rig_start(rig));
	assert_string_equal(op_reason(rig, &op, "list", "{}"), "op_revoked");
	revocations_body(rig, body, sizeof(body), 6, NULL, rig->root_private);
	assert_int_equal(rig_op(rig, &rig->admin, "revocations", body)->status, 200);
	assert_int_equal(rig_op(rig, &op, "list", "{}")->status, 200);
	rig_free(rig);
}

static void packages_are_taken_once(void **state)
{
	struct rig *rig = rig_enrolled();
	struct cJSON *tree = op_tree(rig, "enrol", package_body(&rig->device));
	struct rig_device *other = malloc(sizeof(*other));
	const uint64_t revision = rig_health(rig, "store_revision");

	(void)state;
	expect_text(tree, "result", "unchanged");
	json_free(tree);
	assert_int_equal(rig_health(rig, "store_revision"), revision);
	/* The same content sealed anew is another package; so is one with other keys. */
	rig_package(rig, &rig->device);
	assert_string_equal(
		op_reason(rig, &rig->admin, "enrol", package_body(&rig->device)), "exists");
	rig_device_make(rig, other, "d1");
	rig_package(rig, other);
	assert_string_equal(op_reason(rig, &rig->admin, "enrol", package_body(other)), "exists");
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	free(other);
	rig_free(rig);
}

static void give_tpm(struct rig_device *d)
{
	struct enrolment *e = &d->enrolment;

	e->trust_class = TRUST_TPM;
	memcpy(e->tpm.ek_name, v_tpm_ek_name, sizeof(e->tpm.ek_name));
	memcpy(e->tpm.ak, v_tpm_ak, sizeof(v_tpm_ak));
	e->tpm.ak_len = sizeof(v_tpm_ak);
}

static void packages_for_others_or_by_others_are_refused(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_device *d = malloc(sizeof(*d));
	struct rig_operator kept = rig->admin, reader;
	struct keeper_public keys = rig->keeper;
	uint8_t private_key[CV_X25519_BYTES];

	(void)state;
	rig_device_make(rig, d, "d2");
	strcpy(d->enrolment.gateway, "g2");
	rig_package(rig, d);
	assert_string_equal(op_reason(rig, &kept, "enrol", package_body(d)), "malformed");
	strcpy(d->enrolment.gateway, RIG_GATEWAY);
	/* Sealed to another keeper. */
	assert_int_equal(crypto_x25519_keypair(private_key, rig->keeper.enrolment_key), CV_OK);
	rig_package(rig, d);
	rig->keeper = keys;
	assert_string_equal(op_reason(rig, &kept, "enrol", package_body(d)), "malformed");
	/* Signed by an operator without the role. */
	rig_operator_make(rig, &reader, "reader", OP_ROLE_AUDIT, EXPIRY);
	rig->admin = reader;
	rig_package(rig, d);
	rig->admin = kept;
	assert_string_equal(op_reason(rig, &kept, "enrol", package_body(d)), "op_role");
	/* A device with a TPM, and a policy that does not say what to demand of it. */
	give_tpm(d);
	rig_package(rig, d);
	assert_string_equal(op_reason(rig, &kept, "enrol", package_body(d)), "policy_empty");
	d->enrolment.trust_class = TRUST_SOFTWARE;
	memset(&d->enrolment.tpm, 0, sizeof(d->enrolment.tpm));
	strcpy(d->enrolment.policy, "{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,"
				    "\"max_step\":1},\"measurements\":{},\"place\":\"not_required\","
				    "\"iat\":\"not_required\",\"lease_seconds\":0,"
				    "\"reveal_reason\":true}");
	d->enrolment.policy_len = strlen(d->enrolment.policy);
	rig_package(rig, d);
	assert_string_equal(op_reason(rig, &kept, "enrol", package_body(d)), "policy_empty");
	strcpy(d->enrolment.policy, "{}");
	d->enrolment.policy_len = 2;
	rig_package(rig, d);
	assert_string_equal(op_reason(rig, &kept, "enrol", package_body(d)), "malformed");
	assert_string_equal(op_reason(rig, &kept, "show", "{\"device\":\"d2\"}"), "not_found");
	free(d);
	rig_free(rig);
}

static void an_enrolled_device_never_takes_another_tpm(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_device *d = malloc(sizeof(*d));
	struct rig_device *other = malloc(sizeof(*other));
	struct cJSON *tree;

	(void)state;
	rig_device_make(rig, d, "d2");
	give_tpm(d);
	strcpy(d->enrolment.policy, "{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,"
				    "\"max_step\":1},\"measurements\":\"not_required\","
				    "\"place\":\"not_required\",\"iat\":\"not_required\","
				    "\"pcrs\":\"not_required\",\"tpm_firmware\":\"not_required\","
				    "\"lease_seconds\":0,\"reveal_reason\":true}");
	d->enrolment.policy_len = strlen(d->enrolment.policy);
	rig_package(rig, d);
	tree = op_tree(rig, "enrol", package_body(d));
	expect_text(tree, "result", "enrolled");
	json_free(tree);
	*other = *d;
	other->enrolment.tpm.ek_name[33] ^= 1;
	rig_package(rig, other);
	assert_string_equal(op_reason(rig, &rig->admin, "enrol", package_body(other)), "exists");
	assert_int_equal(crypto_random(other->enrolment.volume_id, 16), CV_OK);
	rig_package(rig, other);
	assert_string_equal(op_reason(rig, &rig->admin, "share", package_body(other)), "conflict");
	other->enrolment.tpm = d->enrolment.tpm;
	other->enrolment.tpm.ak[sizeof(v_tpm_ak) - 1] ^= 1;
	rig_package(rig, other);
	assert_string_equal(op_reason(rig, &rig->admin, "share", package_body(other)), "conflict");
	other->enrolment.tpm = d->enrolment.tpm;
	rig_package(rig, other);
	tree = op_tree(rig, "share", package_body(other));
	expect_text(tree, "result", "enrolled");
	json_free(tree);
	free(other);
	free(d);
	rig_free(rig);
}

static void a_second_volume_needs_the_same_keys(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_device *second = malloc(sizeof(*second));
	struct cJSON *tree;

	(void)state;
	*second = rig->device;
	assert_int_equal(crypto_random(second->enrolment.volume_id, 16), CV_OK);
	assert_int_equal(crypto_random(second->share, 32), CV_OK);
	memcpy(second->enrolment.share, second->share, 32);
	memcpy(second->evidence.volume_id, second->enrolment.volume_id, 16);
	rig_package(rig, second);
	tree = op_tree(rig, "share", package_body(second));
	expect_text(tree, "result", "enrolled");
	json_free(tree);
	tree = op_tree(rig, "share", package_body(second));
	expect_text(tree, "result", "unchanged");
	json_free(tree);
	assert_int_equal(rig_authorize(rig, second)->status, 200);
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	/* A share of one volume is never given for the other. */
	memcpy(second->evidence.volume_id, rig->device.enrolment.volume_id, 16);
	assert_string_equal(rig_reason(rig_authorize(rig, second)), "evidence_volume");
	rig_package(rig, second);
	assert_string_equal(
		op_reason(rig, &rig->admin, "share", package_body(second)), "conflict");
	second->enrolment.epoch = 2;
	rig_package(rig, second);
	assert_string_equal(
		op_reason(rig, &rig->admin, "share", package_body(second)), "not_built");
	second->enrolment.epoch = 1;
	second->enrolment.volume_id[0] ^= 1;
	second->enrolment.mac_key[0] ^= 1;
	rig_package(rig, second);
	assert_string_equal(
		op_reason(rig, &rig->admin, "share", package_body(second)), "conflict");
	strcpy(second->enrolment.device, "d7");
	rig_package(rig, second);
	assert_string_equal(
		op_reason(rig, &rig->admin, "share", package_body(second)), "not_found");
	free(second);
	rig_free(rig);
}

static void states_change_as_the_table_says(void **state)
{
	static const char d1[] = "{\"device\":\"d1\",\"reason\":\"lost\"}";
	struct rig *rig = rig_enrolled();
	struct cJSON *tree;
	uint64_t seq;

	(void)state;
	assert_string_equal(op_reason(rig, &rig->admin, "revoke", "{\"device\":\"d2\"}"),
		"not_found");
	assert_string_equal(op_reason(rig, &rig->admin, "revoke", "{\"device\":\"D1\"}"),
		"malformed");
	assert_string_equal(op_reason(rig, &rig->admin, "revoke",
				    "{\"device\":\"d1\",\"why\":\"x\"}"), "malformed");
	tree = op_tree(rig, "quarantine", d1);
	expect_text(tree, "state", "quarantined");
	json_free(tree);
	tree = op_tree(rig, "revoke", d1);
	expect_text(tree, "state", "revoked");
	json_free(tree);
	seq = rig_health(rig, "audit_seq");
	json_free(op_tree(rig, "revoke", d1));
	assert_int_equal(rig_health(rig, "audit_seq"), seq);
	assert_string_equal(op_reason(rig, &rig->admin, "quarantine", d1), "conflict");
	tree = op_tree(rig, "show", "{\"device\":\"d1\"}");
	expect_text(tree, "state", "revoked");
	expect_text(tree, "reason", "lost");
	json_free(tree);
	tree = op_tree(rig, "reinstate", "{\"device\":\"d1\"}");
	expect_text(tree, "state", "active");
	json_free(tree);
	rig_free(rig);
}

static void policies_only_get_newer(void **state)
{
	struct rig *rig = rig_enrolled();
	char body[2048];
	struct cJSON *tree;

	(void)state;
	/* The same one again. */
	snprintf(body, sizeof(body), "{\"device\":\"d1\",\"policy\":%s}", rig_policy);
	json_free(op_tree(rig, "policy", body));
	/* The same version with other rules. */
	memcpy(strstr(body, "max_keys\":3"), "max_keys\":4", 11);
	assert_string_equal(op_reason(rig, &rig->admin, "policy", body), "conflict");
	memcpy(strstr(body, "policy_version\":1"), "policy_version\":9", 17);
	tree = op_tree(rig, "policy", body);
	json_free(tree);
	assert_true(rig_alerted(rig, EVENT_POLICY_CHANGED));
	memcpy(strstr(body, "policy_version\":9"), "policy_version\":8", 17);
	assert_string_equal(op_reason(rig, &rig->admin, "policy", body), "conflict");
	snprintf(body, sizeof(body),
		"{\"device\":\"d1\",\"policy\":{\"v\":1,\"policy_version\":10,\"boot\":{\"max_keys\":3,"
		"\"max_step\":1},\"measurements\":{\"app\":[\"%064d\"]},\"place\":{},"
		"\"iat\":\"not_required\",\"lease_seconds\":0,\"reveal_reason\":true}}", 0);
	assert_string_equal(op_reason(rig, &rig->admin, "policy", body), "policy_empty");
	memcpy(strstr(body, "\"place\":{}"), "\"plaice\":1", 10);
	assert_string_equal(op_reason(rig, &rig->admin, "policy", body), "malformed");
	rig_free(rig);
}

static void a_new_policy_is_used_at_once(void **state)
{
	struct rig *rig = rig_enrolled();
	struct evidence_platform *claims = &rig->device.evidence.platform;
	char body[2048];

	(void)state;
	snprintf(body, sizeof(body),
		"{\"device\":\"d1\",\"policy\":{\"v\":1,\"policy_version\":2,\"boot\":{\"max_keys\":3,"
		"\"max_step\":1},\"measurements\":{\"app\":[\"%064d\"]},"
		"\"place\":{\"regions\":[\"emea\"]},\"iat\":\"not_required\",\"lease_seconds\":0,"
		"\"reveal_reason\":true}}", 0);
	assert_int_equal(rig_op(rig, &rig->admin, "policy", body)->status, 200);
	assert_string_equal(rig_reason(rig_authorize(rig, &rig->device)), "measurement_missing");
	claims->digest_count = 1;
	strcpy(claims->digests[0].name, "app");
	claims->digests[0].value[0] = 1;
	assert_string_equal(rig_reason(rig_authorize(rig, &rig->device)), "measurement_mismatch");
	claims->digests[0].value[0] = 0;
	assert_string_equal(rig_reason(rig_authorize(rig, &rig->device)), "place_missing");
	claims->has_region = 1;
	strcpy(claims->region, "apac");
	strcpy(claims->state, "s");
	strcpy(claims->city, "c");
	assert_string_equal(rig_reason(rig_authorize(rig, &rig->device)), "place_denied");
	strcpy(claims->region, "emea");
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	rig_free(rig);
}

static void lists_go_on_where_they_ended(void **state)
{
	struct rig *rig = rig_enrolled();
	struct rig_device *d = malloc(sizeof(*d));
	const struct cJSON *devices;
	struct cJSON *tree;
	size_t count = 0;
	int more = 0;

	(void)state;
	for (int i = 2; i <= 5; i++) {
		char id[8];

		snprintf(id, sizeof(id), "d%d", i);
		rig_device_make(rig, d, id);
		rig_package(rig, d);
		json_free(op_tree(rig, "enrol", package_body(d)));
	}
	tree = op_tree(rig, "list", "{\"limit\":3}");
	assert_int_equal(json_get_array(tree, "devices", &devices, &count), CV_OK);
	assert_int_equal(count, 3);
	assert_int_equal(json_get_bool(tree, "more", &more), CV_OK);
	assert_true(more);
	expect_text(devices->child, "device", "d1");
	json_free(tree);
	tree = op_tree(rig, "list", "{\"after\":\"d3\"}");
	assert_int_equal(json_get_array(tree, "devices", &devices, &count), CV_OK);
	assert_int_equal(count, 2);
	json_free(tree);
	assert_string_equal(op_reason(rig, &rig->admin, "list", "{\"limit\":0}"), "malformed");
	assert_string_equal(op_reason(rig, &rig->admin, "list", "{\"after\":\"-\"}"), "malformed");
	free(d);
	rig_free(rig);
}

/* Nothing that an operator can ask for holds a share or a key. */
static void no_reply_holds_a_secret(void **state)
{
	struct rig *rig = rig_enrolled();
	char share[64], mac[64];

	(void)state;
	assert_int_equal(base64url_encode(share, sizeof(share), rig->device.share, 32), CV_OK);
	assert_int_equal(base64url_encode(mac, sizeof(mac), rig->device.mac_key, 32), CV_OK);
	assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	for (size_t c = 2; c < COMMANDS; c++) {
		const struct rig_answer *answer =
			rig_op(rig, &rig->admin, commands[c][0], commands[c][2]);

		assert_null(strstr(answer->body, share));
		assert_null(strstr(answer->body, mac));
	}
	rig_free(rig);
}

/* What the audit command gives is the chain whose head the reply signs. */
static void the_audit_adds_up_to_the_signed_head(void **state)
{
	struct rig *rig = rig_enrolled();
	uint8_t head[CV_HASH_BYTES] = {0};
	const struct rig_answer *answer;
	const struct cJSON *records, *record;
	struct cJSON *tree = NULL;
	uint64_t seq = 0;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < 300; i++)
		assert_int_equal(rig_authorize(rig, &rig->device)->status, 200);
	do {
		char body[64];

		snprintf(body, sizeof(body), "{\"from\":%d,\"limit\":1000}", (int)seq + 1);
		answer = rig_op(rig, &rig->admin, "audit", body);
		assert_int_equal(answer->status, 200);
		assert_int_equal(json_parse(&tree, answer->body, answer->len, RIG_BODY_MAX), CV_OK);
		assert_int_equal(json_get_array(tree, "records", &records, &count), CV_OK);
		assert_true(count > 0);
		cJSON_ArrayForEach(record, records) {
			const char *text = record->valuestring;

			assert_int_equal(audit_chain_next(head, RIG_GATEWAY, ++seq, text,
						 strlen(text)), CV_OK);
		}
		json_free(tree);
	} while (seq < answer->seq);
	assert_int_equal(seq, answer->seq);
	assert_memory_equal(head, answer->head, sizeof(head));
	rig_free(rig);
}

static void unknown_and_later_commands_say_so(void **state)
{
	struct rig *rig = rig_enrolled();

	(void)state;
	assert_string_equal(op_reason(rig, &rig->admin, "epoch", "{}"), "not_built");
	assert_string_equal(op_reason(rig, &rig->admin, "promote", "{}"), "not_built");
	assert_string_equal(op_reason(rig, &rig->admin, "dump", "{}"), "not_found");
	assert_string_equal(op_reason(rig, &rig->admin, "", "{}"), "not_found");
	rig_free(rig);
}

static void malformed_commands_are_refused(void **state)
{
	static const char *const bodies[] = { "", "{", "[]", "null", "{\"device\":1}",
		"{\"device\":\"d1\",\"device\":\"d1\"}", "{\"x\":1}" };
	struct rig *rig = rig_enrolled();

	(void)state;
	for (size_t c = 0; c < COMMANDS; c++) {
		for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++)
			assert_string_equal(op_reason(rig, &rig->admin, commands[c][0], bodies[b]),
				"malformed");
	}
	assert_string_equal(op_reason(rig, &rig->admin, "revocations", "{}"), "malformed");
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_needs_its_role),
		cmocka_unit_test(a_command_is_taken_once_and_as_it_was_signed),
		cmocka_unit_test(a_command_for_another_keeper_is_refused),
		cmocka_unit_test(certificates_are_judged_first),
		cmocka_unit_test(revoked_operators_stay_revoked),
		cmocka_unit_test(packages_are_taken_once),
		cmocka_unit_test(packages_for_others_or_by_others_are_refused),
		cmocka_unit_test(an_enrolled_device_never_takes_another_tpm),
		cmocka_unit_test(a_second_volume_needs_the_same_keys),
		cmocka_unit_test(states_change_as_the_table_says),
		cmocka_unit_test(policies_only_get_newer),
		cmocka_unit_test(a_new_policy_is_used_at_once),
		cmocka_unit_test(lists_go_on_where_they_ended),
		cmocka_unit_test(no_reply_holds_a_secret),
		cmocka_unit_test(the_audit_adds_up_to_the_signed_head),
		cmocka_unit_test(unknown_and_later_commands_say_so),
		cmocka_unit_test(malformed_commands_are_refused),
	};

	return cmocka_run_group_tests(tests, rig_process_init, NULL);
}
