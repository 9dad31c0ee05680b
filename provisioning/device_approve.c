/* `device requests` and `device approve`: boots that wait for a person. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

#define NUMBER_MAX 9999999999u

/* One line for each request, however many gateways have it. */
static void take_requests(struct context *ctx, cJSON *all, const struct op_errand *e)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(e->result.body, "requests"), *item;

	cJSON_ArrayForEach(item, list)
	{
		char device[CV_ID_BUF], key[24], since[CLOCK_TEXT_BUF];
		uint64_t number = 0, first = 0;
		cJSON *known;

		if (json_get_u64(item, "request", 1, NUMBER_MAX, &number) != CV_OK ||
			json_get_id(item, "device", device) != CV_OK ||
			json_get_u64(item, "first", 0, CV_JSON_INTEGER_MAX, &first) != CV_OK)
			continue;
		snprintf(key, sizeof(key), "%llu", (unsigned long long)number);
		known = cJSON_GetObjectItemCaseSensitive(all, key);
		if (known == NULL) {
			known = cJSON_AddObjectToObject(all, key);
			cJSON_AddStringToObject(known, "device", device);
			cJSON_AddNumberToObject(known, "first", (double)first);
			cJSON_AddArrayToObject(known, "gateways");
			clock_format_utc(since, (int64_t)first);
			say(ctx, "%s device %s since %s", key, device, since);
		}
		cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(known, "gateways"),
			cJSON_CreateString(e->gateway.id));
	}
}

/* A round whose answers matter more than that there were some. */
static enum cv_err ask_all(
	struct round *r, struct session *s, const char *command, const char *body)
{
	enum cv_err err = round_init_fleet(r, &s->fleet);

	if (err == CV_OK)
		err = round_set_body(r, body);
	if (err == CV_OK)
		op_round(&s->client, command, r->errands, r->count);
	return err;
}

static enum cv_err device_requests_run(struct context *ctx)
{
	cJSON *all = cJSON_AddObjectToObject(ctx->result, "requests");
	struct round r = {.count = 0};
	struct session *s = NULL;
	enum cv_err err = session_open(&s, ctx, NULL, OP_ROLE_AUDIT);

	if (err == CV_OK)
		err = ask_all(&r, s, "requests", "{}");
	for (size_t i = 0; i < r.count; i++) {
		if (r.errands[i].result.err == CV_OK) {
			take_requests(ctx, all, &r.errands[i]);
			continue;
		}
		log_error("gateway %s: %s", r.errands[i].gateway.id, r.errands[i].result.problem);
		err = err == CV_OK ? CV_ERR_TOO_FEW : err;
	}
	round_free(&r);
	session_close(s);
	return err;
}

/* Enough of them let it pass, by what the fleet knows of the device. */
static enum cv_err judge(struct context *ctx, const struct session *s, const char *device,
	size_t granted, uint64_t number)
{
	struct device_record *record = calloc(1, sizeof(*record));
	enum cv_err err = record != NULL ? device_record_read(record, &s->fleet, device)
					 : CV_ERR_MEMORY;

	if (err == CV_OK) {
		const size_t needed = record->set.threshold;

		cJSON_AddStringToObject(ctx->result, "device", device);
		cJSON_AddNumberToObject(ctx->result, "holding", (double)granted);
		cJSON_AddNumberToObject(ctx->result, "needed", (double)needed);
		say(ctx,
			"device %s: %zu gateways let it pass once, within 15 minutes; %zu are needed",
			device, granted, needed);
		if (granted < needed) {
			log_error("request %llu: only %zu of %zu gateways that are needed have it: "
				  "try again after the device's next attempt",
				(unsigned long long)number, granted, needed);
			err = CV_ERR_TOO_FEW;
		}
	}
	free(record);
	return err;
}

static enum cv_err approve(struct context *ctx, struct session *s, uint64_t number)
{
	char body[64], device[CV_ID_BUF] = "", named[CV_ID_BUF];
	struct round r = {.count = 0};
	size_t granted = 0;
	enum cv_err err;

	snprintf(body, sizeof(body), "{\"request\":%llu}", (unsigned long long)number);
	err = ask_all(&r, s, "approve", body);
	for (size_t i = 0; err == CV_OK && i < r.count; i++) {
		const struct op_errand *e = &r.errands[i];

		if (e->result.err != CV_OK) {
			log_warning("gateway %s: %s", e->gateway.id, e->result.problem);
			continue;
		}
		if (json_get_id(e->result.body, "device", named) != CV_OK)
			continue;
		if (device[0] != '\0' && strcmp(device, named) != 0) {
			log_error("request %llu: gateways name different devices, %s and %s",
				(unsigned long long)number, device, named);
			err = CV_ERR_DENIED;
		}
		memcpy(device, named, sizeof(device));
		granted++;
		say(ctx, "gateway %s: lets it pass once", e->gateway.id);
	}
	if (err == CV_OK && granted == 0) {
		log_error("request %llu: no gateway has it: see `conclave device requests`",
			(unsigned long long)number);
		err = CV_ERR_DENIED;
	}
	if (err == CV_OK)
		err = judge(ctx, s, device, granted, number);
	round_free(&r);
	return err;
}

static enum cv_err device_approve_run(struct context *ctx)
{
	struct session *s = NULL;
	const char *text = ctx->args[0];
	char *end = NULL;
	const unsigned long long number = strtoull(text, &end, 10);
	enum cv_err err;

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || number == 0 || number > NUMBER_MAX) {
		log_error("device approve: %s: must be the number of a request", text);
		return CV_ERR_ARGUMENT;
	}
	err = session_open(&s, ctx, NULL, OP_ROLE_REVOKE);
	if (err == CV_OK)
		err = approve(ctx, s, number);
	session_close(s);
	return err;
}

const struct verb verb_device_requests = {
	.noun = "device",
	.name = "requests",
	.args = "",
	.summary = "list the boots that wait for an operator's approval\n"
		   "Exits 10 when a gateway could not be asked.",
	.run = device_requests_run,
};

const struct verb verb_device_approve = {
	.noun = "device",
	.name = "approve",
	.args = "REQUEST",
	.args_min = 1,
	.args_max = 1,
	.summary = "let the device of this request unlock, once, within 15 minutes\n"
		   "For its epoch and the unlock key of this boot, and no other.",
	.run = device_approve_run,
};
