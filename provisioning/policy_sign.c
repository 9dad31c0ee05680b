/*
 * `policy sign`: the policy of a group as a document that gateways take, or its second signature.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/policy_group.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"second", OPTION_FLAG, NULL, "FILE is signed: add the signature of a second operator"},
	{"out", OPTION_TEXT, "FILE", "the new file (else FILE with .jws, or .second, at its end)"},
};

/* NAME.json becomes NAME.jws, anything else gets the ending on top. */
static enum cv_err out_path(
	const struct context *ctx, bool second, char out[FILE_PATH_BUF])
{
	const char *given = option_text(ctx, "out");
	const char *in = ctx->args[0];
	size_t len = strlen(in);
	int n;

	if (!second && len > 5 && strcmp(in + len - 5, ".json") == 0)
		len -= 5;
	n = given != NULL ? snprintf(out, FILE_PATH_BUF, "%s", given)
			  : snprintf(out, FILE_PATH_BUF, "%.*s%s", (int)len, in,
				    second ? POLICY_SECOND_SUFFIX : ".jws");
	return n > 0 && n < FILE_PATH_BUF ? CV_OK : CV_ERR_TOO_LONG;
}

static enum cv_err sign_first(
	char *text, size_t *len, const struct session *s, const struct policy_file *file)
{
	const struct jws_signer signer = operator_signer(&s->op);

	if (file->text != NULL) {
		log_error("policy sign: is signed already: --second adds a second signature");
		return CV_ERR_ARGUMENT;
	}
	return jws_sign(text, CV_JWS_MAX + 1, len, GROUP_TYP, s->op.cert_text, file->json,
		file->json_len, &signer);
}

static enum cv_err sign_second(
	char *text, size_t *len, const struct session *s, const struct policy_file *file)
{
	const struct jws_signer signer = operator_signer(&s->op);

	if (file->text == NULL) {
		log_error("policy sign: --second: the file is not signed yet");
		return CV_ERR_ARGUMENT;
	}
	if (strcmp(file->signer.operator_id, s->op.name) == 0) {
		log_error("policy sign: --second: %s signed it first: another operator must, see "
			  "--operator",
			s->op.name);
		return CV_ERR_ARGUMENT;
	}
	return group_countersign(text, CV_JWS_MAX + 1, len, s->fleet.id, file->text,
		file->text_len, s->op.cert_text, &signer);
}

static enum cv_err sign(struct context *ctx, const struct session *s, char *text)
{
	const bool second = option_flag(ctx, "second");
	struct policy_file file;
	char path[FILE_PATH_BUF];
	size_t len = 0;
	enum cv_err err = policy_group_read(&file, ctx->args[0], &s->fleet);

	if (err != CV_OK)
		return err;
	err = out_path(ctx, second, path);
	if (err == CV_OK)
		err = second ? sign_second(text, &len, s, &file) : sign_first(text, &len, s, &file);
	if (err == CV_OK) {
		err = file_write_atomic(path, text, len, 0644);
		if (err != CV_OK)
			log_error("policy sign: %s: %s", path, cv_err_text(err));
	} else if (err != CV_ERR_ARGUMENT) {
		log_error("policy sign: %s: %s", ctx->args[0], cv_err_text(err));
	}
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "group", file.group);
		cJSON_AddNumberToObject(ctx->result, "policy_version", (double)file.version);
		cJSON_AddStringToObject(ctx->result, "file", path);
		say(ctx, "%s: policy of group %s, version %llu, signed by %s", path, file.group,
			(unsigned long long)file.version, s->op.name);
	}
	policy_group_free(&file);
	return err;
}

static enum cv_err policy_sign_run(struct context *ctx)
{
	char *text = malloc(CV_JWS_MAX + 1);
	struct session *s = NULL;
	enum cv_err err = text != NULL ? session_open(&s, ctx, NULL, OP_ROLE_POLICY)
				       : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = sign(ctx, s, text);
	session_close(s);
	free(text);
	return err;
}

const struct verb verb_policy_sign = {
	.noun = "policy",
	.name = "sign",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "sign the policy of a group, after checking it\n"
		   "The operator needs the role policy.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = policy_sign_run,
};
