/* Signed replies to operators. */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <string.h>

#include "host/log.h"

#define PROBLEM_TYPE "application/problem+json"
#define PROBLEM_MAX 512

static enum cv_err sign(struct keeper *k, const struct opcmd *op, const struct store_state *state,
	struct op_reply *reply, struct ipc_answer *out)
{
	uint8_t hash[CV_HASH_BYTES], sig[CV_ES256_SIG_BYTES];
	char header[OP_REPLY_HEADER_BUF];
	enum cv_err err;

	reply->store_revision = state->revision;
	reply->audit_seq = state->audit_seq;
	memcpy(reply->audit_head, state->audit_head, sizeof(reply->audit_head));
	err = op_reply_hash(hash, op->command_hash, reply);
	if (err == CV_OK)
		err = k->signer.sign(k->signer.context, hash, sig);
	if (err == CV_OK)
		err = op_reply_header(header, reply, sig);
	if (err != CV_OK)
		return err;
	memset(out, 0, sizeof(*out));
	out->id = op->request->id;
	out->status = reply->status;
	snprintf(out->content_type, sizeof(out->content_type), "%s",
		reply->status == 200 ? "application/json" : PROBLEM_TYPE);
	snprintf(out->header_name, sizeof(out->header_name), "%s", OP_REPLY_HEADER_NAME);
	snprintf(out->header_value, sizeof(out->header_value), "%s", header);
	out->body = reply->body;
	out->body_len = reply->body_len;
	return CV_OK;
}

static enum cv_err problem_body(
	char *out, size_t cap, size_t *len, enum opcmd_result result, const char *title)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_text(&w, "type", "about:blank");
	json_text(&w, "title", title[0] != '\0' ? title : "Refused");
	json_u64(&w, "status", 403);
	json_text(&w, "retry", result == OPCMD_STORE_FAILED ? "later" : "no");
	json_text(&w, "reason", opcmd_code(result));
	json_object_close(&w);
	return json_end(&w, len);
}

/* The reply speaks of the store as this transaction leaves it; `instead` of what it was before. */
static enum cv_err defer(struct keeper *k, struct opcmd *op, struct op_reply *reply)
{
	char body[PROBLEM_MAX];
	struct op_reply failed = {0};
	struct ipc_answer good, instead;
	enum cv_err err = sign(k, op, store_staged(k->store), reply, &good);

	if (err == CV_OK)
		err = problem_body(body, sizeof(body), &failed.body_len, OPCMD_STORE_FAILED, "");
	failed.status = 403;
	failed.body = body;
	if (err == CV_OK)
		err = sign(k, op, store_committed(k->store), &failed, &instead);
	return err == CV_OK ? keeper_defer(k, &good, &instead) : err;
}

static void send_reply(struct keeper *k, struct opcmd *op, struct op_reply *reply)
{
	struct ipc_answer answer;
	enum cv_err err;

	if (store_in_transaction(k->store) && !k->batch_failed) {
		err = defer(k, op, reply);
		if (err != CV_OK)
			keeper_batch_fail(k);
	} else {
		err = sign(k, op, store_committed(k->store), reply, &answer);
		if (err == CV_OK)
			keeper_send(k, &answer);
	}
	if (err != CV_OK)
		log_error("operator %s: reply cannot be made: %s", op->cert.operator_id,
			cv_err_text(err));
}

void opcmd_reply(struct keeper *k, struct opcmd *op, const char *body, size_t len)
{
	struct op_reply reply = {0};

	reply.status = 200;
	reply.body = body;
	reply.body_len = len;
	send_reply(k, op, &reply);
}

void opcmd_refuse(struct keeper *k, struct opcmd *op, enum opcmd_result result)
{
	char body[PROBLEM_MAX];
	struct op_reply reply = {0};

	k->counters.op_refused++;
	reply.status = 403;
	reply.body = body;
	if (problem_body(body, sizeof(body), &reply.body_len, result, op->problem) != CV_OK) {
		log_error("operator: refusal cannot be made");
		return;
	}
	send_reply(k, op, &reply);
}
