/* `policy lint`: says what is wrong with a policy before any gateway does. */
#include <stdlib.h>

#include "provisioning/options.h"
#include "provisioning/policy_build.h"
#include "provisioning/policy_group.h"
#include "provisioning/verbs.h"

static enum cv_err lint_group(struct context *ctx)
{
	struct policy_file file;
	struct fleet fleet;
	enum cv_err err;

	/* Without a fleet the JSON can still be looked at, a signature cannot. */
	if (file_exists(fleet_dir(ctx))) {
		err = fleet_open(&fleet, ctx, false);
		if (err != CV_OK)
			return err;
		err = policy_group_read(&file, ctx->args[0], &fleet);
		fleet_close(&fleet);
	} else {
		err = policy_group_read(&file, ctx->args[0], NULL);
	}
	if (err != CV_OK)
		return err;
	cJSON_AddStringToObject(ctx->result, "group", file.group);
	cJSON_AddNumberToObject(ctx->result, "policy_version", (double)file.version);
	cJSON_AddBoolToObject(ctx->result, "signed", file.text != NULL);
	say(ctx, "%s: policy of group %s, version %llu%s%s: no mistake", ctx->args[0], file.group,
		(unsigned long long)file.version, file.text != NULL ? ", signed by " : "",
		file.text != NULL ? file.signer.operator_id : "");
	policy_group_free(&file);
	return CV_OK;
}

static enum cv_err policy_lint_run(struct context *ctx)
{
	char policy[CV_POLICY_MAX + 1];
	uint64_t version = 0;
	size_t len = 0;
	enum cv_err err;

	if (policy_is_group(ctx->args[0]))
		return lint_group(ctx);
	err = policy_file_read(ctx->args[0], policy, &len, &version);
	if (err == CV_OK) {
		cJSON_AddNumberToObject(ctx->result, "policy_version", (double)version);
		say(ctx, "%s: policy version %llu: no mistake", ctx->args[0],
			(unsigned long long)version);
	}
	return err;
}

const struct verb verb_policy_lint = {
	.noun = "policy",
	.name = "lint",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "check a policy file: its form, and sections that would refuse everything\n"
		   "Takes the policy of a device, of a group, and a signed one of a group.",
	.run = policy_lint_run,
};
