/* `volume header-restore`: writes a copy of the superblocks back. */
#include "fs/header.h"

#include "host/secret.h"
#include "provisioning/options.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {
	{"accept-older", OPTION_FLAG, NULL,
		"go back to the backup's state, losing what came later"},
	VOLUME_OPTION_RECOVERY_FD,
	VOLUME_OPTION_KEY_FD,
};

static enum cv_err volume_header_restore_run(struct context *ctx)
{
	struct volume_restore_options o = {.accept_older = option_flag(ctx, "accept-older")};
	struct volume_restore_report r = {.generation = 0};
	struct volume_why why = {""};
	uint8_t *key = NULL;
	enum cv_err err = volume_key_get(&key, ctx);

	if (err != CV_OK)
		return err;
	o.secret = key;
	err = volume_header_restore(ctx->args[0], ctx->args[1], &o, &r, &why);
	secret_free(key);
	if (err != CV_OK)
		return volume_failed(ctx->args[1], err, &why);
	cJSON_AddNumberToObject(ctx->result, "generation", (double)r.generation);
	cJSON_AddNumberToObject(ctx->result, "generation_before", (double)r.lost);
	say(ctx, "volume %s: superblocks of generation %llu are back", ctx->args[1],
		(unsigned long long)r.generation);
	if (r.lost > r.generation)
		say(ctx, "rolled back: generations %llu to %llu are lost",
			(unsigned long long)r.generation + 1, (unsigned long long)r.lost);
	return CV_OK;
}

const struct verb verb_volume_header_restore = {
	.noun = "volume",
	.name = "header-restore",
	.args = "BACKUP FILE",
	.args_min = 2,
	.args_max = 2,
	.summary = "write superblocks from a header-backup back into a volume\n"
		   "Refuses the backup of another volume, one that is older than what the container\n"
		   "shows, and one whose tree is not there any more. Needs the recovery code or the\n"
		   "unlock secret. A gateway's anchor may refuse the older state afterwards.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_header_restore_run,
};
