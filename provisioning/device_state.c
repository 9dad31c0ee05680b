/* `device revoke`, `quarantine`, `reinstate` and `allow-key`: one command at every gateway. */
#include <stdio.h>
#include <stdlib.h>

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/pending.h"
#include "provisioning/verbs.h"

static const struct option_spec state_options[] = {
	{"reason", OPTION_TEXT, "TEXT", "why; kept in the gateways' audit log"},
	{"wait", OPTION_TEXT, "SECONDS", "ask unreachable gateways again for so long (10)"},
};

static const struct option_spec revoke_options[] = {
	{"reason", OPTION_TEXT, "TEXT", "why; kept in the gateways' audit log"},
	{"wait", OPTION_TEXT, "SECONDS", "ask unreachable gateways again for so long (10)"},
	{"resume", OPTION_FLAG, NULL, "go on with what is pending for this device"},
};

struct change {
	const char *command;
	const char *did;
	bool locks; /* in force when N-K+1 gateways hold it, else when K do */
};

static enum cv_err change_state(struct context *ctx, const struct change *change, bool resume)
{
	struct pending *p = malloc(sizeof(*p));
	struct session *s = NULL;
	uint64_t wait_s = PENDING_WAIT_S;
	enum cv_err err = p != NULL ? option_uint(ctx, "wait", 0, 86400, &wait_s) : CV_ERR_MEMORY;
	bool found = false;
	char name[PENDING_NAME_BUF + CV_ID_BUF];

	if (err == CV_OK)
		err = session_open(&s, ctx, ctx->args[0], OP_ROLE_REVOKE);
	if (err == CV_OK && resume) {
		snprintf(name, sizeof(name), "device-%s", s->record.id);
		err = pending_read(p, &s->fleet, name);
		found = err == CV_OK;
		if (err == CV_ERR_NOT_FOUND)
			log_error("device %s: nothing is pending", ctx->args[0]);
	}
	if (err == CV_OK && !found)
		err = pending_for_device(p, &s->record, change->command,
			option_text(ctx, "reason"), change->locks);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "device", ctx->args[0]);
		err = pending_drive(ctx, ctx->result, s, p, change->did, wait_s);
	}
	session_close(s);
	free(p);
	return err;
}

static enum cv_err revoke_run(struct context *ctx)
{
	static const struct change change = {"revoke", "revoked", true};
	static const struct change resumed = {"revoke", "holds it", true};

	return option_flag(ctx, "resume") ? change_state(ctx, &resumed, true)
					  : change_state(ctx, &change, false);
}

static enum cv_err quarantine_run(struct context *ctx)
{
	static const struct change change = {"quarantine", "quarantined", true};

	return change_state(ctx, &change, false);
}

static enum cv_err reinstate_run(struct context *ctx)
{
	static const struct change change = {"reinstate", "active again", false};

	return change_state(ctx, &change, false);
}

/* Worth nothing once the boot is over, so it is not kept for gateways that are away. */
static enum cv_err allow_key_run(struct context *ctx)
{
	struct session *s = NULL;
	struct round r = {.count = 0};
	char *body = round_device_body(ctx->args[0], NULL);
	enum cv_err err = body != NULL ? session_open(&s, ctx, ctx->args[0], OP_ROLE_REVOKE)
				       : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = round_init(&r, &s->fleet, &s->record.set);
	if (err == CV_OK)
		err = round_set_body(&r, body);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "device", ctx->args[0]);
		round_run(&r, ctx, &s->client, "allow-key", "takes a new unlock key");
		if (r.done < s->record.set.threshold) {
			log_error("device %s: %zu gateways take a new key, %u are needed",
				s->record.id, r.done, (unsigned)s->record.set.threshold);
			err = round_shortfall(&r);
		}
	}
	round_free(&r);
	session_close(s);
	cJSON_free(body);
	return err;
}

const struct verb verb_device_revoke = {
	.noun = "device",
	.name = "revoke",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "take a device's right to unlock away, for good\n"
		   "Effective once N-K+1 gateways hold it, by replies that their keepers signed;\n"
		   "exits 10 while fewer do. What did not reach a gateway is kept and sent by\n"
		   "--resume or `fleet pending --resume`.",
	.options = revoke_options,
	.option_count = sizeof(revoke_options) / sizeof(revoke_options[0]),
	.run = revoke_run,
};

const struct verb verb_device_quarantine = {
	.noun = "device",
	.name = "quarantine",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "refuse a device until it is reinstated\n"
		   "Effective and kept as a revocation is.",
	.options = state_options,
	.option_count = sizeof(state_options) / sizeof(state_options[0]),
	.run = quarantine_run,
};

const struct verb verb_device_reinstate = {
	.noun = "device",
	.name = "reinstate",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "end a device's quarantine, or a revocation",
	.options = state_options,
	.option_count = sizeof(state_options) / sizeof(state_options[0]),
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
