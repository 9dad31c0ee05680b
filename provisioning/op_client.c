#include "provisioning/op_client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/op.h"
#include "provisioning/op_http.h"

#define TARGET_BUF 64
#define GENERAL_TITLE "Refused" /* says nothing that the reason does not */
#define NONCE_TARGET "/v1/op/nonce"

/* A command on its way: what is signed, and what the reply must refer to. */
struct exchange {
	struct op_http http;
	const struct op_client *client;
	const struct gateway_record *gateway;
	struct op_result *result;
};

static enum cv_err fail(struct exchange *x, enum cv_err err, const char *what)
{
	snprintf(x->result->problem, sizeof(x->result->problem), "%s", what);
	return err;
}

/* The reply is worth nothing unless the pinned keeper signed it for exactly this command. */
static enum cv_err verify_reply(struct exchange *x, const struct op_http_answer *a,
	const uint8_t command_hash[CV_HASH_BYTES])
{
	struct op_reply reply = {.status = a->status, .body = a->body, .body_len = a->len};
	uint8_t sig[CV_ES256_SIG_BYTES], hash[CV_HASH_BYTES];
	char text[96];
	enum cv_err err;

	if (a->reply[0] == '\0') {
		snprintf(text, sizeof(text), "status %u without the keeper's signature", a->status);
		return fail(x, CV_ERR_UNREACHABLE, text);
	}
	err = op_reply_header_parse(a->reply, strlen(a->reply), &reply, sig);
	if (err == CV_OK)
		err = op_reply_hash(hash, command_hash, &reply);
	if (err == CV_OK)
		err = crypto_es256_verify(x->gateway->keeper_key, hash, sig);
	if (err != CV_OK)
		return fail(x, CV_ERR_UNREACHABLE, "the keeper's signature does not hold");
	x->result->state.revision = reply.store_revision;
	x->result->state.seq = reply.audit_seq;
	memcpy(x->result->state.head, reply.audit_head, CV_HASH_BYTES);
	x->result->state.time_s = (uint64_t)clock_wall_s();
	return CV_OK;
}

static enum cv_err refused(struct exchange *x, const struct op_http_answer *a)
{
	struct op_result *r = x->result;
	char title[160] = "";
	cJSON *doc = NULL;

	if (json_parse(&doc, a->body, a->len, CV_OP_BODY_MAX) != CV_OK ||
		json_get_text(doc, "reason", r->reason, sizeof(r->reason)) != CV_OK)
		snprintf(r->reason, sizeof(r->reason), "unknown");
	if (doc == NULL || json_get_text(doc, "title", title, sizeof(title)) != CV_OK ||
		strcmp(title, GENERAL_TITLE) == 0)
		title[0] = '\0';
	json_free(doc);
	snprintf(r->problem, sizeof(r->problem), "refused: %s%s%s", r->reason,
		title[0] != '\0' ? ": " : "", title);
	return CV_ERR_DENIED;
}

/* Sends, verifies, parses; *body is set for status 200. */
static enum cv_err send_command(struct exchange *x, const struct op_command *command,
	const char *const *headers, struct cJSON **body)
{
	uint8_t hash[CV_HASH_BYTES];
	struct op_http_answer a = {.status = 0};
	enum cv_err err = op_command_hash(hash, command);

	if (err != CV_OK)
		return fail(x, err, cv_err_text(err));
	err = op_http_post(
		&x->http, command->target, headers, command->body, command->body_len, &a);
	if (err != CV_OK)
		return fail(x, err, x->http.problem[0] ? x->http.problem : cv_err_text(err));
	err = verify_reply(x, &a, hash);
	if (err == CV_OK && a.status != 200)
		err = refused(x, &a);
	else if (err == CV_OK && json_parse(body, a.body, a.len, OP_HTTP_ANSWER_MAX) != CV_OK)
		err = fail(x, CV_ERR_UNREACHABLE, "the answer is not well-formed");
	free(a.body);
	return err;
}

static enum cv_err get_nonce(struct exchange *x, uint8_t nonce[CV_NONCE_BYTES])
{
	static const char *const headers[] = {"Content-Type: application/json", "Expect:", NULL};
	struct op_command command = {.keeper_key = x->gateway->keeper_key, .method = "POST",
		.target = NONCE_TARGET, .body = "{}", .body_len = 2};
	struct cJSON *doc = NULL;
	enum cv_err err = send_command(x, &command, headers, &doc);

	if (err == CV_OK && json_get_bytes(doc, "nonce", nonce, CV_NONCE_BYTES) != CV_OK)
		err = fail(x, CV_ERR_UNREACHABLE, "the nonce is not well-formed");
	json_free(doc);
	return err;
}

