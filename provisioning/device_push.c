/* `device push`: sends the enrolment packages that are there, byte for byte. */
#include <stdlib.h>

#include "provisioning/options.h"
#include "provisioning/push.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"gateway", OPTION_TEXT, "ID", "only to this gateway"},
};

static enum cv_err device_push_run(struct context *ctx)
{
	struct device_record *record = calloc(1, sizeof(*record));
	struct passphrase passphrase = {NULL};
	struct operator op = {.keys = NULL};
	struct fleet fleet;
	struct op_client client = {.fleet = &fleet, .op = &op};
	enum cv_err err = record != NULL ? fleet_open(&fleet, ctx, false) : CV_ERR_MEMORY;

	if (err != CV_OK) {
		free(record);
		return err;
	}
	err = device_record_read(record, &fleet, ctx->args[0]);
	if (err == CV_OK)
		err = operator_open(&op, &fleet, ctx, &passphrase, OP_ROLE_ENROL);
	if (err == CV_OK)
		err = push_packages(ctx, &client, record, option_text(ctx, "gateway"));
	operator_wipe(&op);
	passphrase_wipe(&passphrase);
	fleet_close(&fleet);
	free(record);
	return err;
}

const struct verb verb_device_push = {
	.noun = "device",
	.name = "push",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "send a device's enrolment packages to its gateways\n"
		   "The same bytes each time, so it may be run until every gateway has its own.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = device_push_run,
};
