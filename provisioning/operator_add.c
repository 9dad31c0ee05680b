/* `operator add`: keys and certificates of a further operator, or new certificates for one. */
#include <stdio.h>
#include <string.h>

#include "host/log.h"
#include "host/secret.h"
#include "provisioning/operator.h"
#include "provisioning/options.h"
#include "provisioning/verbs.h"

#define OPERATOR_DAYS 365

static const struct option_spec options[] = {
	{"role", OPTION_LIST, "ROLE", "enrol, revoke, policy, audit, deal or all"},
	{"days", OPTION_TEXT, "N", "how long the certificates hold (365)"},
	{"renew", OPTION_FLAG, NULL, "new certificates for an operator that is there, same keys"},
	{"new-passphrase-fd", OPTION_TEXT, "N",
		"the new operator's passphrase (else the fleet's is used again)"},
	{"no-passphrase", OPTION_FLAG, NULL, "keep the new operator's keys in clear"},
};

static enum cv_err read_roles(const struct context *ctx, uint32_t *roles)
{
	const struct option_value *list = option_list(ctx, "role");

	*roles = 0;
	for (size_t i = 0; i < list->count; i++) {
		uint32_t role = strcmp(list->text[i], "all") == 0 ? OP_ROLES_ALL
								  : op_role_parse(list->text[i]);

		if (role == 0) {
			log_error("operator add: --role: %s: is none of enrol, revoke, policy, "
				  "audit, deal, all",
				list->text[i]);
			return CV_ERR_ARGUMENT;
		}
		*roles |= role;
	}
	if (*roles == 0) {
		log_error(
			"operator add: --role is missing: an operator without a role can do nothing");
		return CV_ERR_ARGUMENT;
	}
	return CV_OK;
}

static enum cv_err renew(
	const char *dir, struct context *ctx, const struct operator_spec *spec)
{
	struct passphrase passphrase = {NULL};
	struct key_pair *keys = NULL;
	char path[FILE_PATH_BUF], whose[CV_ID_BUF + 16];
	enum cv_err err = file_path_join(path, sizeof(path), dir, "keys");

	snprintf(whose, sizeof(whose), "operator %s", spec->name);
	if (err == CV_OK)
		err = fleet_read_keys(&keys, ctx, &passphrase, path, whose);
	if (err == CV_OK)
		err = operator_renew(dir, spec, keys);
	secret_free(keys);
	passphrase_wipe(&passphrase);
	return err;
}

/* The passphrase that seals the new keys: NULL, one of its own, or the fleet's again. */
static enum cv_err choose_passphrase(struct operator_spec *spec, const struct context *ctx,
	struct passphrase *own, struct passphrase *fleet)
{
	enum cv_err err = CV_OK;

	if (option_flag(ctx, "no-passphrase")) {
		log_warning("operator %s: private keys lie in clear", spec->name);
		return CV_OK;
	}
	if (option_text(ctx, "new-passphrase-fd") != NULL) {
		err = passphrase_need(own, ctx, "new-passphrase-fd", spec->name, true);
		spec->passphrase = own->text;
	} else {
		err = passphrase_need(fleet, ctx, "passphrase-fd", spec->name, true);
		spec->passphrase = fleet->text;
	}
	return err;
}

static enum cv_err add(struct fleet *fleet, struct context *ctx, struct operator_spec *spec)
{
	struct passphrase passphrase = {NULL}, own = {NULL};
	struct key_pair *root = NULL;
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(fleet, path, "root/keys");

	if (err == CV_OK)
		err = fleet_read_keys(&root, ctx, &passphrase, path, "the fleet's root");
	spec->root = root;
	if (err == CV_OK)
		err = fleet_path(fleet, path, "operators/%s", spec->name);
	if (err == CV_OK && option_flag(ctx, "renew")) {
		err = renew(path, ctx, spec);
	} else if (err == CV_OK) {
		err = choose_passphrase(spec, ctx, &own, &passphrase);
		if (err == CV_OK)
			err = operator_create(path, spec);
	}
	secret_free(root);
	passphrase_wipe(&passphrase);
	passphrase_wipe(&own);
	return err;
}

static enum cv_err operator_add_run(struct context *ctx)
{
	struct operator_spec spec = {.name = ctx->args[0], .days = OPERATOR_DAYS};
	struct fleet fleet;
	enum cv_err err = arg_id(ctx, 0, "operator");

	if (err == CV_OK)
		err = read_roles(ctx, &spec.roles);
	if (err == CV_OK)
		err = option_uint(ctx, "days", 1, 36500, &spec.days);
	if (err == CV_OK)
		err = fleet_open(&fleet, ctx, true);
	if (err != CV_OK)
		return err;
	spec.fleet_id = fleet.id;
	spec.tls_root = fleet.tls_root;
	err = add(&fleet, ctx, &spec);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "operator", spec.name);
		say(ctx, "operator %s: certificates for %llu days", spec.name,
			(unsigned long long)spec.days);
	}
	fleet_close(&fleet);
	return err;
}

const struct verb verb_operator_add = {
	.noun = "operator",
	.name = "add",
	.args = "NAME",
	.args_min = 1,
	.args_max = 1,
	.summary = "make an operator, certified by the fleet's root",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = operator_add_run,
};