static enum cv_err signed_headers(struct exchange *x, const struct op_command *command,
	char op_line[OP_HEADER_BUF + 32], char cert_line[CV_OPCERT_MAX + 32])
{
	const struct operator *op = x->client->op;
	uint8_t hash[CV_HASH_BYTES], sig[CV_ES256_SIG_BYTES];
	char value[OP_HEADER_BUF];
	enum cv_err err = op_command_hash(hash, command);

	if (err == CV_OK)
		err = crypto_es256_sign(sig, op->keys->sign, hash);
	if (err == CV_OK)
		err = op_header(value, command->nonce, sig);
	if (err != CV_OK)
		return fail(x, err, cv_err_text(err));
	snprintf(op_line, OP_HEADER_BUF + 32, OP_HEADER_NAME ": %s", value);
	snprintf(cert_line, CV_OPCERT_MAX + 32, OP_CERT_HEADER_NAME ": %s", op->cert_text);
	return CV_OK;
}

static enum cv_err exchange_run(struct exchange *x, const char *command, const char *body)
{
	char target[TARGET_BUF], op_line[OP_HEADER_BUF + 32], cert_line[CV_OPCERT_MAX + 32];
	const char *const headers[] = {
		"Content-Type: application/json", "Expect:", op_line, cert_line, NULL};
	uint8_t nonce[CV_NONCE_BYTES];
	struct op_command c = {.keeper_key = x->gateway->keeper_key, .nonce = nonce,
		.nonce_len = sizeof(nonce), .method = "POST", .target = target, .body = body,
		.body_len = strlen(body)};
	enum cv_err err;

	snprintf(target, sizeof(target), "/v1/op/%s", command);
	err = get_nonce(x, nonce);
	if (err == CV_OK)
		err = signed_headers(x, &c, op_line, cert_line);
	if (err == CV_OK)
		err = send_command(x, &c, headers, &x->result->body);
	return err;
}

static enum cv_err judge_state(struct exchange *x)
{
	enum cv_err err =
		seen_check(x->client->fleet, x->gateway->id, &x->result->state);

	if (err == CV_ERR_TOO_OLD)
		return fail(x, err,
			"its store is older than one seen before: it was set back, do not trust it");
	if (err == CV_ERR_TAMPERED)
		return fail(x, err, "its audit chain is not the one seen before");
	return err == CV_OK ? CV_OK : fail(x, err, cv_err_text(err));
}

enum cv_err op_call(const struct op_client *client, const struct gateway_record *gateway,
	const char *command, const char *body, struct op_result *result)
{
	struct exchange x = {.client = client, .gateway = gateway, .result = result};
	enum cv_err err;

	memset(result, 0, sizeof(*result));
	if (gateway->operators[0] == '\0')
		err = fail(&x, CV_ERR_CONFIG,
			"no operators' address is known: set it with `conclave gateway address`");
	else
		err = op_http_open(&x.http, client->fleet, client->op, gateway);
	if (err == CV_OK) {
		enum cv_err state;

		err = exchange_run(&x, command, body);
		op_http_close(&x.http);
		/* a signed refusal tells of the store as well */
		if (err == CV_OK || err == CV_ERR_DENIED) {
			state = judge_state(&x);
			err = state != CV_OK ? state : err;
		}
	}
	result->err = err;
	return err;
}

void op_result_wipe(struct op_result *result)
{
	json_free(result->body);
	result->body = NULL;
}

struct worker {
	pthread_t thread;
	bool started;
	const struct op_client *client;
	const char *command;
	struct op_errand *errand;
};

static void *work(void *user)
{
	struct worker *w = user;
	/* the result is in the errand */
	enum cv_err err = op_call(
		w->client, &w->errand->gateway, w->command, w->errand->body, &w->errand->result);

	(void)err;
	return NULL;
}

void op_round(const struct op_client *client, const char *command, struct op_errand *errands,
	size_t count)
{
	struct worker workers[CV_MEMBERS_MAX];

	for (size_t from = 0; from < count; from += CV_MEMBERS_MAX) {
		size_t n = count - from < CV_MEMBERS_MAX ? count - from : CV_MEMBERS_MAX;

		for (size_t i = 0; i < n; i++) {
			struct worker *w = &workers[i];

			*w = (struct worker){.client = client, .command = command,
				.errand = &errands[from + i]};
			w->started = pthread_create(&w->thread, NULL, work, w) == 0;
			if (!w->started)
				work(w);
		}
		for (size_t i = 0; i < n; i++)
			if (workers[i].started)
				pthread_join(workers[i].thread, NULL);
	}
}

void op_errands_free(struct op_errand *errands, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(errands[i].body);
		op_result_wipe(&errands[i].result);
	}
	free(errands);
}
