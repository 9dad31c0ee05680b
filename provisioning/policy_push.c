/* `policy push`, `promote` and `abort`: which policy of a group the gateways go by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/policy_group.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec push_options[] = {
	{"canary", OPTION_TEXT, "PERCENT", "only for this share of the group's devices (1 to 99)"},
};

static const struct option_spec canary_options[] = {
	{"version", OPTION_TEXT, "N", "the canary's version (needed)"},
};

/* The second signature lies beside the first, if there is one. */
static enum cv_err read_second(char **out, const char *path)
{
	char second[FILE_PATH_BUF];
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err;

	*out = NULL;
	if (snprintf(second, sizeof(second), "%s" POLICY_SECOND_SUFFIX, path) >=
		(int)sizeof(second))
		return CV_ERR_TOO_LONG;
	if (!file_exists(second))
		return CV_OK;
	err = file_read(&text, &len, second, GROUP_COUNTERSIGN_MAX);
	if (err != CV_OK)
		log_error("policy push: %s: %s", second, cv_err_text(err));
	else
		*out = (char *)text;
	return err;
}

static char *push_body(const struct policy_file *file, const char *second, uint64_t percent)
{
	cJSON *doc = cJSON_CreateObject();
	char *body;

	cJSON_AddStringToObject(doc, "policy", file->text);
	if (second != NULL)
		cJSON_AddStringToObject(doc, "countersign", second);
	if (percent != 0)
		cJSON_AddNumberToObject(doc, "canary", (double)percent);
	body = cJSON_PrintUnformatted(doc);
	cJSON_Delete(doc);
	return body;
}

/* Sends to all gateways of the fleet; a repeat is harmless, so that is what the message says. */
static enum cv_err send_all(struct context *ctx, struct session *s, const char *command,
	const char *body, const char *did)
{
	struct round r = {.count = 0};
	enum cv_err err = body != NULL ? round_init_fleet(&r, &s->fleet) : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = round_set_body(&r, body);
	if (err == CV_OK) {
		round_run(&r, ctx, &s->client, command, did);
		cJSON_AddNumberToObject(ctx->result, "holding", (double)r.done);
		if (r.done < r.count) {
			log_error("policy: %zu of %zu gateways have it: %s", r.done,
				r.count, round_advice(&r));
			err = round_shortfall(&r);
		}
	}
	round_free(&r);
	return err;
}

static enum cv_err push(struct context *ctx, struct session *s, uint64_t percent)
{
	struct policy_file file;
	char *second = NULL, *body = NULL;
	enum cv_err err = policy_group_read(&file, ctx->args[0], &s->fleet);

	if (err != CV_OK)
		return err;
	if (file.text == NULL) {
		log_error("policy push: %s: is not signed: `conclave policy sign` does that",
			ctx->args[0]);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK)
		err = read_second(&second, ctx->args[0]);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "group", file.group);
		cJSON_AddNumberToObject(ctx->result, "policy_version", (double)file.version);
		body = push_body(&file, second, percent);
		err = send_all(ctx, s, "policy-push", body,
			percent == 0 ? "goes by it" : "goes by it for the canaries");
	}
	cJSON_free(body);
	free(second);
	policy_group_free(&file);
	return err;
}

static enum cv_err policy_push_run(struct context *ctx)
{
	struct session *s = NULL;
	uint64_t percent = 0;
	enum cv_err err = option_uint(ctx, "canary", 1, 99, &percent);

	if (err == CV_OK)
		err = session_open(&s, ctx, NULL, OP_ROLE_POLICY);
	if (err == CV_OK)
		err = push(ctx, s, percent);
	session_close(s);
	return err;
}

static enum cv_err end_canary(struct context *ctx, const char *action, const char *did)
{
	char body[CV_ID_BUF + 96];
	struct session *s = NULL;
	uint64_t version = 0;
	enum cv_err err = arg_id(ctx, 0, "group");

	if (err == CV_OK)
		err = option_uint(ctx, "version", 1, CV_JSON_INTEGER_MAX, &version);
	if (err == CV_OK && version == 0) {
		log_error("policy %s: --version is missing: see `conclave policy status`", action);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK)
		err = session_open(&s, ctx, NULL, OP_ROLE_POLICY);
	if (err == CV_OK) {
		snprintf(body, sizeof(body),
			"{\"group\":\"%s\",\"version\":%llu,\"action\":\"%s\"}", ctx->args[0],
			(unsigned long long)version, action);
		cJSON_AddStringToObject(ctx->result, "group", ctx->args[0]);
		cJSON_AddNumberToObject(ctx->result, "policy_version", (double)version);
		err = send_all(ctx, s, "policy-canary", body, did);
	}
	session_close(s);
	return err;
}

static enum cv_err policy_promote_run(struct context *ctx)
{
	return end_canary(ctx, "promote", "goes by it for the whole group");
}

static enum cv_err policy_abort_run(struct context *ctx)
{
	return end_canary(ctx, "abort", "has no canary");
}

const struct verb verb_policy_push = {
	.noun = "policy",
	.name = "push",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "give a signed policy of a group to all gateways\n"
		   "A second signature is taken from FILE.second. A gateway refuses a version that\n"
		   "is not above every one it ever had. Exits 10 until every gateway has it.",
	.options = push_options,
	.option_count = sizeof(push_options) / sizeof(push_options[0]),
	.run = policy_push_run,
};

const struct verb verb_policy_promote = {
	.noun = "policy",
	.name = "promote",
	.args = "GROUP",
	.args_min = 1,
	.args_max = 1,
	.summary = "put a canary's policy in force for the whole group",
	.options = canary_options,
	.option_count = sizeof(canary_options) / sizeof(canary_options[0]),
	.run = policy_promote_run,
};

const struct verb verb_policy_abort = {
	.noun = "policy",
	.name = "abort",
	.args = "GROUP",
	.args_min = 1,
	.args_max = 1,
	.summary = "end a canary: the whole group goes by what is in force",
	.options = canary_options,
	.option_count = sizeof(canary_options) / sizeof(canary_options[0]),
	.run = policy_abort_run,
};
