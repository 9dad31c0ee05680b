/* `policy show` and `policy diff`: what a group's policy says, and what a change changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"
#include "provisioning/policy_group.h"
#include "provisioning/policy_flat.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec show_options[] = {
	{"version", OPTION_TEXT, "N", "this version (else the one in force)"},
	{"gateway", OPTION_TEXT, "ID", "ask this gateway (else the first that answers)"},
	{"out", OPTION_TEXT, "FILE", "write the signed text to a new file"},
};

static enum cv_err take_answer(
	struct policy_file *file, const struct op_result *result, const struct session *s)
{
	const char *text;
	size_t len;

	if (json_get_text_ref(result->body, "policy", &text, &len) != CV_OK)
		return CV_ERR_FORMAT;
	return policy_group_text(file, "the gateway's answer", text, len, &s->fleet);
}

/* Asks one gateway after the other; what comes is verified, so the first will do. */
static enum cv_err fetch(struct policy_file *file, struct session *s, const char *group,
	uint64_t version, const char *only)
{
	char body[CV_ID_BUF + 64];
	struct op_result result;
	struct round r;
	bool asked = false;
	enum cv_err err = round_init_fleet(&r, &s->fleet);

	if (version == 0)
		snprintf(body, sizeof(body), "{\"group\":\"%s\"}", group);
	else
		snprintf(body, sizeof(body), "{\"group\":\"%s\",\"version\":%llu}", group,
			(unsigned long long)version);
	if (err != CV_OK)
		return err;
	err = CV_ERR_NOT_FOUND;
	for (size_t i = 0; err != CV_OK && i < r.count; i++) {
		const struct gateway_record *g = &r.errands[i].gateway;

		if (only != NULL && strcmp(only, g->id) != 0)
			continue;
		asked = true;
		err = op_call(&s->client, g, "policy-show", body, &result);
		if (err == CV_OK)
			err = take_answer(file, &result, s);
		else
			log_error("gateway %s: %s", g->id, result.problem);
		op_result_wipe(&result);
	}
	if (!asked)
		log_error("--gateway: %s: the fleet has none of that name", only);
	round_free(&r);
	return err;
}

static void show(struct context *ctx, const struct policy_file *file)
{
	cJSON *doc = cJSON_ParseWithLength(file->json, file->json_len);
	char *text = cJSON_Print(doc);

	cJSON_AddStringToObject(ctx->result, "group", file->group);
	cJSON_AddNumberToObject(ctx->result, "policy_version", (double)file->version);
	cJSON_AddStringToObject(ctx->result, "signer", file->signer.operator_id);
	cJSON_AddItemToObject(ctx->result, "policy", doc);
	if (text != NULL)
		say(ctx, "%s", text);
	cJSON_free(text);
}

static enum cv_err policy_show_run(struct context *ctx)
{
	const char *out = option_text(ctx, "out");
	struct policy_file file = {.json = NULL};
	struct session *s = NULL;
	uint64_t version = 0;
	enum cv_err err = arg_id(ctx, 0, "group");

	if (err == CV_OK)
		err = option_uint(ctx, "version", 1, CV_JSON_INTEGER_MAX, &version);
	if (err == CV_OK)
		err = session_open(&s, ctx, NULL, OP_ROLE_AUDIT);
	if (err == CV_OK)
		err = fetch(&file, s, ctx->args[0], version, option_text(ctx, "gateway"));
	if (err == CV_OK && out != NULL) {
		err = file_write_new(out, file.text, file.text_len, 0644);
		if (err != CV_OK)
			log_error("policy show: %s: %s", out, cv_err_text(err));
	} else if (err == CV_OK) {
		show(ctx, &file);
	}
	policy_group_free(&file);
	session_close(s);
	return err;
}

static enum cv_err diff(
	struct context *ctx, const struct policy_file *from, const struct policy_file *to)
{
	cJSON *changes = cJSON_AddArrayToObject(ctx->result, "changes");
	struct policy_flat a, b;
	enum cv_err err = policy_flatten(&a, from->json, from->json_len);

	if (err == CV_OK) {
		err = policy_flatten(&b, to->json, to->json_len);
		if (err == CV_OK) {
			policy_flat_diff(ctx, changes, &a, &b);
			policy_flat_free(&b);
		}
		policy_flat_free(&a);
	}
	if (err == CV_OK && strcmp(from->group, to->group) != 0)
		log_warning("policy diff: these are policies of two groups, %s and %s", from->group,
			to->group);
	return err;
}

static enum cv_err policy_diff_run(struct context *ctx)
{
	struct policy_file from = {.json = NULL}, to = {.json = NULL};
	struct session *s = NULL;
	struct fleet fleet;
	enum cv_err err;

	if (ctx->arg_count == 1) {
		err = session_open(&s, ctx, NULL, OP_ROLE_AUDIT);
		if (err == CV_OK)
			err = policy_group_read(&to, ctx->args[0], &s->fleet);
		if (err == CV_OK)
			err = fetch(&from, s, to.group, 0, NULL);
	} else {
		err = fleet_open(&fleet, ctx, false);
		if (err != CV_OK)
			return err;
		err = policy_group_read(&from, ctx->args[0], &fleet);
		if (err == CV_OK)
			err = policy_group_read(&to, ctx->args[1], &fleet);
		fleet_close(&fleet);
	}
	if (err == CV_OK)
		err = diff(ctx, &from, &to);
	policy_group_free(&from);
	policy_group_free(&to);
	session_close(s);
	return err;
}

const struct verb verb_policy_show = {
	.noun = "policy",
	.name = "show",
	.args = "GROUP",
	.args_min = 1,
	.args_max = 1,
	.summary = "print the policy of a group as the gateways hold it",
	.options = show_options,
	.option_count = sizeof(show_options) / sizeof(show_options[0]),
	.run = policy_show_run,
};

const struct verb verb_policy_diff = {
	.noun = "policy",
	.name = "diff",
	.args = "[FROM] TO",
	.args_min = 1,
	.args_max = 2,
	.summary = "what changes from one policy of a group to another\n"
		   "With one file: from the policy that is in force at the gateways.",
	.run = policy_diff_run,
};
