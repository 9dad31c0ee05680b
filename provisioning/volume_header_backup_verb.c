/* `volume header-backup`: copies the superblocks, which hold the key slots. */
#include "provisioning/options.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static enum cv_err volume_header_backup_run(struct context *ctx)
{
	struct volume_why why = {""};
	enum cv_err err = volume_header_backup(ctx->args[0], ctx->args[1], &why);

	if (err != CV_OK)
		return volume_failed(ctx->args[0], err, &why);
	cJSON_AddStringToObject(ctx->result, "backup", ctx->args[1]);
	say(ctx, "the key slots and superblocks of %s are in %s: keep it elsewhere", ctx->args[0],
		ctx->args[1]);
	return CV_OK;
}

const struct verb verb_volume_header_backup = {
	.noun = "volume",
	.name = "header-backup",
	.args = "FILE BACKUP",
	.args_min = 2,
	.args_max = 2,
	.summary = "copy the superblocks of a volume to a file\n"
		   "Without superblocks a volume is lost; the copy holds nothing that the container\n"
		   "does not show.",
	.run = volume_header_backup_run,
};
