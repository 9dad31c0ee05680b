/* `operator revoke`: a longer revocation list, signed by the fleet's root, to every gateway. */
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/id.h"
#include "provisioning/options.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

#define LIST_FILE "revocations.jws"

/* The list that is there, or an empty one of version 0. */
static enum cv_err read_list(struct revocations *list, const struct fleet *fleet)
{
	char path[FILE_PATH_BUF];
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err = fleet_path(fleet, path, LIST_FILE);

	if (err == CV_OK)
		err = file_read(&text, &len, path, CV_JWS_MAX);
	if (err == CV_OK)
		err = revocations_decode(
			list, (const char *)text, len, fleet->id, fleet->root_key);
	free(text);
	if (err == CV_ERR_NOT_FOUND) {
		memset(list, 0, sizeof(*list));
		return id_copy(list->fleet, fleet->id, strlen(fleet->id));
	}
	if (err != CV_OK)
		log_error("operator revoke: %s: %s", path, cv_err_text(err));
	return err;
}

/* Signs and keeps the longer list before anybody gets it, so that a later one is longer still. */
static enum cv_err sign_list(char *text, size_t *len, struct revocations *list,
	const struct fleet *fleet, const struct context *ctx, struct passphrase *passphrase)
{
	struct key_pair *root = NULL;
	struct jws_signer signer;
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(fleet, path, "root/keys");

	if (err == CV_OK)
		err = fleet_read_keys(&root, ctx, passphrase, path, "the fleet's root");
	if (err != CV_OK)
		return err;
	list->version++;
	list->iat_s = (uint64_t)clock_wall_s();
	signer = jws_key_signer(root->sign);
	err = revocations_encode(text, CV_JWS_MAX + 1, len, list, &signer);
	secret_free(root);
	if (err == CV_OK)
		err = fleet_path(fleet, path, LIST_FILE);
	if (err == CV_OK)
		err = file_write_atomic(path, text, *len, 0644);
	if (err != CV_OK)
		log_error("operator revoke: revocation list: %s", cv_err_text(err));
	return err;
}

static enum cv_err make_list(
	char *text, size_t *len, const char *name, struct session *s, const struct context *ctx)
{
	struct revocations *list = malloc(sizeof(*list));
	char path[FILE_PATH_BUF];
	uint8_t *kept = NULL;
	enum cv_err err = list != NULL ? read_list(list, &s->fleet) : CV_ERR_MEMORY;

	if (err == CV_OK && !revocations_names(list, name)) {
		if (list->count == REVOCATIONS_MAX) {
			log_error("operator revoke: the list has %d names, and no room for more",
				REVOCATIONS_MAX);
			err = CV_ERR_FULL;
		} else {
			strcpy(list->operators[list->count++], name);
			err = sign_list(text, len, list, &s->fleet, ctx, &s->passphrase);
		}
	} else if (err == CV_OK) { /* again: the same bytes, for gateways that were away */
		err = fleet_path(&s->fleet, path, LIST_FILE);
		if (err == CV_OK)
			err = file_read(&kept, len, path, CV_JWS_MAX);
		if (err == CV_OK)
			memcpy(text, kept, *len + 1);
		free(kept);
	}
	free(list);
	return err;
}

static enum cv_err send_list(struct context *ctx, struct session *s, const char *text)
{
	struct round r = {.count = 0};
	cJSON *doc = cJSON_CreateObject();
	char *body = cJSON_AddStringToObject(doc, "list", text) != NULL
			     ? cJSON_PrintUnformatted(doc)
			     : NULL;
	enum cv_err err = body != NULL ? CV_OK : CV_ERR_MEMORY;

	cJSON_Delete(doc);
	if (err == CV_OK)
		err = round_init_fleet(&r, &s->fleet);
	if (err == CV_OK)
		err = round_set_body(&r, body);
	if (err == CV_OK) {
		round_run(&r, ctx, &s->client, "revocations", "has the list");
		if (r.done < r.count) {
			log_error("operator %s: %zu of %zu gateways have the list: %s",
				ctx->args[0], r.done, r.count, round_advice(&r));
			err = round_shortfall(&r);
		}
	}
	round_free(&r);
	cJSON_free(body);
	return err;
}

static enum cv_err operator_revoke_run(struct context *ctx)
{
	struct session *s = NULL;
	struct fleet lock;
	char *text = malloc(CV_JWS_MAX + 1);
	size_t len = 0;
	enum cv_err err = text != NULL ? arg_id(ctx, 0, "operator") : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = fleet_open(&lock, ctx, true);
	if (err != CV_OK) {
		free(text);
		return err;
	}
	err = session_open(&s, ctx, NULL, OP_ROLE_REVOKE);
	if (err == CV_OK && strcmp(s->op.name, ctx->args[0]) == 0) {
		log_error("operator revoke: %s: an operator cannot revoke itself: name another "
			  "with --operator",
			s->op.name);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK)
		err = make_list(text, &len, ctx->args[0], s, ctx);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "operator", ctx->args[0]);
		err = send_list(ctx, s, text);
	}
	session_close(s);
	fleet_close(&lock);
	free(text);
	return err;
}

const struct verb verb_operator_revoke = {
	.noun = "operator",
	.name = "revoke",
	.args = "NAME",
	.args_min = 1,
	.args_max = 1,
	.summary = "take an operator's rights away at every gateway, for good\n"
		   "The fleet's root signs the list of revoked operators; one with the role revoke\n"
		   "carries it. Exits 10 until every gateway has it.",
	.run = operator_revoke_run,
};
