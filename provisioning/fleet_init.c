/* `fleet init`: root keys, TLS root, first operator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/id.h"
#include "protocol/join.h"
#include "provisioning/operator.h"
#include "provisioning/options.h"
#include "provisioning/staging.h"
#include "provisioning/verbs.h"
#include "provisioning/x509.h"

#define OPERATOR_DAYS 365

static const struct option_spec options[] = {
	{"name", OPTION_TEXT, "ID", "the fleet's name (needed)"},
	{"no-operator", OPTION_FLAG, NULL, "make no first operator `admin` with all roles"},
	{"days", OPTION_TEXT, "N", "how long the first operator's certificates hold (365)"},
	{"no-passphrase", OPTION_FLAG, NULL, "keep the private keys in clear files"},
};

struct init {
	const char *id;
	uint64_t days;
	struct passphrase passphrase;
	struct key_pair *root;
	char *tls_root;
	uint8_t root_key[CV_ES256_PUBLIC_BYTES];
	struct staging staging;
};

static enum cv_err read_options(struct init *in, struct context *ctx)
{
	in->id = option_text(ctx, "name");
	in->days = OPERATOR_DAYS;
	if (in->id == NULL || !id_valid(in->id, strlen(in->id))) {
		log_error("fleet init: --name: %s: 1 to 63 of a-z, 0-9 and -",
			in->id != NULL ? in->id : "is missing");
		return CV_ERR_ARGUMENT;
	}
	return option_uint(ctx, "days", 1, 36500, &in->days);
}

static enum cv_err make_first_operator(const struct init *in)
{
	struct operator_spec spec = {.fleet_id = in->id, .name = "admin", .roles = OP_ROLES_ALL,
		.days = in->days, .root = in->root, .tls_root = in->tls_root,
		.passphrase = in->passphrase.text};
	char path[FILE_PATH_BUF];
	enum cv_err err = staging_path(&in->staging, path, "operators/admin");

	return err == CV_OK ? operator_create(path, &spec) : err;
}

static enum cv_err fill(struct init *in, const struct context *ctx)
{
	static const char *const folders[] = {"root", "operators", "gateways", "devices"};
	char path[FILE_PATH_BUF];
	enum cv_err err = CV_OK;

	for (size_t i = 0; err == CV_OK && i < sizeof(folders) / sizeof(folders[0]); i++)
		err = staging_make_dir(&in->staging, folders[i]);
	if (err == CV_OK)
		err = key_pair_generate(in->root);
	if (err == CV_OK)
		err = crypto_es256_public(in->root_key, in->root->sign);
	if (err == CV_OK)
		err = x509_root_create(&in->tls_root, in->id, in->root->tls);
	if (err == CV_OK)
		err = fleet_write(in->staging.dir, in->id, in->root_key, in->tls_root);
	if (err == CV_OK)
		err = staging_path(&in->staging, path, "root/keys");
	if (err == CV_OK)
		err = keyfile_write(path, in->root, in->passphrase.text);
	if (err == CV_OK && !option_flag(ctx, "no-operator"))
		err = make_first_operator(in);
	return err;
}

static enum cv_err report(const struct init *in, struct context *ctx, const char *dir)
{
	uint8_t fingerprint[CV_HASH_BYTES];
	char text[FINGERPRINT_BUF];
	enum cv_err err = fleet_fingerprint(fingerprint, in->id, in->root_key);

	if (err != CV_OK)
		return err;
	fingerprint_text(text, fingerprint);
	cJSON_AddStringToObject(ctx->result, "fleet", in->id);
	cJSON_AddStringToObject(ctx->result, "directory", dir);
	cJSON_AddStringToObject(ctx->result, "fingerprint", text);
	say(ctx, "fleet %s is in %s", in->id, dir);
	say(ctx, "fingerprint %s", text);
	if (!option_flag(ctx, "no-operator"))
		say(ctx, "operator admin has all roles for %llu days",
			(unsigned long long)in->days);
	if (in->passphrase.text == NULL)
		log_warning("fleet %s: private keys lie in clear in %s: whoever reads them is the "
			    "fleet",
			in->id, dir);
	return CV_OK;
}

static enum cv_err fleet_init_run(struct context *ctx)
{
	struct init in = {.id = NULL, .staging = {.dir = ""}};
	const char *dir = fleet_dir(ctx);
	enum cv_err err = read_options(&in, ctx);

	if (err != CV_OK)
		return err;
	if (!option_flag(ctx, "no-passphrase")) {
		err = passphrase_need(
			&in.passphrase, ctx, "passphrase-fd", "the fleet's passphrase", true);
		if (err != CV_OK)
			return err;
	}
	in.root = secret_alloc(sizeof(*in.root));
	err = in.root != NULL ? staging_begin(&in.staging, dir) : CV_ERR_MEMORY;
	if (err == CV_OK)
		err = fill(&in, ctx);
	if (err == CV_OK)
		err = staging_commit(&in.staging);
	if (err == CV_ERR_EXISTS)
		log_error("fleet init: %s: is there already: nothing was changed", dir);
	else if (err != CV_OK)
		log_error("fleet init: %s: %s: nothing was left there", dir, cv_err_text(err));
	else
		err = report(&in, ctx, dir);
	staging_abort(&in.staging);
	secret_free(in.root);
	free(in.tls_root);
	passphrase_wipe(&in.passphrase);
	return err;
}

const struct verb verb_fleet_init = {
	.noun = "fleet",
	.name = "init",
	.args = "",
	.summary = "make a fleet: its root keys, TLS root and first operator\n"
		   "Private keys are sealed with a passphrase (8 to 255 characters) from\n"
		   "--passphrase-fd, the file $CONCLAVE_PASSPHRASE_FILE or the terminal.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = fleet_init_run,
};
