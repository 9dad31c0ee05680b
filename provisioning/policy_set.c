/* `policy set`: gives a device another policy at all its gateways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/policy_build.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

#define BODY_MAX (CV_POLICY_MAX + CV_ID_BUF + 64)

static enum cv_err remember(const struct session *s, const char *policy, size_t len)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(&s->fleet, path, "devices/%s/policy.json", s->record.id);

	if (err == CV_OK)
		err = file_write_atomic(path, policy, len, 0644);
	if (err != CV_OK)
		log_error("policy: %s: %s", path, cv_err_text(err));
	return err;
}

static enum cv_err send_all(struct context *ctx, struct session *s, const char *policy)
{
	char body[BODY_MAX];
	struct round r;
	enum cv_err err = round_init(&r, &s->fleet, &s->record.set);

	if (err != CV_OK)
		return err;
	snprintf(body, sizeof(body), "{\"device\":\"%s\",\"policy\":%s}", s->record.id, policy);
	err = round_set_body(&r, body);
	if (err == CV_OK) {
		round_run(&r, ctx, &s->client, "policy", "policy set");
		if (r.done < r.count) {
			log_error("device %s: %zu of %zu gateways have this policy: %s",
				s->record.id, r.done, r.count, round_advice(&r));
			err = round_shortfall(&r);
		}
	}
	round_free(&r);
	return err;
}

static enum cv_err policy_set_run(struct context *ctx)
{
	char policy[CV_POLICY_MAX + 1];
	struct session *s = NULL;
	uint64_t version = 0;
	size_t len = 0;
	enum cv_err err = policy_file_read(ctx->args[1], policy, &len, &version);

	if (err == CV_OK)
		err = session_open(&s, ctx, ctx->args[0], OP_ROLE_POLICY);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "device", ctx->args[0]);
		cJSON_AddNumberToObject(ctx->result, "policy_version", (double)version);
		err = send_all(ctx, s, policy);
	}
	if (err == CV_OK)
		err = remember(s, policy, len);
	session_close(s);
	return err;
}

const struct verb verb_policy_set = {
	.noun = "policy",
	.name = "set",
	.args = "DEVICE FILE",
	.args_min = 2,
	.args_max = 2,
	.summary = "give a device another policy at all its gateways\n"
		   "policy_version must be above the one that the gateways have.",
	.run = policy_set_run,
};
