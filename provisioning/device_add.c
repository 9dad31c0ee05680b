/* `device add`: deals a device's shares, makes its volume, and enrols it at its gateways. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/settings.h"
#include "protocol/settings_rules.h"
#include "provisioning/deal.h"
#include "provisioning/device_record.h"
#include "provisioning/device_volume.h"
#include "provisioning/mcu_image.h"
#include "provisioning/options.h"
#include "provisioning/policy_build.h"
#include "provisioning/push.h"
#include "provisioning/staging.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {
	{"gateways", OPTION_TEXT, "A,B,C", "who holds the shares (needed)"},
	{"threshold", OPTION_TEXT, "K", "how many of them must release (needed)"},
	{"insecure-single", OPTION_FLAG, NULL, "allow a threshold of 1"},
	{"volume", OPTION_TEXT, "FILE", "the container to make: a new file, or a block device"},
	{"size", OPTION_TEXT, "SIZE", "of the container"},
	{"import", OPTION_TEXT, "DIR", "copy what is in DIR into the volume"},
	{"full", OPTION_FLAG, NULL, "fill the container with noise first"},
	{"no-recovery", OPTION_FLAG, NULL, "make no recovery code: K gateways or nothing"},
	{"recovery-out-fd", OPTION_TEXT, "N", "write the recovery code to descriptor N"},
	{"passphrase-out-fd", OPTION_TEXT, "N", "write the bundle's passphrase to descriptor N"},
	{"mcu", OPTION_FLAG, NULL, "a microcontroller: sealed settings instead of a volume"},
	{"tpm", OPTION_FLAG, NULL, "a device with a TPM 2.0: not built yet, exit code 4"},
	{"settings", OPTION_TEXT, "FILE", "with --mcu: what to seal, a JSON object"},
	{"image", OPTION_TEXT, "FILE", "with --mcu: also write its store partition, keys in clear"},
	{"state-dir", OPTION_TEXT, "DIR", "also write the device's files there, keys in clear"},
	{"online", OPTION_FLAG, NULL, "send the packages now (this is the default)"},
	{"offline", OPTION_FLAG, NULL, "only write the packages, to be carried or pushed later"},
	POLICY_OPTIONS,
};

struct add {
	struct fleet fleet;
	struct operator op;
	struct passphrase passphrase;
	struct deal_plan plan;
	struct device_volume volume;
	struct device_record record;
	struct deal_secrets *secrets; /* NULL once wiped */
	struct bundle bundle;
	struct staging staging;
	uint8_t *settings; /* secret_alloc */
	bool mcu;
};

static enum cv_err read_gateways(struct add *a, const struct context *ctx)
{
	const char *list = option_text(ctx, "gateways");
	struct deal_plan *plan = &a->plan;

	while (list != NULL && *list != '\0') {
		size_t len = strcspn(list, ",");
		char id[CV_ID_BUF];
		enum cv_err err;

		if (plan->count == CV_MEMBERS_MAX || len == 0 || len > CV_ID_MAX) {
			log_error("--gateways: up to %d ids, joined by commas", CV_MEMBERS_MAX);
			return CV_ERR_ARGUMENT;
		}
		memcpy(id, list, len);
		id[len] = '\0';
		for (size_t i = 0; i < plan->count; i++)
			if (strcmp(plan->gateways[i].id, id) == 0) {
				log_error("--gateways: %s is there twice", id);
				return CV_ERR_ARGUMENT;
			}
		err = gateway_record_read(&plan->gateways[plan->count], &a->fleet, id);
		if (err != CV_OK)
			return err;
		if (plan->gateways[plan->count].address[0] == '\0')
			log_warning("gateway %s: no address for devices is known: put it into the "
				    "device's gateways.json",
				id);
		plan->count++;
		list += len + (list[len] == ',');
	}
	if (plan->count > 0)
		return CV_OK;
	log_error("device add: --gateways is missing: who holds the shares");
	return CV_ERR_ARGUMENT;
}

static enum cv_err read_threshold(struct add *a, const struct context *ctx)
{
	uint64_t k = 0;
	enum cv_err err = option_uint(ctx, "threshold", 1, CV_MEMBERS_MAX, &k);

