#include "provisioning/round.h"

#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "provisioning/op_http.h"
#include "provisioning/options.h"

enum cv_err round_init(struct round *r, const struct fleet *fleet, const struct share_set *set)
{
	enum cv_err err = op_http_init();

	memset(r, 0, sizeof(*r));
	r->errands = calloc(set->count, sizeof(*r->errands));
	if (r->errands == NULL)
		return CV_ERR_MEMORY;
	for (size_t i = 0; err == CV_OK && i < set->count; i++) {
		err = gateway_record_read(
			&r->errands[i].gateway, fleet, set->members[i].gateway);
		r->count = i + 1;
	}
	if (err != CV_OK)
		round_free(r);
	return err;
}

struct gathering {
	const struct fleet *fleet;
	struct round *round;
};

static enum cv_err gather(void *user, const char *id)
{
	struct gathering *g = user;
	struct round *r = g->round;
	struct op_errand *more = realloc(r->errands, (r->count + 1) * sizeof(*more));

	if (more == NULL)
		return CV_ERR_MEMORY;
	r->errands = more;
	memset(&more[r->count], 0, sizeof(*more));
	return gateway_record_read(&more[r->count++].gateway, g->fleet, id);
}

enum cv_err round_init_fleet(struct round *r, const struct fleet *fleet)
{
	struct gathering g = {fleet, r};
	enum cv_err err = op_http_init();

	memset(r, 0, sizeof(*r));
	if (err == CV_OK)
		err = fleet_each(fleet, "gateways", ".json", gather, &g);
	if (err == CV_OK && r->count == 0) {
		log_error("fleet %s: has no gateways", fleet->id);
		err = CV_ERR_NOT_FOUND;
	}
	if (err != CV_OK)
		round_free(r);
	return err;
}

enum cv_err round_set_body(struct round *r, const char *body)
{
	for (size_t i = 0; i < r->count; i++) {
		r->errands[i].body = strdup(body);
		if (r->errands[i].body == NULL)
			return CV_ERR_MEMORY;
	}
	return CV_OK;
}

static void report_one(struct context *ctx, cJSON *list, const struct op_errand *e, const char *did)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "gateway", e->gateway.id);
	cJSON_AddBoolToObject(item, "done", e->result.err == CV_OK);
	if (e->result.err != CV_OK)
		cJSON_AddStringToObject(item, "problem", e->result.problem);
	if (e->result.reason[0] != '\0')
		cJSON_AddStringToObject(item, "reason", e->result.reason);
	if (e->result.err == CV_OK)
		cJSON_AddNumberToObject(item, "revision", (double)e->result.state.revision);
	cJSON_AddItemToArray(list, item);
	if (e->result.err == CV_OK)
		say(ctx, "gateway %s: %s", e->gateway.id, did);
	else
		log_error("gateway %s: %s", e->gateway.id, e->result.problem);
}

void round_run(struct round *r, struct context *ctx, const struct op_client *client,
	const char *command, const char *did)
{
	cJSON *list = cJSON_AddArrayToObject(ctx->result, "gateways");

	op_round(client, command, r->errands, r->count);
	for (size_t i = 0; i < r->count; i++) {
		enum cv_err err = r->errands[i].result.err;

		r->done += err == CV_OK;
		r->denied += err == CV_ERR_DENIED;
		r->unreachable += err != CV_OK && err != CV_ERR_DENIED;
		report_one(ctx, list, &r->errands[i], did);
	}
}

enum cv_err round_shortfall(const struct round *r)
{
	return r->denied > 0 ? CV_ERR_DENIED : CV_ERR_TOO_FEW;
}

const char *round_advice(const struct round *r)
{
	return r->denied > 0 ? "mend what was refused, then run this again"
			     : "run this again when the others are back";
}

void round_free(struct round *r)
{
	if (r->errands != NULL)
		op_errands_free(r->errands, r->count);
	memset(r, 0, sizeof(*r));
}

enum cv_err round_of_device(
	struct context *ctx, struct session *s, const char *command, const char *body)
{
	struct round r;
	enum cv_err err = round_init(&r, &s->fleet, &s->record.set);

	if (err != CV_OK)
		return err;
	err = round_set_body(&r, body);
	if (err == CV_OK) {
		round_run(&r, ctx, &s->client, command, "has it");
		if (r.done < r.count) {
			log_error("device %s: %zu of %zu gateways have it: %s", s->record.id,
				r.done, r.count, round_advice(&r));
			err = round_shortfall(&r);
		}
	}
	round_free(&r);
	return err;
}

char *round_device_body(const char *device, const char *reason)
{
	cJSON *doc = cJSON_CreateObject();
	char *text = NULL;

	if (cJSON_AddStringToObject(doc, "device", device) != NULL &&
		(reason == NULL || cJSON_AddStringToObject(doc, "reason", reason) != NULL))
		text = cJSON_PrintUnformatted(doc);
	cJSON_Delete(doc);
	return text;
}
