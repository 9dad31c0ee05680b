/* `policy lint`: says what is wrong with a policy before any gateway does. */
#include "provisioning/options.h"
#include "provisioning/policy_build.h"
#include "provisioning/verbs.h"

static enum cv_err policy_lint_run(struct context *ctx)
{
	char policy[CV_POLICY_MAX + 1];
	uint64_t version = 0;
	size_t len = 0;
	enum cv_err err = policy_file_read(ctx->args[0], policy, &len, &version);

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
	.summary = "check a policy file: its form, and sections that would refuse everything",
	.run = policy_lint_run,
};
