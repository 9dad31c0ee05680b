/* `device group`: which group's policy holds for a device, at all its gateways. */
#include <stdio.h>

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"none", OPTION_FLAG, NULL, "take it out of its group: only its own policy holds then"},
};

static enum cv_err send_all(struct context *ctx, struct session *s, const char *group)
{
	char body[2 * CV_ID_BUF + 32];

	snprintf(body, sizeof(body), "{\"device\":\"%s\",\"group\":\"%s\"}", s->record.id, group);
	return round_of_device(ctx, s, "group", body);
}

static enum cv_err device_group_run(struct context *ctx)
{
	const bool none = option_flag(ctx, "none");
	struct session *s = NULL;
	enum cv_err err = CV_OK;

	if (none == (ctx->arg_count == 2)) {
		log_error("device group: name either a group or --none");
		return CV_ERR_ARGUMENT;
	}
	if (!none)
		err = arg_id(ctx, 1, "group");
	if (err == CV_OK)
		err = session_open(&s, ctx, ctx->args[0], OP_ROLE_POLICY);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "device", ctx->args[0]);
		cJSON_AddStringToObject(ctx->result, "group", none ? "" : ctx->args[1]);
		err = send_all(ctx, s, none ? "" : ctx->args[1]);
	}
	session_close(s);
	return err;
}

const struct verb verb_device_group = {
	.noun = "device",
	.name = "group",
	.args = "ID [GROUP]",
	.args_min = 1,
	.args_max = 2,
	.summary = "put a device into a group, whose policy then holds for it\n"
		   "The device's own policy stays and can only narrow the group's.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = device_group_run,
};