	if (err != CV_OK)
		return err;
	if (k == 0 || k > a->plan.count) {
		log_error("device add: --threshold: must be at most the %zu gateways", a->plan.count);
		return CV_ERR_ARGUMENT;
	}
	if (k < CV_THRESHOLD_MIN && !option_flag(ctx, "insecure-single")) {
		log_error("device add: --threshold 1: one gateway alone would unlock it: if that is "
			  "meant, add --insecure-single");
		return CV_ERR_ARGUMENT;
	}
	a->plan.threshold = (size_t)k;
	return CV_OK;
}

static enum cv_err read_settings(struct add *a, const struct context *ctx)
{
	const char *path = option_text(ctx, "settings");
	struct settings_rules rules;
	size_t len = 0;
	int fd;
	enum cv_err err = CV_OK;

	a->settings = secret_alloc(SETTINGS_PLAIN_MAX + 1);
	if (a->settings == NULL)
		return CV_ERR_MEMORY;
	if (path == NULL) {
		len = (size_t)snprintf((char *)a->settings, SETTINGS_PLAIN_MAX,
			"{\"v\":1,\"device\":\"%s\"}", a->plan.device);
	} else {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		err = fd < 0 ? CV_ERR_NOT_FOUND
			     : file_read_descriptor(fd, a->settings, SETTINGS_PLAIN_MAX, &len);
		if (fd >= 0)
			close(fd);
	}
	if (err == CV_OK)
		err = settings_rules_decode(&rules, (const char *)a->settings, len);
	if (err != CV_OK) {
		log_error("--settings: %s: must be a JSON object of at most %d bytes, its member "
			  "\"conclave\" as in docs/protocol.md section 12: %s",
			path != NULL ? path : "", SETTINGS_PLAIN_MAX, cv_err_text(err));
		err = CV_ERR_CONFIG;
	}
	a->plan.settings = a->settings;
	a->plan.settings_len = len;
	return err;
}

static enum cv_err refuse_with_mcu(const struct context *ctx)
{
	static const char *const names[] = {"volume", "size", "import", "full", "recovery-out-fd"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (option_list(ctx, names[i])->count > 0) {
			log_error("--%s: a microcontroller has no volume", names[i]);
			return CV_ERR_ARGUMENT;
		}
	return CV_OK;
}

/* Everything that can be wrong is found here, before anything is made. */
static enum cv_err read_plan(struct add *a, const struct context *ctx)
{
	struct deal_plan *plan = &a->plan;
	enum cv_err err;

	if (option_flag(ctx, "tpm")) {
		log_error("device add: --tpm: enrolling a TPM is not built into this version");
		return CV_ERR_NOT_BUILT;
	}
	a->mcu = option_flag(ctx, "mcu");
	if (!a->mcu && option_text(ctx, "image") != NULL) {
		log_error("--image: only a microcontroller (--mcu) has a store partition");
		return CV_ERR_ARGUMENT;
	}
	plan->fleet = &a->fleet;
	plan->op = &a->op;
	plan->epoch = 1;
	plan->trust_class = a->mcu ? TRUST_MICROCONTROLLER : TRUST_SOFTWARE;
	strcpy(plan->device, ctx->args[0]);
	err = read_gateways(a, ctx);
	if (err == CV_OK)
		err = read_threshold(a, ctx);
	if (err == CV_OK)
		err = policy_build(ctx, plan->policy, &plan->policy_len);
	if (err == CV_OK)
		err = option_id(ctx, "group", plan->group);
	if (err == CV_OK && a->mcu)
		err = refuse_with_mcu(ctx);
	if (err == CV_OK)
		err = a->mcu ? read_settings(a, ctx)
			     : device_volume_plan(&a->volume, ctx, plan->device);
	if (err == CV_OK)
		err = operator_open(&a->op, &a->fleet, ctx, &a->passphrase, OP_ROLE_DEAL);
	if (err == CV_OK && opcert_allows(&a->op.cert, OP_ROLE_ENROL, 0) != CV_OK) {
		log_error("operator %s: has not the role `enrol`", a->op.name);
		err = CV_ERR_ROLE;
	}
	return err;
}

static enum cv_err write_in(const struct staging *s, const char *name, const void *data, size_t len)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = staging_path(s, path, name);

