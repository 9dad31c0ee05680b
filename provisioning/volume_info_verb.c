/* `volume info`: what the container shows without a key. */
#include "host/log.h"
#include "protocol/base64url.h"
#include "provisioning/options.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const char *kind_name(enum volume_slot_kind kind)
{
	switch (kind) {
	case VOLUME_SLOT_EMPTY:
		return "empty";
	case VOLUME_SLOT_SHARE_SET:
		return "share-set";
	case VOLUME_SLOT_RECOVERY:
		return "recovery";
	}
	return "unknown";
}

static void report_slot(struct context *ctx, cJSON *slots, const struct volume_slot_info *slot)
{
	char hash[HEX_BUF(CV_HASH_BYTES)];
	cJSON *item = cJSON_CreateObject();

	hex_encode(hash, slot->share_set_hash, sizeof(slot->share_set_hash));
	cJSON_AddStringToObject(item, "kind", kind_name(slot->kind));
	cJSON_AddNumberToObject(item, "epoch", slot->epoch);
	cJSON_AddStringToObject(item, "share_set_hash", hash);
	cJSON_AddItemToArray(slots, item);
	say(ctx, "key slot     %s, epoch %u, share set %s", kind_name(slot->kind),
		(unsigned)slot->epoch, hash);
}

static const struct option_spec options[] = {VOLUME_OPTION_MIN_GENERATION};

static enum cv_err volume_info_run(struct context *ctx)
{
	struct volume_info info = {.version = 0};
	struct volume_why why = {""};
	char id[HEX_BUF(CV_VOLUME_ID_BYTES)];
	uint64_t oldest;
	cJSON *slots;
	enum cv_err err = volume_min_generation(&oldest, ctx);

	if (err != CV_OK)
		return err;
	err = volume_info(ctx->args[0], &info, &why);
	if (err != CV_OK)
		return volume_failed(ctx->args[0], err, &why);
	hex_encode(id, info.volume_id, sizeof(info.volume_id));
	cJSON_AddStringToObject(ctx->result, "volume_id", id);
	cJSON_AddNumberToObject(ctx->result, "version", info.version);
	cJSON_AddNumberToObject(ctx->result, "generation", (double)info.generation);
	cJSON_AddNumberToObject(ctx->result, "size_bytes", (double)info.size_bytes);
	cJSON_AddNumberToObject(ctx->result, "superblocks", info.superblocks);
	cJSON_AddBoolToObject(ctx->result, "in_use", info.in_use);
	cJSON_AddBoolToObject(ctx->result, "clean", info.clean);
	say(ctx, "volume id    %s", id);
	say(ctx, "format       %u", (unsigned)info.version);
	say(ctx, "generation   %llu", (unsigned long long)info.generation);
	say(ctx, "size         %llu bytes", (unsigned long long)info.size_bytes);
	say(ctx, "superblocks  %u of 4 are readable and newest", info.superblocks);
	say(ctx, "in use       %s", info.in_use ? "yes" : "no");
	say(ctx, "log          %s",
		info.clean ? "empty" : "may hold what the newest superblock does not");
	slots = cJSON_AddArrayToObject(ctx->result, "slots");
	for (size_t i = 0; i < VOLUME_KEY_SLOTS; i++)
		if (info.slots[i].kind != VOLUME_SLOT_EMPTY)
			report_slot(ctx, slots, &info.slots[i]);
	say(ctx, "none of this is authenticated: that takes the key (`conclave volume check`)");
	if (info.generation >= oldest)
		return CV_OK;
	log_error("volume %s: generation %llu is older than %llu, the oldest allowed", ctx->args[0],
		(unsigned long long)info.generation, (unsigned long long)oldest);
	return CV_ERR_TOO_OLD;
}

const struct verb verb_volume_info = {
	.noun = "volume",
	.name = "info",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "show what a volume tells without a key",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_info_run,
};
