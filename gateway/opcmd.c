#include "gateway/opcmd.h"

#include <stdio.h>
#include <string.h>

#include "host/log.h"
#include "protocol/crypto.h"
#include "protocol/op.h"

#define PREFIX "/v1/op/"
#define NONCE_NAME "nonce"

/* Fails for a reply in the place of one that cannot be told apart from others. */
static enum cv_err hash_command(
	struct keeper *k, struct opcmd *op, const uint8_t *nonce, size_t nonce_len)
{
	const struct op_command command = { k->keys->keeper_public, nonce, nonce_len,
		op->request->method, op->request->target, op->request->body,
		op->request->body_len };

	return op_command_hash(op->command_hash, &command);
}

static enum opcmd_result certificate_result(enum cv_err err)
{
	if (err == CV_OK)
		return OPCMD_OK;
	if (err == CV_ERR_ROLE)
		return OPCMD_ROLE;
	if (err == CV_ERR_EXPIRED)
		return OPCMD_EXPIRED;
	return OPCMD_CERTIFICATE;
}

enum opcmd_result opcmd_document_refusal(enum cv_err err)
{
	if (err == CV_ERR_ROLE)
		return OPCMD_ROLE;
	if (err == CV_ERR_EXPIRED)
		return OPCMD_EXPIRED;
	if (err == CV_ERR_DENIED)
		return OPCMD_REVOKED;
	if (err == CV_ERR_SIGNATURE)
		return OPCMD_SIGNATURE;
	if (err == CV_ERR_MEMORY)
		return OPCMD_STORE_FAILED;
	return OPCMD_MALFORMED;
}

static enum opcmd_result check_certificate(struct keeper *k, struct opcmd *op, uint32_t role)
{
	const char *text = op->request->op_cert;
	struct opcert cert;
	enum cv_err err =
		opcert_decode(&cert, text, strlen(text), k->cfg->fleet, k->cfg->fleet_root);

	if (err != CV_OK)
		return OPCMD_CERTIFICATE;
	/* The outer door knew another operator than the one who signed. */
	if (op->request->operator_id[0] != '\0' &&
		strcmp(op->request->operator_id, cert.operator_id) != 0)
		return OPCMD_CERTIFICATE;
	op->cert = cert;
	err = opcert_allows(&cert, role, op->now_s);
	if (err != CV_OK)
		return certificate_result(err);
	return revocations_names(k->revoked, cert.operator_id) ? OPCMD_REVOKED : OPCMD_OK;
}

static enum opcmd_result check_nonce(struct keeper *k, const uint8_t nonce[CV_NONCE_BYTES])
{
	const struct nonce_scope scope = { k->cfg->gateway, NULL, NULL, 0 };

	if (nonce_check(nonce, k->keys->op_nonce, &scope, k->now_ms, k->nonce_ttl_ms) != CV_OK ||
		spent_add(k->spent, nonce, k->now_ms, k->nonce_ttl_ms) != CV_OK)
		return OPCMD_NONCE;
	return OPCMD_OK;
}

/* The order of docs/protocol.md section 10. */
static enum opcmd_result authenticate(struct keeper *k, struct opcmd *op, uint32_t role)
{
	const char *header = op->request->op;
	uint8_t nonce[CV_NONCE_BYTES], sig[CV_ES256_SIG_BYTES];
	const bool readable = op_header_parse(header, strlen(header), nonce, sig) == CV_OK;
	enum opcmd_result result;

	if (hash_command(k, op, nonce, readable ? sizeof(nonce) : 0) != CV_OK)
		return OPCMD_STORE_FAILED;
	result = check_certificate(k, op, role);
	if (result == OPCMD_OK)
		result = readable ? check_nonce(k, nonce) : OPCMD_NONCE;
	if (result == OPCMD_OK &&
		crypto_es256_verify(op->cert.key, op->command_hash, sig) != CV_OK)
		result = OPCMD_SIGNATURE;
	return result;
}

static bool is_authentication(enum opcmd_result result)
{
	return result >= OPCMD_CERTIFICATE && result <= OPCMD_SIGNATURE;
}

