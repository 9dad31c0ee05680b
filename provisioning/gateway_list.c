/* `gateway list`: what the fleet's directory knows; asks nobody. */
#include "protocol/join.h"
#include "provisioning/gateway_record.h"
#include "provisioning/options.h"
#include "provisioning/verbs.h"

struct listing {
	struct context *ctx;
	const struct fleet *fleet;
	cJSON *array;
};

static enum cv_err list_one(void *user, const char *id)
{
	struct listing *l = user;
	struct gateway_record r;
	char text[FINGERPRINT_BUF];
	enum cv_err err = gateway_record_read(&r, l->fleet, id);
	cJSON *item;

	if (err != CV_OK)
		return err;
	fingerprint_text(text, r.fingerprint);
	item = cJSON_CreateObject();
	cJSON_AddStringToObject(item, "gateway", r.id);
	cJSON_AddStringToObject(item, "address", r.address);
	cJSON_AddStringToObject(item, "operators", r.operators);
	cJSON_AddStringToObject(item, "fingerprint", text);
	cJSON_AddItemToArray(l->array, item);
	say(l->ctx, "%-16s devices %-24s operators %-24s %s", r.id,
		r.address[0] != '\0' ? r.address : "-", r.operators[0] != '\0' ? r.operators : "-",
		text);
	return CV_OK;
}

static enum cv_err gateway_list_run(struct context *ctx)
{
	struct fleet fleet;
	struct listing l = {.ctx = ctx, .fleet = &fleet};
	enum cv_err err = fleet_open(&fleet, ctx, false);

	if (err != CV_OK)
		return err;
	l.array = cJSON_AddArrayToObject(ctx->result, "gateways");
	err = fleet_each(&fleet, "gateways", ".json", list_one, &l);
	fleet_close(&fleet);
	return err;
}

const struct verb verb_gateway_list = {
	.noun = "gateway",
	.name = "list",
	.args = "",
	.summary = "list the fleet's gateways, their addresses and fingerprints",
	.run = gateway_list_run,
};
