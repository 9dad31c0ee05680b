/* `volume compact`: everything to the front, and the rest given back. */
#include "fs/compact.h"

#include "provisioning/options.h"
#include "provisioning/progress.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {
	{"size", OPTION_TEXT, "SIZE", "make the volume so small, and a file with it"},
	VOLUME_OPTION_RECOVERY_FD,
	VOLUME_OPTION_KEY_FD,
};

static void report(struct context *ctx, const struct volume_compact_report *r)
{
	cJSON_AddNumberToObject(ctx->result, "blocks", (double)r->blocks);
	cJSON_AddNumberToObject(ctx->result, "nodes", (double)r->nodes);
	cJSON_AddNumberToObject(ctx->result, "end", (double)r->end);
	cJSON_AddNumberToObject(ctx->result, "size", (double)r->size);
	say(ctx, "volume %s: %llu blocks moved; in use up to byte %llu of %llu", ctx->args[0],
		(unsigned long long)r->blocks, (unsigned long long)r->end,
		(unsigned long long)r->size);
}

static enum cv_err volume_compact_run(struct context *ctx)
{
	struct volume_compact_report r = {.blocks = 0};
	struct volume_why why = {""};
	struct volume *volume = NULL;
	struct progress progress;
	uint64_t size = 0;
	enum cv_err err = option_size(ctx, "size", &size), closed;

	if (err == CV_OK)
		err = volume_open_with_key(&volume, ctx, ctx->args[0], false);
	if (err != CV_OK)
		return err;
	progress_begin(&progress, "compact", false);
	err = volume_compact(volume, size, progress_show, &progress, &r, &why);
	progress_end(&progress);
	report(ctx, &r);
	closed = volume_close(volume);
	if (err == CV_OK)
		err = closed;
	return err == CV_OK ? CV_OK : volume_failed_at(ctx->args[0], "compact", err, &why);
}

const struct verb verb_volume_compact = {
	.noun = "volume",
	.name = "compact",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "move what is in use to the front of a volume, and make it smaller\n"
		   "Without --size the volume keeps its size; `volume trim` then gives the end back.\n"
		   "Cut off at any moment everything is there, partly moved.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_compact_run,
};