	return err == CV_OK ? file_write_new(path, data, len, 0644) : err;
}

static enum cv_err stage_files(struct add *a)
{
	const struct bundle_file *document;
	char path[FILE_PATH_BUF];
	uint8_t *sealed = NULL;
	size_t len = 0;
	enum cv_err err = staging_make_dir(&a->staging, "packages");

	if (err == CV_OK)
		err = staging_path(&a->staging, path, "packages");
	if (err == CV_OK)
		err = deal_write_packages(&a->plan, a->secrets, path);
	if (err == CV_OK)
		err = deal_bundle(&a->bundle, &a->plan, a->secrets);
	if (err == CV_OK)
		err = bundle_seal(&sealed, &len, &a->bundle, a->secrets->passphrase);
	if (err == CV_OK)
		err = write_in(&a->staging, "bundle", sealed, len);
	free(sealed);
	if (err == CV_OK)
		err = write_in(&a->staging, "share-set.jws", a->plan.set_text, a->plan.set_len);
	if (err == CV_OK)
		err = write_in(&a->staging, "policy.json", a->plan.policy, a->plan.policy_len);
	document = bundle_find(&a->bundle, "device.json");
	if (err == CV_OK)
		err = document == NULL ? CV_ERR_INTERNAL
				       : write_in(&a->staging, document->name, document->data,
						 document->len);
	if (err == CV_OK)
		err = device_record_write(a->staging.dir, &a->record);
	return err;
}

static enum cv_err stage(struct add *a)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(&a->fleet, path, "devices/%s", a->plan.device);

	if (err == CV_OK)
		err = staging_begin(&a->staging, path);
	if (err == CV_OK)
		err = deal_make(&a->plan, a->secrets);
	if (err != CV_OK)
		goto out;
	strcpy(a->record.id, a->plan.device);
	a->record.trust_class = a->plan.trust_class;
	strcpy(a->record.volume, a->volume.path);
	a->record.created_s = (uint64_t)clock_wall_s();
	a->record.set = a->plan.set;
	err = stage_files(a);
out:
	if (err != CV_OK)
		log_error("device %s: %s: nothing was added", a->plan.device, cv_err_text(err));
	return err;
}

/* The directory that `conclave-device install` would make, for those who flash it themselves. */
static enum cv_err write_state_dir(const struct bundle *bundle, const char *dir)
{
	struct staging s = {.dir = ""};
	char path[FILE_PATH_BUF];
	enum cv_err err = staging_begin(&s, dir);

	if (err == CV_OK)
		err = staging_make_dir(&s, "roots");
	for (size_t i = 0; err == CV_OK && i < bundle->count; i++) {
		err = staging_path(&s, path, bundle->files[i].name);
		if (err == CV_OK)
			err = file_write_new(
				path, bundle->files[i].data, bundle->files[i].len, 0600);
	}
	if (err == CV_OK)
		err = staging_commit(&s);
	if (err != CV_OK)
		log_error("--state-dir: %s: %s", dir, cv_err_text(err));
	else
		log_warning("%s holds the device's keys in clear: flash it, then remove it", dir);
	staging_abort(&s);
	return err;
}

/* Shown before the device is in place: a code that was never shown would be lost. */
static enum cv_err show_secrets(struct add *a, struct context *ctx)
{
	const char *dir = option_text(ctx, "state-dir");
	const char *image = option_text(ctx, "image");
	enum cv_err err = CV_OK;

	if (a->volume.recovery)
		err = secret_text_show(ctx, "recovery-out-fd", "recovery_code",
			"recovery code (shown once)      ", a->secrets->recovery_text);
	if (err == CV_OK)
		err = secret_text_show(ctx, "passphrase-out-fd", "bundle_passphrase",
			"bundle passphrase (shown once)  ", a->secrets->passphrase);
	if (err == CV_OK && dir != NULL)
		err = write_state_dir(&a->bundle, dir);
	if (err == CV_OK && image != NULL)
		err = mcu_image_write(&a->bundle, image);
	return err;
}

static enum cv_err make(struct add *a, struct context *ctx)
{
	enum cv_err err;

