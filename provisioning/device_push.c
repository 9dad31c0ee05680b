/* `device push`: sends the enrolment packages that are there, byte for byte. */
#include "provisioning/options.h"
#include "provisioning/push.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"gateway", OPTION_TEXT, "ID", "only to this gateway"},
};

static enum cv_err device_push_run(struct context *ctx)
{
	struct session *s = NULL;
	enum cv_err err = session_open(&s, ctx, ctx->args[0], OP_ROLE_ENROL);

	if (err == CV_OK)
		err = push_packages(ctx, &s->client, &s->record, option_text(ctx, "gateway"));
	session_close(s);
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
