/* `volume trim`: the space of free blocks goes back to what the container lies on. */
#include "fs/trim.h"

#include "provisioning/options.h"
#include "provisioning/progress.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {
	{"force", OPTION_FLAG, NULL, "also a volume that was made with --full"},
	VOLUME_OPTION_RECOVERY_FD,
	VOLUME_OPTION_KEY_FD,
};

static enum cv_err volume_trim_run(struct context *ctx)
{
	struct volume_trim_report r = {.bytes = 0};
	struct volume_why why = {""};
	struct volume *volume = NULL;
	struct progress progress;
	enum cv_err err = volume_open_with_key(&volume, ctx, ctx->args[0], false), closed;

	if (err != CV_OK)
		return err;
	progress_begin(&progress, "trim", true);
	err = volume_trim(volume, option_flag(ctx, "force"), progress_show, &progress, &r, &why);
	progress_end(&progress);
	closed = volume_close(volume);
	if (err != CV_OK || closed != CV_OK)
		return volume_failed_at(ctx->args[0], "trim", err != CV_OK ? err : closed, &why);
	cJSON_AddNumberToObject(ctx->result, "bytes", (double)r.bytes);
	cJSON_AddNumberToObject(ctx->result, "ranges", (double)r.ranges);
	say(ctx, "volume %s: %llu bytes in %llu ranges given back", ctx->args[0],
		(unsigned long long)r.bytes, (unsigned long long)r.ranges);
	return CV_OK;
}

const struct verb verb_volume_trim = {
	.noun = "volume",
	.name = "trim",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "give the space of free blocks back to the filesystem or device below\n"
		   "Whoever sees the container can see afterwards how much of it is in use, and where.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_trim_run,
};
