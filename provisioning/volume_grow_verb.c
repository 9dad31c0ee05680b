/* `volume grow`: more room in a volume. */
#include "fs/grow.h"

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/progress.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {
	{"size", OPTION_TEXT, "SIZE", "the new size (that of the file or device as it is now)"},
	VOLUME_OPTION_RECOVERY_FD,
	VOLUME_OPTION_KEY_FD,
};

static enum cv_err volume_grow_run(struct context *ctx)
{
	struct volume_why why = {""};
	struct volume *volume = NULL;
	struct progress progress;
	uint64_t size = 0, before;
	enum cv_err err = option_size(ctx, "size", &size), closed;

	if (err == CV_OK)
		err = volume_open_with_key(&volume, ctx, ctx->args[0], false);
	if (err != CV_OK)
		return err;
	before = volume_size(volume);
	progress_begin(&progress, "grow", true);
	err = volume_grow(volume, size, progress_show, &progress, &why);
	progress_end(&progress);
	size = volume_size(volume);
	closed = volume_close(volume);
	if (err != CV_OK || closed != CV_OK)
		return volume_failed_at(ctx->args[0], "grow", err != CV_OK ? err : closed, &why);
	cJSON_AddNumberToObject(ctx->result, "size_before", (double)before);
	cJSON_AddNumberToObject(ctx->result, "size", (double)size);
	say(ctx, "volume %s: %llu bytes, %llu before", ctx->args[0], (unsigned long long)size,
		(unsigned long long)before);
	return CV_OK;
}

const struct verb verb_volume_grow = {
	.noun = "volume",
	.name = "grow",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "make a volume larger\n"
		   "A file is made longer if it must be; a device must have grown before. Never makes\n"
		   "a volume smaller. Cut off at any moment it leaves the old size or the new one.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_grow_run,
};
