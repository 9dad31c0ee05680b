/* `volume import`: copies a directory into a volume. */
#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_fill.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {
	{"to", OPTION_TEXT, "PATH", "directory inside the volume (/)"},
	VOLUME_OPTION_RECOVERY_FD,
	VOLUME_OPTION_KEY_FD,
};

static enum cv_err volume_import_run(struct context *ctx)
{
	const char *target = option_text(ctx, "to");
	struct volume *volume = NULL;
	enum cv_err err = volume_open_with_key(&volume, ctx, ctx->args[0], false), closed;

	if (err != CV_OK)
		return err;
	err = volume_fill(ctx, volume, ctx->args[1], target != NULL ? target : "/");
	closed = volume_close(volume);
	if (closed != CV_OK)
		log_error("volume %s: the last changes may not be on disk: %s", ctx->args[0],
			cv_err_text(closed));
	return err != CV_OK ? err : closed;
}

const struct verb verb_volume_import = {
	.noun = "volume",
	.name = "import",
	.args = "FILE DIR",
	.args_min = 2,
	.args_max = 2,
	.summary = "copy what is in DIR into a volume\n"
		   "Needs the recovery code or the unlock secret; the volume must not be mounted.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_import_run,
};