/* A refused command is remembered, as long as there are not too many. */
static void record_refusal(
	struct keeper *k, struct opcmd *op, const char *name, enum opcmd_result result)
{
	if (!budget_take(&k->op_budget, k->now_ms, &k->op_limits))
		return;
	if (is_authentication(result))
		keeper_alert(k, EVENT_OPERATOR_REFUSED, NULL, opcmd_code(result));
	log_warning("operator %s: %s: refused: %s%s%s",
		op->cert.operator_id[0] != '\0' ? op->cert.operator_id : "unknown", name,
		opcmd_code(result), op->problem[0] != '\0' ? ": " : "", op->problem);
	if (result == OPCMD_STORE_FAILED || keeper_transaction(k) != CV_OK ||
		k->room != STORE_ROOM_PLENTY)
		return;
	(void)opcmd_audit(k, op, opcmd_code(result), "command", name);
}

static void run(struct keeper *k, struct opcmd *op, const struct opcmd_row *row)
{
	enum opcmd_result result = OPCMD_MALFORMED;
	size_t len = 0;

	json_begin(&op->w, k->body, IPC_ANSWER_BODY_MAX);
	json_object_open(&op->w, NULL);
	if (json_parse(&op->tree, (const char *)op->request->body, op->request->body_len,
		    CV_OP_BODY_MAX) == CV_OK)
		result = row->run(k, op);
	json_object_close(&op->w);
	if (result == OPCMD_OK && json_end(&op->w, &len) != CV_OK) {
		log_error("operator %s: %s: the reply does not fit", op->cert.operator_id,
			row->name);
		keeper_batch_fail(k);
		result = OPCMD_STORE_FAILED;
	}
	if (result == OPCMD_OK) {
		opcmd_reply(k, op, k->body, len);
	} else {
		record_refusal(k, op, row->name, result);
		opcmd_refuse(k, op, result);
	}
	json_free(op->tree);
	op->tree = NULL;
}

static void on_nonce(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { NULL };
	const struct nonce_scope scope = { k->cfg->gateway, NULL, NULL, 0 };
	struct nonce_answer answer;
	uint8_t random[16];
	size_t len = 0;
	bool good;

	if (hash_command(k, op, NULL, 0) != CV_OK)
		return;
	good = json_parse(&op->tree, (const char *)op->request->body, op->request->body_len,
		       CV_OP_BODY_MAX) == CV_OK &&
		json_only(op->tree, names) == CV_OK;
	json_free(op->tree);
	op->tree = NULL;
	answer.expires_in_s = (uint32_t)(k->nonce_ttl_ms / 1000);
	if (!good)
		opcmd_refuse(k, op, OPCMD_MALFORMED);
	else if (crypto_random(random, sizeof(random)) != CV_OK ||
		nonce_make(answer.nonce, k->keys->op_nonce, &scope, random, k->now_ms) != CV_OK ||
		nonce_answer_encode(k->body, IPC_ANSWER_BODY_MAX, &len, &answer) != CV_OK)
		opcmd_refuse(k, op, OPCMD_STORE_FAILED);
	else
		opcmd_reply(k, op, k->body, len);
}

static void run_command(struct keeper *k, struct opcmd *op, const char *name)
{
	const struct opcmd_row *row = opcmd_find(name);
	enum opcmd_result result = authenticate(k, op, row != NULL ? row->role : 0);

	k->counters.op_commands++;
	if (result == OPCMD_OK && row == NULL) {
		result = opcmd_is_later(name) ? OPCMD_NOT_BUILT : OPCMD_NOT_FOUND;
		if (result == OPCMD_NOT_BUILT)
			snprintf(op->problem, sizeof(op->problem),
				"epoch change and rules for two operators are not built in this "
				"version");
	}
	if (result == OPCMD_OK) {
		run(k, op, row);
		return;
	}
	record_refusal(k, op, row != NULL ? row->name : "unknown", result);
	opcmd_refuse(k, op, result);
}

void keeper_on_operator(struct keeper *k, const struct ipc_request *request)
{
	static struct opcmd op;
	const size_t prefix = strlen(PREFIX);
	const char *name = "";

	memset(&op, 0, sizeof(op));
	op.request = request;
	/* Without a trusted clock no certificate that was valid at the build counts as expired. */
	op.now_s = k->clock.trusted ? k->clock.now_s : keeper_build_time_s();
	if (strncmp(request->target, PREFIX, prefix) == 0 && strcmp(request->method, "POST") == 0)
		name = request->target + prefix;
	if (strcmp(name, NONCE_NAME) == 0)
		on_nonce(k, &op);
	else
		run_command(k, &op, name);
	crypto_wipe(k->rec, sizeof(*k->rec));
	crypto_wipe(k->enrolment, sizeof(*k->enrolment));
}
