/*
 * `device add`: deals a device's shares, makes its volume, and enrols it at its gateways.
 * `device reenroll`: the same for a device that is there, in the place of what it had.
 */
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
#include "provisioning/device_add_state.h"
#include "provisioning/mcu_image.h"
#include "provisioning/options.h"
#include "provisioning/policy_build.h"
#include "provisioning/push.h"
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
	{"overwrite", OPTION_FLAG, NULL, "take a block device that is not empty"},
	{"no-recovery", OPTION_FLAG, NULL, "make no recovery code: K gateways or nothing"},
	{"recovery-out-fd", OPTION_TEXT, "N", "write the recovery code to descriptor N"},
	{"passphrase-out-fd", OPTION_TEXT, "N", "write the bundle's passphrase to descriptor N"},
	{"mcu", OPTION_FLAG, NULL, "a microcontroller: sealed settings instead of a volume"},
	{"tpm", OPTION_FLAG, NULL, "a device with a TPM 2.0, which must prove itself:"},
	{"request", OPTION_TEXT, "FILE",
		"with --tpm: what `conclave-device enroll --request` wrote"},
	{"challenge", OPTION_TEXT, "FILE", "with --request: write the challenge there, and end"},
	{"response", OPTION_TEXT, "FILE",
		"with --tpm: the device's answer to it; then add the device"},
	{"listen", OPTION_TEXT, "HOST:PORT",
		"with --tpm: do all of it online: wait there for the device"},
	{"token-out-fd", OPTION_TEXT, "N", "write the device's one-time token to descriptor N"},
	{"pcr", OPTION_LIST, "N[=HEX]", "demand this PCR value, or the one of the enrolment"},
	{"tpm-firmware", OPTION_LIST, "HEX", "demand one of these firmware versions of the TPM"},
	{"settings", OPTION_TEXT, "FILE", "with --mcu: what to seal, a JSON object"},
	{"image", OPTION_TEXT, "FILE", "with --mcu: also write its store partition, keys in clear"},
	{"state-dir", OPTION_TEXT, "DIR", "also write the device's files there, keys in clear"},
	{"online", OPTION_FLAG, NULL, "send the packages now (this is the default)"},
	{"offline", OPTION_FLAG, NULL, "only write the packages, to be carried or pushed later"},
	POLICY_OPTIONS,
};

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
	if (err == CV_OK && a->proof != NULL)
		err = enroll_record_write(a->staging.dir, a->proof);
	return err;
}

static enum cv_err stage(struct add *a)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(&a->fleet, path, "devices/%s", a->plan.device);

	if (err == CV_OK)
		err = a->again ? staging_begin_over(&a->staging, path)
			       : staging_begin(&a->staging, path);
	if (err == CV_OK)
		err = deal_make(&a->plan, a->secrets);
	if (err != CV_OK)
		goto out;
	strcpy(a->record.id, a->plan.device);
	a->record.trust_class = a->plan.trust_class;
	strcpy(a->record.volume, a->volume.path);
	a->record.created_s = (uint64_t)clock_wall_s();
	a->record.set = a->plan.set;
	a->record.reenrolled = a->again;
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
	if (err == CV_OK && a->proof == NULL)
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
		err = a->again ? staging_commit_over(&a->staging) : staging_commit(&a->staging);
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
	if (a->mcu)
		say(ctx, "bundle %s: the same for `conclave-mcu` on a host, by `conclave-device install`; "
			 "a board takes what --image writes", bundle);
	else
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

/* Everything from nothing: plan, make, send. */
static enum cv_err add(struct add *a, struct context *ctx)
{
	const struct enroll_case c = {&a->fleet, &a->op, ctx->args[0]};
	enum cv_err err = device_add_plan(a, ctx);

	if (err != CV_OK || device_add_is_challenge(ctx))
		return err;
	err = make(a, ctx);
	/* what was said online cannot be said again: no use in keeping the challenge */
	if (err != CV_OK && a->link != NULL && enroll_done(&c) != CV_OK)
		return err;
	if (err == CV_OK && a->proof != NULL)
		err = enroll_done(&c);
	if (err == CV_OK)
		err = device_add_deliver(a);
	return err == CV_OK ? finish(a, ctx) : err;
}

static enum cv_err run_with(struct add *a, struct context *ctx)
{
	const bool known = device_exists(&a->fleet, ctx->args[0]);

	if (a->again) {
		enum cv_err err = device_record_read(&a->record, &a->fleet, ctx->args[0]);

		return err == CV_OK ? add(a, ctx) : err;
	}
	if (known && device_add_is_challenge(ctx)) {
		log_error("device %s: is in the fleet already: another TPM for it is a "
			  "re-enrolment: `conclave device reenroll`",
			ctx->args[0]);
		return CV_ERR_EXISTS;
	}
	return known ? resume(a, ctx) : add(a, ctx);
}

static enum cv_err run(struct context *ctx, bool again)
{
	struct add *a = calloc(1, sizeof(*a));
	enum cv_err err = a != NULL ? arg_id(ctx, 0, "device") : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = fleet_open(&a->fleet, ctx, true);
	if (err != CV_OK) {
		free(a);
		return err;
	}
	a->again = again;
	err = run_with(a, ctx);
	operator_wipe(&a->op);
	passphrase_wipe(&a->passphrase);
	secret_free(a->settings);
	secret_free(a->proof);
	psk_link_close(a->link);
	fleet_close(&a->fleet);
	free(a);
	return err;
}

static enum cv_err device_add_run(struct context *ctx)
{
	return run(ctx, false);
}

static enum cv_err device_reenroll_run(struct context *ctx)
{
	return run(ctx, true);
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

const struct verb verb_device_reenroll = {
	.noun = "device",
	.name = "reenroll",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "give a device that is there new keys, another TPM, a new volume\n"
		   "As `device add`. Its gateways drop the shares and keys they hold, keep its state\n"
		   "and its policy, and record who did it. Every gateway that holds a share must be named.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = device_reenroll_run,
};
