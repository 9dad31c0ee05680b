/* `device revoke`, `quarantine`, `reinstate` and `allow-key`: one command at every gateway. */
#include <stdlib.h>

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec reason_option[] = {
	{"reason", OPTION_TEXT, "TEXT", "why; kept in the gateways' audit log"},
};

struct change {
	const char *command;
	const char *did;
	bool locks; /* in force when N-K+1 gateways hold it, else when K do */
};

static enum cv_err judge(const struct round *r, const struct share_set *set,
	const struct change *change, struct context *ctx)
{
	size_t needed = change->locks ? (size_t)set->count - set->threshold + 1 : set->threshold;

	cJSON_AddNumberToObject(ctx->result, "holding", (double)r->done);
	cJSON_AddNumberToObject(ctx->result, "needed", (double)needed);
	cJSON_AddBoolToObject(ctx->result, "in_force", r->done >= needed);
	say(ctx, "%zu of %zu gateways hold it, %zu are needed: %s", r->done, r->count, needed,
		r->done >= needed ? "in force" : "NOT in force");
	if (r->done >= needed && r->done < r->count)
		log_warning("device %s: %zu gateways do not have it yet: run this again when they are "
			    "back",
			set->device, r->count - r->done);
	if (r->done >= needed)
		return CV_OK;
	log_error("device %s: %s is not in force: %zu of %zu gateways that are needed: run this again",
		set->device, change->command, r->done, needed);
	return r->unreachable > 0 ? CV_ERR_TOO_FEW : CV_ERR_DENIED;
}

static enum cv_err change_state(struct context *ctx, const struct change *change)
{
	struct session *s = NULL;
	struct round r = {.count = 0};
	char *body = round_device_body(ctx->args[0], option_text(ctx, "reason"));
	enum cv_err err = body != NULL ? session_open(&s, ctx, ctx->args[0], OP_ROLE_REVOKE)
				       : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = round_init(&r, &s->fleet, &s->record.set);
	if (err == CV_OK)
		err = round_set_body(&r, body);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "device", ctx->args[0]);
		round_run(&r, ctx, &s->client, change->command, change->did);
		err = judge(&r, &s->record.set, change, ctx);
	}
	round_free(&r);
	session_close(s);
	cJSON_free(body);
	return err;
}

static enum cv_err revoke_run(struct context *ctx)
{
	static const struct change change = {"revoke", "revoked", true};

	return change_state(ctx, &change);
}

static enum cv_err quarantine_run(struct context *ctx)
{
	static const struct change change = {"quarantine", "quarantined", true};

	return change_state(ctx, &change);
}

static enum cv_err reinstate_run(struct context *ctx)
{
	static const struct change change = {"reinstate", "active again", false};

	return change_state(ctx, &change);
}

static enum cv_err allow_key_run(struct context *ctx)
{
	static const struct change change = {"allow-key", "takes a new unlock key", false};

	return change_state(ctx, &change);
}

const struct verb verb_device_revoke = {
	.noun = "device",
	.name = "revoke",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "take a device's right to unlock away, for good\n"
		   "In force once N-K+1 gateways hold it; exits 10 while fewer do.",
	.options = reason_option,
	.option_count = 1,
	.run = revoke_run,
};

const struct verb verb_device_quarantine = {
	.noun = "device",
	.name = "quarantine",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "refuse a device until it is reinstated",
	.options = reason_option,
	.option_count = 1,
	.run = quarantine_run,
};

const struct verb verb_device_reinstate = {
	.noun = "device",
	.name = "reinstate",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "end a device's quarantine",
	.options = reason_option,
	.option_count = 1,
	.run = reinstate_run,
};

const struct verb verb_device_allow_key = {
	.noun = "device",
	.name = "allow-key",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "let a device use another unlock key in this boot",
	.run = allow_key_run,
};
