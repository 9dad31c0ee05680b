/* `gateway address`: where a gateway is reached now. */
#include <string.h>

#include "provisioning/gateway_record.h"
#include "provisioning/options.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"address", OPTION_TEXT, "HOST:PORT", "where devices reach it"},
	{"operators", OPTION_TEXT, "HOST:PORT", "where operators reach it"},
};

static enum cv_err gateway_address_run(struct context *ctx)
{
	const char *address = option_text(ctx, "address");
	const char *operators = option_text(ctx, "operators");
	struct gateway_record r;
	struct fleet fleet;
	enum cv_err err = fleet_open(&fleet, ctx, true);

	if (err != CV_OK)
		return err;
	err = gateway_record_read(&r, &fleet, ctx->args[0]);
	if (err == CV_OK && address != NULL)
		err = gateway_address_parse(r.address, address, "--address");
	if (err == CV_OK && operators != NULL)
		err = gateway_address_parse(r.operators, operators, "--operators");
	if (err == CV_OK && (address != NULL || operators != NULL))
		err = gateway_record_write(&r, &fleet);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "gateway", r.id);
		cJSON_AddStringToObject(ctx->result, "address", r.address);
		cJSON_AddStringToObject(ctx->result, "operators", r.operators);
		say(ctx, "gateway %s: devices %s, operators %s", r.id,
			r.address[0] != '\0' ? r.address : "-",
			r.operators[0] != '\0' ? r.operators : "-");
	}
	fleet_close(&fleet);
	return err;
}

const struct verb verb_gateway_address = {
	.noun = "gateway",
	.name = "address",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "show or change where a gateway is reached\n"
		   "Devices keep addresses of their own, in gateways.json of their state.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = gateway_address_run,
};
