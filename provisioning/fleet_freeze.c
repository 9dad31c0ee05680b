/*
 * `fleet freeze`, `thaw` and `pending`: what holds for all devices, and what still has to arrive.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/pending.h"
#include "provisioning/verbs.h"

static const struct option_spec freeze_options[] = {
	{"reason", OPTION_TEXT, "TEXT", "why; kept in the gateways' audit log"},
	{"wait", OPTION_TEXT, "SECONDS", "ask unreachable gateways again for so long (10)"},
};

static const struct option_spec pending_options[] = {
	{"resume", OPTION_FLAG, NULL, "send what is pending to the gateways that lack it"},
	{"wait", OPTION_TEXT, "SECONDS", "ask unreachable gateways again for so long (10)"},
};

static enum cv_err change(struct context *ctx, const char *command, const char *did, bool locks)
{
	struct pending *p = malloc(sizeof(*p));
	struct session *s = NULL;
	uint64_t wait_s = PENDING_WAIT_S;
	enum cv_err err = p != NULL ? option_uint(ctx, "wait", 0, 86400, &wait_s) : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = session_open(&s, ctx, NULL, OP_ROLE_REVOKE);
	if (err == CV_OK)
		err = pending_for_fleet(
			p, &s->fleet, command, option_text(ctx, "reason"), locks);
	if (err == CV_OK)
		err = pending_drive(ctx, ctx->result, s, p, did, wait_s);
	session_close(s);
	free(p);
	return err;
}

static enum cv_err freeze_run(struct context *ctx)
{
	return change(ctx, "freeze", "frozen", true);
}

static enum cv_err thaw_run(struct context *ctx)
{
	return change(ctx, "thaw", "thawed", false);
}

struct listing {
	struct context *ctx;
	struct session *s;
	const struct fleet *fleet;
	cJSON *array;
	struct pending p;
	uint64_t wait_s;
	bool resume;
	size_t open; /* not in force afterwards */
};

static void print_one(struct listing *l, cJSON *item)
{
	char since[CLOCK_TEXT_BUF];
	cJSON *left = cJSON_AddArrayToObject(item, "left");
	const struct pending *p = &l->p;

	clock_format_utc(since, (int64_t)p->since_s);
	cJSON_AddStringToObject(item, "command", p->command);
	cJSON_AddNumberToObject(item, "since", (double)p->since_s);
	if (p->device[0] != '\0')
		cJSON_AddStringToObject(item, "device", p->device);
	if (l->resume)
		return;
	cJSON_AddNumberToObject(item, "holding", (double)pending_held(p));
	cJSON_AddNumberToObject(item, "needed", (double)(p->needed != 0 ? p->needed : p->count));
	say(l->ctx, "%s %s since %s: %zu of %zu gateways hold it",
		p->device[0] != '\0' ? p->device : "fleet", p->command, since, pending_held(p),
		p->count);
	for (size_t i = 0; i < p->count; i++) {
		if (p->gateways[i].holds)
			continue;
		say(l->ctx, "  gateway %s: not yet", p->gateways[i].id);
		cJSON_AddItemToArray(left, cJSON_CreateString(p->gateways[i].id));
	}
}

static enum cv_err list_one(void *user, const char *name)
{
	struct listing *l = user;
	cJSON *item = cJSON_CreateObject();
	enum cv_err err = pending_read(&l->p, l->fleet, name);

	cJSON_AddItemToArray(l->array, item);
	if (err != CV_OK)
		return err;
	print_one(l, item);
	if (!l->resume)
		return CV_OK;
	err = pending_drive(l->ctx, item, l->s, &l->p, "holds it", l->wait_s);
	if (err == CV_ERR_TOO_FEW || err == CV_ERR_DENIED) {
		l->open++; /* the next one may fare better */
		err = CV_OK;
	}
	return err;
}

static enum cv_err pending_run(struct context *ctx)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct fleet fleet;
	enum cv_err err = l != NULL ? fleet_open(&fleet, ctx, false) : CV_ERR_MEMORY;

	if (err != CV_OK) {
		free(l);
		return err;
	}
	l->ctx = ctx;
	l->fleet = &fleet;
	l->resume = option_flag(ctx, "resume");
	l->wait_s = PENDING_WAIT_S;
	l->array = cJSON_AddArrayToObject(ctx->result, "pending");
	err = option_uint(ctx, "wait", 0, 86400, &l->wait_s);
	if (err == CV_OK && l->resume)
		err = session_open(&l->s, ctx, NULL, OP_ROLE_REVOKE);
	if (err == CV_OK)
		err = pending_each(&fleet, list_one, l);
	if (err == CV_OK && l->open > 0)
		err = CV_ERR_TOO_FEW;
	session_close(l->s);
	fleet_close(&fleet);
	free(l);
	return err;
}

const struct verb verb_fleet_freeze = {
	.noun = "fleet",
	.name = "freeze",
	.args = "",
	.summary = "stop all releases at all gateways until the fleet is thawed\n"
		   "Exits 10 until every gateway has it.",
	.options = freeze_options,
	.option_count = sizeof(freeze_options) / sizeof(freeze_options[0]),
	.run = freeze_run,
};

const struct verb verb_fleet_thaw = {
	.noun = "fleet",
	.name = "thaw",
	.args = "",
	.summary = "let a frozen fleet go on",
	.options = freeze_options,
	.option_count = sizeof(freeze_options) / sizeof(freeze_options[0]),
	.run = thaw_run,
};

const struct verb verb_fleet_pending = {
	.noun = "fleet",
	.name = "pending",
	.args = "",
	.summary = "list the revocations and the like that some gateway lacks\n"
		   "With --resume, exits 10 if one of them is not in force afterwards.",
	.options = pending_options,
	.option_count = sizeof(pending_options) / sizeof(pending_options[0]),
	.run = pending_run,
};
