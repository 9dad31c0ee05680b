/* What `device add` is asked for: members, class, policy, volume. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/log.h"
#include "host/secret.h"
#include "protocol/json_scan.h"
#include "protocol/policy.h"
#include "protocol/settings.h"
#include "protocol/settings_rules.h"
#include "provisioning/device_add_state.h"
#include "provisioning/options.h"
#include "provisioning/policy_build.h"

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
		log_error(
			"device add: --threshold: must be at most the %zu gateways", a->plan.count);
		return CV_ERR_ARGUMENT;
	}
	if (k < CV_THRESHOLD_MIN && !option_flag(ctx, "insecure-single")) {
		log_error("device add: --threshold 1: one gateway alone would unlock it: if that "
			  "is meant, add --insecure-single");
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
	static const char *const names[] = {
		"volume", "size", "import", "full", "overwrite", "recovery-out-fd"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (option_list(ctx, names[i])->count > 0) {
			log_error("--%s: a microcontroller has no volume", names[i]);
			return CV_ERR_ARGUMENT;
		}
	return CV_OK;
}

static enum cv_err refuse_with_tpm(const struct context *ctx)
{
	static const char *const names[] = {"mcu", "state-dir", "passphrase-out-fd"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (option_list(ctx, names[i])->count > 0) {
			log_error("--%s: not with --tpm: the TPM holds what opens the bundle",
				names[i]);
			return CV_ERR_ARGUMENT;
		}
	return CV_OK;
}

static enum cv_err refuse_without_tpm(const struct context *ctx)
{
	static const char *const names[] = {"request", "challenge", "response", "listen",
		"token-out-fd", "pcr", "tpm-firmware"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (option_list(ctx, names[i])->count > 0) {
			log_error("--%s: only with --tpm", names[i]);
			return CV_ERR_ARGUMENT;
		}
	return CV_OK;
}

static enum cv_err choose_class(struct add *a, const struct context *ctx)
{
	const bool tpm = option_flag(ctx, "tpm");

	a->mcu = option_flag(ctx, "mcu");
	if (!a->mcu && option_text(ctx, "image") != NULL) {
		log_error("--image: only a microcontroller (--mcu) has a store partition");
		return CV_ERR_ARGUMENT;
	}
	a->plan.trust_class = a->mcu ? TRUST_MICROCONTROLLER : TRUST_SOFTWARE;
	if (tpm)
		a->plan.trust_class = TRUST_TPM;
	return tpm ? refuse_with_tpm(ctx) : refuse_without_tpm(ctx);
}

/* A gateway that is left out would keep a share of the old enrolment. */
static enum cv_err check_members(const struct add *a)
{
	const struct share_set *old = &a->record.set;

	for (size_t i = 0; i < old->count; i++) {
		size_t k = 0;

		while (k < a->plan.count &&
			strcmp(a->plan.gateways[k].id, old->members[i].gateway) != 0)
			k++;
		if (k == a->plan.count) {
			log_error("--gateways: %s holds a share of device %s: a re-enrolment must "
				  "reach it too",
				old->members[i].gateway, a->plan.device);
			return CV_ERR_ARGUMENT;
		}
	}
	return CV_OK;
}

/* The gateways keep the device's policy; a gateway that knows none gets the one sent last. */
static enum cv_err keep_policy(struct add *a, const struct context *ctx)
{
	static const char *const names[] = {"policy", "measure", "region", "state", "city", "lease",
		"max-boot-keys", "reveal-reason", "pcr", "tpm-firmware", "group"};
	char path[FILE_PATH_BUF];
	uint64_t version;
	enum cv_err err;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (option_list(ctx, names[i])->count > 0) {
			log_error("--%s: a re-enrolment keeps the device's policy and group: "
				  "`conclave policy` changes it",
				names[i]);
			return CV_ERR_ARGUMENT;
		}
	err = fleet_path(&a->fleet, path, "devices/%s/policy.json", a->plan.device);
	return err == CV_OK ? policy_file_read(path, a->plan.policy, &a->plan.policy_len, &version)
			    : err;
}

static enum cv_err read_policy(struct add *a, const struct context *ctx)
{
	enum cv_err err;

	if (!a->again)
		return policy_build(ctx, a->plan.policy, &a->plan.policy_len);
	err = check_members(a);
	return err == CV_OK ? keep_policy(a, ctx) : err;
}

/* What this class of device must find in it. */
static enum cv_err check_policy(const struct add *a)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	char problem[160] = "";
	enum cv_err err = policy != NULL ? CV_OK : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = policy_decode(
			policy, a->plan.policy, a->plan.policy_len, problem, sizeof(problem));
	if (err == CV_OK)
		err = policy_lint_class(
			policy, a->plan.trust_class, problem, sizeof(problem));
	free(policy);
	if (err == CV_OK)
		return CV_OK;
	log_error("policy: %s", problem[0] != '\0' ? problem : cv_err_text(err));
	return CV_ERR_CONFIG;
}

static enum cv_err open_operator(struct add *a, const struct context *ctx)
{
	enum cv_err err =
		operator_open(&a->op, &a->fleet, ctx, &a->passphrase, OP_ROLE_DEAL);

	if (err == CV_OK && opcert_allows(&a->op.cert, OP_ROLE_ENROL, 0) != CV_OK) {
		log_error("operator %s: has not the role `enrol`", a->op.name);
		err = CV_ERR_ROLE;
	}
	return err;
}

enum cv_err device_add_plan(struct add *a, struct context *ctx)
{
	struct deal_plan *plan = &a->plan;
	enum cv_err err;

	plan->fleet = &a->fleet;
	plan->op = &a->op;
	plan->epoch = 1;
	strcpy(plan->device, ctx->args[0]);
	err = choose_class(a, ctx);
	if (err == CV_OK && device_add_is_challenge(ctx)) {
		err = open_operator(a, ctx);
		return err == CV_OK ? device_add_challenge(a, ctx) : err;
	}
	if (err == CV_OK)
		err = read_gateways(a, ctx);
	if (err == CV_OK)
		err = read_threshold(a, ctx);
	if (err == CV_OK)
		err = read_policy(a, ctx);
	if (err == CV_OK)
		err = option_id(ctx, "group", plan->group);
	if (err == CV_OK && a->mcu)
		err = refuse_with_mcu(ctx);
	if (err == CV_OK)
		err = a->mcu ? read_settings(a, ctx)
			     : device_volume_plan(&a->volume, ctx, plan->device);
	if (err == CV_OK)
		err = open_operator(a, ctx);
	if (err == CV_OK && plan->trust_class == TRUST_TPM)
		err = device_add_prove(a, ctx);
	if (err == CV_OK && plan->trust_class == TRUST_TPM && !a->again)
		err = device_add_tpm_policy(a, ctx);
	return err == CV_OK ? check_policy(a) : err;
}
