/* Drives a pending command to its gateways until it is in force. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/clock.h"
#include "host/log.h"
#include "provisioning/op_http.h"
#include "provisioning/options.h"
#include "provisioning/pending.h"
#include "provisioning/pending_keep.h"

#define PAUSE_MS 500

struct drive {
	struct pending *p;
	struct session *s;
	cJSON *list;		/* "gateways" of the result: one item for each */
	const char *did;
	size_t denied;
	uint64_t start_ms;
	uint64_t effective_ms; /* since the start; with in_force */
	bool in_force;
};

static void set_bool(cJSON *item, const char *name, bool value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(item, name);
	cJSON_AddBoolToObject(item, name, value);
}

static void set_text(cJSON *item, const char *name, const char *text)
{
	cJSON_DeleteItemFromObjectCaseSensitive(item, name);
	if (text[0] != '\0')
		cJSON_AddStringToObject(item, name, text);
}

/* What became of one gateway; a failure is printed once, and again only if it is another one. */
static void note(struct context *ctx, struct drive *d, size_t index, const struct op_errand *e)
{
	cJSON *item = cJSON_GetArrayItem(d->list, (int)index);
	const char *before =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "problem"));
	const bool holds = e->result.err == CV_OK;

	d->p->gateways[index].holds = holds;
	d->denied += e->result.err == CV_ERR_DENIED;
	if (holds)
		say(ctx, "gateway %s: %s", e->gateway.id, d->did);
	else if (before == NULL || strcmp(before, e->result.problem) != 0)
		log_error("gateway %s: %s", e->gateway.id, e->result.problem);
	set_bool(item, "done", holds);
	set_text(item, "problem", holds ? "" : e->result.problem);
	set_text(item, "reason", e->result.reason);
	if (holds)
		cJSON_AddNumberToObject(item, "revision", (double)e->result.state.revision);
}

static enum cv_err send_round(struct context *ctx, struct drive *d)
{
	struct pending *p = d->p;
	struct op_errand *errands = calloc(p->count, sizeof(*errands));
	size_t *index = calloc(p->count, sizeof(*index));
	size_t count = 0;
	enum cv_err err = errands != NULL && index != NULL ? CV_OK : CV_ERR_MEMORY;

	d->denied = 0;
	for (size_t i = 0; err == CV_OK && i < p->count; i++) {
		if (p->gateways[i].holds)
			continue;
		index[count] = i;
		err = gateway_record_read(
			&errands[count].gateway, &d->s->fleet, p->gateways[i].id);
		errands[count].body = strdup(p->body);
		if (errands[count++].body == NULL)
			err = CV_ERR_MEMORY;
	}
	if (err == CV_OK) {
		op_round(&d->s->client, p->command, errands, count);
		for (size_t i = 0; i < count; i++)
			note(ctx, d, index[i], &errands[i]);
		err = pending_keep(p, &d->s->fleet);
	}
	if (errands != NULL)
		op_errands_free(errands, count);
	free(index);
	return err;
}

static bool in_force(const struct pending *p)
{
	return pending_held(p) >= (p->needed != 0 ? p->needed : p->count);
}

static void judge_time(struct drive *d)
{
	if (d->in_force || !in_force(d->p))
		return;
	d->in_force = true;
	d->effective_ms = clock_monotonic_ms() - d->start_ms;
}

static enum cv_err run(struct context *ctx, struct drive *d, uint64_t wait_s)
{
	const struct timespec pause = {0, PAUSE_MS * 1000000L};
	const uint64_t end_ms = d->start_ms + wait_s * 1000;
	enum cv_err err = pending_keep(d->p, &d->s->fleet);

	judge_time(d);
	if (err == CV_OK)
		err = send_round(ctx, d);
	judge_time(d);
	/* A refusal is an answer: asking again changes nothing. */
	while (err == CV_OK && !d->in_force && clock_monotonic_ms() < end_ms &&
		pending_held(d->p) + d->denied < d->p->count) {
		nanosleep(&pause, NULL);
		err = send_round(ctx, d);
		judge_time(d);
	}
	return err;
}

static void list_gateways(struct drive *d, cJSON *result)
{
	d->list = cJSON_AddArrayToObject(result, "gateways");
	for (size_t i = 0; i < d->p->count; i++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "gateway", d->p->gateways[i].id);
		cJSON_AddBoolToObject(item, "done", d->p->gateways[i].holds);
		cJSON_AddItemToArray(d->list, item);
	}
}

static enum cv_err report(struct context *ctx, cJSON *result, const struct drive *d)
{
	const struct pending *p = d->p;
	const size_t held = pending_held(p);
	const size_t needed = p->needed != 0 ? p->needed : p->count;
	const char *what = p->device[0] != '\0' ? p->device : "fleet";

	cJSON_AddNumberToObject(result, "holding", (double)held);
	cJSON_AddNumberToObject(result, "needed", (double)needed);
	cJSON_AddBoolToObject(result, "in_force", d->in_force);
	if (d->in_force) {
		cJSON_AddNumberToObject(result, "effective_ms", (double)d->effective_ms);
		say(ctx,
			"%s: %s: effective %zu of %zu needed, after %llu.%llu s; %zu of %zu "
			"gateways hold it",
			what, p->command, needed, needed,
			(unsigned long long)d->effective_ms / 1000,
			(unsigned long long)d->effective_ms % 1000 / 100, held, p->count);
		if (held < p->count)
			log_warning(
				"%s: %s: %zu gateways do not have it yet: it is kept, `conclave "
				"fleet pending --resume` sends it when they are back, or run "
				"this again",
				what, p->command, p->count - held);
		return CV_OK;
	}
	log_error("%s: %s is NOT in force: %zu of %zu gateways that are needed: it is kept, "
		  "`conclave fleet pending --resume` sends it when they are back",
		what, p->command, held, needed);
	return held + d->denied == p->count ? CV_ERR_DENIED : CV_ERR_TOO_FEW;
}

enum cv_err pending_drive(struct context *ctx, cJSON *result, struct session *s, struct pending *p,
	const char *did, uint64_t wait_s)
{
	struct drive d = {.p = p, .s = s, .did = did, .start_ms = clock_monotonic_ms()};
	enum cv_err err = op_http_init();

	list_gateways(&d, result);
	if (err == CV_OK)
		err = run(ctx, &d, wait_s);
	return err == CV_OK ? report(ctx, result, &d) : err;
}
