/* `device list`: the fleet's devices; with --gateway, those that a gateway holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"gateway", OPTION_TEXT, "ID", "ask this gateway which devices it holds"},
};

struct listing {
	struct context *ctx;
	const struct fleet *fleet;
	struct device_record record;
	cJSON *array;
};

static enum cv_err list_one(void *user, const char *id)
{
	struct listing *l = user;
	struct device_record *r = &l->record;
	char volume_id[HEX_BUF(CV_VOLUME_ID_BYTES)];
	cJSON *item;
	enum cv_err err;

	if (!device_exists(l->fleet, id))
		return CV_OK;
	err = device_record_read(r, l->fleet, id);
	if (err != CV_OK)
		return err;
	hex_encode(volume_id, r->set.volume_id, sizeof(r->set.volume_id));
	item = cJSON_CreateObject();
	cJSON_AddStringToObject(item, "device", id);
	cJSON_AddStringToObject(item, "trust_class", trust_class_name(r->trust_class));
	cJSON_AddNumberToObject(item, "threshold", r->set.threshold);
	cJSON_AddNumberToObject(item, "members", r->set.count);
	cJSON_AddStringToObject(item, "volume_id", volume_id);
	cJSON_AddStringToObject(item, "volume", r->volume);
	cJSON_AddItemToArray(l->array, item);
	say(l->ctx, "%-16s %u of %u  %-16s %s %s", id, (unsigned)r->set.threshold,
		(unsigned)r->set.count, trust_class_name(r->trust_class), volume_id, r->volume);
	return CV_OK;
}

static enum cv_err list_local(struct context *ctx)
{
	struct fleet fleet;
	struct listing *l = calloc(1, sizeof(*l));
	enum cv_err err = l != NULL ? fleet_open(&fleet, ctx, false) : CV_ERR_MEMORY;

	if (err != CV_OK) {
		free(l);
		return err;
	}
	l->ctx = ctx;
	l->fleet = &fleet;
	l->array = cJSON_AddArrayToObject(ctx->result, "devices");
	err = fleet_each(&fleet, "devices", "", list_one, l);
	fleet_close(&fleet);
	free(l);
	return err;
}

/* Copies one page into the result; `after` becomes its last id. */
static enum cv_err take_page(
	struct context *ctx, const cJSON *body, cJSON *array, char after[CV_ID_BUF], int *more)
{
	const cJSON *page = NULL, *item;
	size_t count = 0;
	char state[32], trust[32];
	uint64_t version = 0;
	enum cv_err err = json_get_array(body, "devices", &page, &count);

	if (err == CV_OK)
		err = json_get_bool(body, "more", more);
	cJSON_ArrayForEach(item, page)
	{
		if (err == CV_OK)
			err = json_get_id(item, "device", after);
		if (err == CV_OK)
			err = json_get_text(item, "state", state, sizeof(state));
		if (err == CV_OK)
			err = json_get_text(item, "trust_class", trust, sizeof(trust));
		if (err == CV_OK)
			err = json_get_u64(
				item, "policy_version", 0, CV_JSON_INTEGER_MAX, &version);
		if (err != CV_OK)
			break;
		say(ctx, "%-16s %-12s %-16s policy %llu", after, state, trust,
			(unsigned long long)version);
		cJSON_AddItemToArray(array, cJSON_Duplicate(item, 1));
	}
	if (err == CV_OK && *more && count == 0)
		err = CV_ERR_FORMAT; /* would never end */
	return err;
}

static enum cv_err list_remote(struct context *ctx, const char *gateway_id)
{
	struct session *s = NULL;
	struct gateway_record gateway;
	struct op_result result;
	char after[CV_ID_BUF] = "", body[CV_ID_BUF + 32];
	cJSON *array = cJSON_AddArrayToObject(ctx->result, "devices");
	int more = 1;
	enum cv_err err = session_open(&s, ctx, NULL, OP_ROLE_AUDIT);

	if (err == CV_OK)
		err = gateway_record_read(&gateway, &s->fleet, gateway_id);
	while (err == CV_OK && more) {
		if (after[0] != '\0')
			snprintf(body, sizeof(body), "{\"after\":\"%s\"}", after);
		else
			strcpy(body, "{}");
		err = op_call(&s->client, &gateway, "list", body, &result);
		if (err == CV_OK)
			err = take_page(ctx, result.body, array, after, &more);
		if (err != CV_OK)
			log_error("gateway %s: %s", gateway_id,
				result.problem[0] ? result.problem : cv_err_text(err));
		op_result_wipe(&result);
	}
	session_close(s);
	return err;
}

static enum cv_err device_list_run(struct context *ctx)
{
	const char *gateway = option_text(ctx, "gateway");

	return gateway != NULL ? list_remote(ctx, gateway) : list_local(ctx);
}

const struct verb verb_device_list = {
	.noun = "device",
	.name = "list",
	.args = "",
	.summary = "list the fleet's devices, or those that a gateway holds",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = device_list_run,
};