	a->secrets = secret_alloc(sizeof(*a->secrets));
	if (a->secrets == NULL) {
		log_error("device add: %s", secret_last_error());
		return CV_ERR_MEMORY;
	}
	err = stage(a);
	if (err == CV_OK && !a->mcu)
		err = device_volume_make(&a->volume, ctx, &a->plan, a->secrets);
	if (err == CV_OK)
		err = show_secrets(a, ctx);
	secret_free(a->secrets);
	a->secrets = NULL;
	bundle_wipe(&a->bundle);
	if (err == CV_OK) {
		err = staging_commit(&a->staging);
		if (err != CV_OK)
			log_error("device %s: %s: nothing was added", a->plan.device,
				cv_err_text(err));
		else
			a->volume.made = false; /* from here on it belongs to the device */
	}
	device_volume_abort(&a->volume);
	staging_abort(&a->staging);
	return err;
}

static void report(const struct add *a, struct context *ctx)
{
	const struct device_record *r = &a->record;
	char id[HEX_BUF(CV_VOLUME_ID_BYTES)], bundle[FILE_PATH_BUF];

	hex_encode(id, r->set.volume_id, sizeof(r->set.volume_id));
	if (fleet_path(&a->fleet, bundle, "devices/%s/bundle", r->id) != CV_OK)
		return;
	cJSON_AddStringToObject(ctx->result, "device", r->id);
	cJSON_AddStringToObject(ctx->result, "volume", r->volume);
	cJSON_AddStringToObject(ctx->result, "volume_id", id);
	cJSON_AddNumberToObject(ctx->result, "threshold", r->set.threshold);
	cJSON_AddNumberToObject(ctx->result, "members", r->set.count);
	cJSON_AddStringToObject(ctx->result, "trust_class", trust_class_name(r->trust_class));
	cJSON_AddStringToObject(ctx->result, "bundle", bundle);
	say(ctx, "device %s: %u of %u gateways unlock it; trust class %s", r->id,
		(unsigned)r->set.threshold, (unsigned)r->set.count,
		trust_class_name(r->trust_class));
	say(ctx, "bundle %s: on the device, `conclave-device install` takes it", bundle);
}

static enum cv_err finish(struct add *a, struct context *ctx)
{
	struct op_client client = {.fleet = &a->fleet, .op = &a->op};
	enum cv_err err = device_volume_commit(a->record.volume, a->record.id);

	if (err != CV_OK)
		return err;
	report(a, ctx);
	if (option_flag(ctx, "offline")) {
		say(ctx, "packages are in %s/devices/%s/packages: `conclave device push %s` sends "
			 "them",
			a->fleet.dir, a->record.id, a->record.id);
		return CV_OK;
	}
	return push_packages(ctx, &client, &a->record, NULL);
}

/* The device is there: go on where an earlier run stopped. */
static enum cv_err resume(struct add *a, struct context *ctx)
{
	enum cv_err err = device_record_read(&a->record, &a->fleet, ctx->args[0]);

	if (err != CV_OK)
		return err;
	log_warning("device %s: is in the fleet already: its shares and keys stay, only what is "
		    "missing is done",
		a->record.id);
	err = operator_open(&a->op, &a->fleet, ctx, &a->passphrase, OP_ROLE_ENROL);
	return err == CV_OK ? finish(a, ctx) : err;
}

static enum cv_err device_add_run(struct context *ctx)
{
	struct add *a = calloc(1, sizeof(*a));
	enum cv_err err = a != NULL ? arg_id(ctx, 0, "device") : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = fleet_open(&a->fleet, ctx, true);
	if (err != CV_OK) {
		free(a);
		return err;
	}
	if (device_exists(&a->fleet, ctx->args[0])) {
		err = resume(a, ctx);
	} else {
		err = read_plan(a, ctx);
		if (err == CV_OK)
			err = make(a, ctx);
		if (err == CV_OK)
			err = finish(a, ctx);
	}
	operator_wipe(&a->op);
	passphrase_wipe(&a->passphrase);
	secret_free(a->settings);
	fleet_close(&a->fleet);
	free(a);
	return err;
}

const struct verb verb_device_add = {
	.noun = "device",
	.name = "add",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "deal a device's shares, make and fill its volume, enrol it\n"
		   "Run again with the same ID it goes on where it stopped. The recovery code and\n"
		   "the bundle's passphrase are shown once and kept nowhere.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = device_add_run,
};
