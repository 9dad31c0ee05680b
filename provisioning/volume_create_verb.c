/* `volume create`: a volume without a device, for tests and for data that only a code opens. */
#include <string.h>

#include "host/log.h"
#include "host/recovery_code.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "provisioning/options.h"
#include "provisioning/progress.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {
	{"size", OPTION_TEXT, "SIZE", "of the container (32MiB at least; needed for a file)"},
	{"full", OPTION_FLAG, NULL, "fill it with noise first, so that use does not show"},
	{"overwrite", OPTION_FLAG, NULL, "take a block device that is not empty"},
	{"no-recovery", OPTION_FLAG, NULL, "make no recovery code (then --key-fd is needed)"},
	{"recovery-out-fd", OPTION_TEXT, "N", "write the recovery code to descriptor N"},
	{"key-fd", OPTION_TEXT, "N", "read an unlock secret of 32 bytes from descriptor N"},
	{"volume-id", OPTION_TEXT, "HEX", "32 hex digits (else random)"},
	{"epoch", OPTION_TEXT, "N", "of the unlock secret's key slot (1)"},
};

struct secrets { /* secret_alloc */
	uint8_t unlock[CV_SECRET_BYTES];
	uint8_t recovery[RECOVERY_CODE_BYTES];
	char code[RECOVERY_CODE_BUF];
};

static enum cv_err read_id(struct volume_create_options *o, const struct context *ctx)
{
	const char *text = option_text(ctx, "volume-id");

	if (text == NULL)
		return crypto_random(o->volume_id, sizeof(o->volume_id));
	if (hex_decode(o->volume_id, sizeof(o->volume_id), text, strlen(text)) == CV_OK)
		return CV_OK;
	log_error("--volume-id: %s: 32 lower-case hex digits", text);
	return CV_ERR_ARGUMENT;
}

/* Without --key-fd the unlock secret is thrown away, and only the recovery code opens. */
static enum cv_err make_secrets(
	struct secrets *s, struct volume_create_options *o, const struct context *ctx)
{
	int fd = -1;
	enum cv_err err = option_fd(ctx, "key-fd", &fd);

	if (err == CV_OK && fd < 0 && option_flag(ctx, "no-recovery")) {
		log_error("volume create: nothing would open it: give --key-fd, or leave out "
			  "--no-recovery");
		return CV_ERR_ARGUMENT;
	}
	if (err == CV_OK)
		err = fd >= 0 ? volume_key_read(s->unlock, fd)
			      : crypto_random(s->unlock, sizeof(s->unlock));
	if (err == CV_OK && !option_flag(ctx, "no-recovery")) {
		err = crypto_random(s->recovery, sizeof(s->recovery));
		if (err == CV_OK)
			err = recovery_code_text(s->code, s->recovery);
		o->recovery_code = s->recovery;
	}
	o->unlock_secret = s->unlock;
	return err;
}

static enum cv_err create(struct volume_create_options *o, const struct context *ctx)
{
	struct progress progress;
	struct volume_why why = {""};
	enum cv_err err;

	progress_begin(&progress, "create", true);
	o->progress = progress_show;
	o->user = &progress;
	err = volume_create(ctx->args[0], o, &why);
	progress_end(&progress);
	return err == CV_OK ? CV_OK : volume_failed(ctx->args[0], err, &why);
}

static enum cv_err volume_create_run(struct context *ctx)
{
	struct volume_create_options o = {.full = option_flag(ctx, "full"),
		.overwrite = option_flag(ctx, "overwrite")};
	char id[HEX_BUF(CV_VOLUME_ID_BYTES)];
	struct secrets *s = secret_alloc(sizeof(*s));
	uint64_t epoch = 1;
	enum cv_err err = CV_ERR_MEMORY;

	if (s == NULL) {
		log_error("volume create: %s", secret_last_error());
		return err;
	}
	err = option_size(ctx, "size", &o.size_bytes);
	if (err == CV_OK)
		err = option_uint(ctx, "epoch", 1, UINT32_MAX, &epoch);
	o.epoch = (uint32_t)epoch;
	if (err == CV_OK)
		err = read_id(&o, ctx);
	if (err == CV_OK)
		err = make_secrets(s, &o, ctx);
	if (err == CV_OK)
		err = create(&o, ctx);
	if (err == CV_OK && o.recovery_code != NULL)
		err = secret_text_show(
			ctx, "recovery-out-fd", "recovery_code", "recovery code  ", s->code);
	if (err == CV_OK) {
		hex_encode(id, o.volume_id, sizeof(o.volume_id));
		cJSON_AddStringToObject(ctx->result, "volume_id", id);
		say(ctx, "volume %s, id %s", ctx->args[0], id);
	}
	secret_free(s);
	return err;
}

const struct verb verb_volume_create = {
	.noun = "volume",
	.name = "create",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "make a volume that belongs to no device\n"
		   "`device add` makes the volume of a device. This one is opened by its recovery\n"
		   "code, or by the secret given with --key-fd.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_create_run,
};
