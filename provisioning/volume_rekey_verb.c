/* `volume rekey`: a new volume key and a new data key, and everything sealed anew. */
#include "fs/rekey.h"

#include <limits.h>
#include <stdlib.h>

#include "host/log.h"
#include "host/secret.h"
#include "provisioning/options.h"
#include "provisioning/progress.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {
	VOLUME_OPTION_RECOVERY_FD,
	VOLUME_OPTION_KEY_FD,
	{"also-key-fd", OPTION_LIST, "N", "32 bytes of a further key slot's secret; repeatable"},
	{"drop-others", OPTION_FLAG, NULL, "drop the key slots whose secret is not given"},
	{"data-only", OPTION_FLAG, NULL, "keep the volume key: whoever opens it now still can"},
	{"begin-only", OPTION_FLAG, NULL, "take the new keys; the rest is done by the next run"},
	{"rate", OPTION_TEXT, "SIZE", "at most so many bytes a second"},
};

struct keys {
	uint8_t *secret[VOLUME_KEY_SLOTS];
	unsigned count;
};

static enum cv_err take(struct keys *k, uint8_t *secret)
{
	if (k->count == VOLUME_KEY_SLOTS) {
		secret_free(secret);
		log_error("volume rekey: more secrets than a volume has key slots");
		return CV_ERR_ARGUMENT;
	}
	k->secret[k->count++] = secret;
	return CV_OK;
}

static enum cv_err take_descriptor(struct keys *k, const char *text)
{
	uint8_t *secret = secret_alloc(CV_SECRET_BYTES);
	char *end = NULL;
	long fd = strtol(text, &end, 10);
	enum cv_err err = CV_ERR_ARGUMENT;

	if (secret == NULL) {
		log_error("key: %s", secret_last_error());
		return CV_ERR_MEMORY;
	}
	if (*text == '\0' || *end != '\0' || fd < 0 || fd > INT_MAX)
		log_error("--also-key-fd: %s: not a descriptor", text);
	else
		err = volume_key_read(secret, (int)fd);
	if (err == CV_OK)
		return take(k, secret);
	secret_free(secret);
	return err;
}

/* The first one opens the volume. */
static enum cv_err get_keys(struct keys *k, const struct context *ctx)
{
	const struct option_value *more = option_list(ctx, "also-key-fd");
	uint8_t *secret = NULL;
	enum cv_err err = volume_key_get(&secret, ctx);

	if (err == CV_OK)
		err = take(k, secret);
	secret = NULL;
	/* without --key-fd the recovery code was the first */
	if (err == CV_OK && option_text(ctx, "key-fd") != NULL)
		err = volume_recovery_get(&secret, ctx);
	if (err == CV_OK && secret != NULL)
		err = take(k, secret);
	for (size_t i = 0; err == CV_OK && more != NULL && i < more->count; i++)
		err = take_descriptor(k, more->text[i]);
	return err;
}

static enum cv_err begin(struct context *ctx, struct volume *volume, const struct keys *k,
	struct volume_rekey_report *r, struct volume_why *why)
{
	struct volume_rekey_options o = {.drop_others = option_flag(ctx, "drop-others")};
	enum cv_err err;

	if (volume_rekey_runs(volume)) {
		say(ctx, "a rekey is under way: going on with it");
		return CV_OK;
	}
	for (unsigned i = 0; i < k->count && !option_flag(ctx, "data-only"); i++)
		o.secrets[o.secret_count++] = k->secret[i];
	err = volume_rekey_begin(volume, &o, r, why);
	if (err != CV_OK)
		return err;
	cJSON_AddNumberToObject(ctx->result, "slots_kept", r->kept);
	cJSON_AddNumberToObject(ctx->result, "slots_dropped", r->dropped);
	if (o.secret_count > 0)
		say(ctx, "new volume key: %u key slots wrap it, %u are dropped", r->kept,
			r->dropped);
	return CV_OK;
}

static enum cv_err work(struct context *ctx, struct volume *volume, uint64_t rate,
	struct volume_rekey_report *r, struct volume_why *why)
{
	struct progress progress;
	enum cv_err err;

	if (option_flag(ctx, "begin-only"))
		return CV_OK;
	progress_begin(&progress, "rekey", false);
	err = volume_rekey_run(volume, rate, progress_show, &progress, r, why);
	progress_end(&progress);
	cJSON_AddNumberToObject(ctx->result, "blocks", (double)r->blocks);
	cJSON_AddNumberToObject(ctx->result, "nodes", (double)r->nodes);
	cJSON_AddNumberToObject(ctx->result, "damaged", (double)r->damaged);
	cJSON_AddNumberToObject(ctx->result, "keys_dropped", r->keys_dropped);
	say(ctx, "%llu blocks sealed anew, %u old data keys dropped",
		(unsigned long long)r->blocks, r->keys_dropped);
	return err;
}

static enum cv_err volume_rekey_run_verb(struct context *ctx)
{
	struct volume_open_options o = {.read_only = false};
	struct volume_rekey_report r = {.kept = 0};
	struct volume_why why = {""};
	struct volume *volume = NULL;
	struct keys k = {.count = 0};
	uint64_t rate = 0;
	enum cv_err err = option_size(ctx, "rate", &rate), closed;

	if (err == CV_OK)
		err = get_keys(&k, ctx);
	if (err == CV_OK) {
		o.secret = k.secret[0];
		err = volume_open(&volume, ctx->args[0], &o, &why);
		if (err != CV_OK)
			err = volume_failed(ctx->args[0], err, &why);
	}
	if (err == CV_OK) {
		err = begin(ctx, volume, &k, &r, &why);
		if (err == CV_OK)
			err = work(ctx, volume, rate, &r, &why);
		cJSON_AddBoolToObject(ctx->result, "under_way", volume_rekey_runs(volume));
		closed = volume_close(volume);
		err = err != CV_OK ? err : closed;
		if (err != CV_OK)
			err = volume_failed_at(ctx->args[0], "rekey", err, &why);
	}
	while (k.count > 0)
		secret_free(k.secret[--k.count]);
	return err;
}

const struct verb verb_volume_rekey = {
	.noun = "volume",
	.name = "rekey",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "give a volume a new volume key and a new data key, and seal everything anew\n"
		   "Locks out whoever holds old shares and an old copy of the container's header. Every\n"
		   "key slot whose secret is not given is lost: that needs --drop-others. Cut off or\n"
		   "stopped it goes on with the next run, or while the volume is mounted.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_rekey_run_verb,
};
