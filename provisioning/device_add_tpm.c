/* What `device add --tpm` does before there is anything to deal: the TPM proves itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "host/log.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "provisioning/device_add_state.h"
#include "provisioning/enroll_listen.h"
#include "provisioning/options.h"

#define PCR_TEXT_MAX 2 /* digits */

bool device_add_is_challenge(const struct context *ctx)
{
	return option_flag(ctx, "tpm") &&
	       (option_text(ctx, "request") != NULL || option_text(ctx, "challenge") != NULL);
}

static struct enroll_case case_of(const struct add *a)
{
	return (struct enroll_case){&a->fleet, &a->op, a->plan.device};
}

enum cv_err device_add_challenge(struct add *a, struct context *ctx)
{
	const struct enroll_case c = case_of(a);
	const char *from = option_text(ctx, "request"), *to = option_text(ctx, "challenge");
	struct enroll_text request, challenge;
	enum cv_err err;

	if (from == NULL || to == NULL || option_text(ctx, "response") != NULL) {
		log_error("device add: --tpm: --request FILE goes with --challenge FILE, and then "
			  "--response FILE alone");
		return CV_ERR_ARGUMENT;
	}
	err = enroll_text_read(&request, from);
	if (err == CV_OK)
		err = enroll_challenge(&c, &request, &challenge);
	if (err != CV_OK)
		return err;
	err = file_write_atomic(to, challenge.text, challenge.len, 0644);
	if (err != CV_OK) {
		log_error("%s: %s", to, cv_err_text(err));
		return err;
	}
	cJSON_AddStringToObject(ctx->result, "device", c.device);
	cJSON_AddStringToObject(ctx->result, "challenge", to);
	say(ctx, "challenge %s: take it to the device: `conclave-device enroll --challenge FILE "
		 "--response FILE`",
		to);
	return CV_OK;
}

enum cv_err device_add_prove(struct add *a, struct context *ctx)
{
	const struct enroll_case c = case_of(a);
	const char *path = option_text(ctx, "response"), *listen = option_text(ctx, "listen");
	struct enroll_text response;
	enum cv_err err;

	if ((path == NULL) == (listen == NULL)) {
		log_error(
			"device add: --tpm: the TPM must prove itself: begin with `--request FILE "
			"--challenge FILE`, then add the device with `--response FILE`; or do "
			"all of it at once with `--listen HOST:PORT`");
		return CV_ERR_ARGUMENT;
	}
	a->proof = secret_alloc(sizeof(*a->proof));
	if (a->proof == NULL) {
		log_error("memory: %s", secret_last_error());
		return CV_ERR_MEMORY;
	}
	a->plan.proof = a->proof;
	if (listen != NULL)
		return enroll_listen(&a->link, ctx, &c, listen, a->proof);
	err = enroll_text_read(&response, path);
	return err == CV_OK ? enroll_response(&c, &response, a->proof) : err;
}

enum cv_err device_add_deliver(struct add *a)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = CV_OK;

	if (a->link == NULL)
		return CV_OK;
	err = fleet_path(&a->fleet, path, "devices/%s/bundle", a->plan.device);
	return err == CV_OK ? enroll_deliver(a->link, a->plan.device, path) : err;
}

/* "7", or "7=HEX", into {"7":["HEX",...]}. */
static enum cv_err add_pcr(cJSON *section, const char *text, const struct tpm_quote *quote)
{
	const size_t digits = strspn(text, "0123456789");
	char name[PCR_TEXT_MAX + 1] = "", hex[HEX_BUF(CV_HASH_BYTES)];
	uint8_t value[CV_HASH_BYTES];
	int place = -1;
	cJSON *values;

	if (digits > 0 && digits <= PCR_TEXT_MAX && (text[0] != '0' || digits == 1)) {
		memcpy(name, text, digits);
		place = tpm_pcr_position((unsigned int)strtoul(name, NULL, 10));
	}
	if (place < 0 || (text[digits] != '\0' && text[digits] != '=') ||
		(text[digits] == '=' && hex_decode(value, sizeof(value), text + digits + 1,
						strlen(text + digits + 1)) != CV_OK)) {
		log_error(
			"--pcr: %s: must be N or N=HEX: N of 0-9 or 11-15, 64 lower-case hex digits",
			text);
		return CV_ERR_ARGUMENT;
	}
	if (text[digits] == '\0') {
		memcpy(value, quote->pcrs[place], sizeof(value));
		if (sodium_is_zero(value, sizeof(value)))
			log_warning("--pcr: %s: it is zero on this device: nothing is measured "
				    "into it, and the rule will tell no boot from another",
				text);
	}
	hex_encode(hex, value, sizeof(value));
	values = cJSON_GetObjectItemCaseSensitive(section, name);
	if (values == NULL)
		values = cJSON_AddArrayToObject(section, name);
	return cJSON_AddItemToArray(values, cJSON_CreateString(hex)) ? CV_OK : CV_ERR_MEMORY;
}

static enum cv_err add_pcrs(
	cJSON *doc, const struct option_value *list, const struct tpm_quote *quote)
{
	cJSON *section;
	enum cv_err err = CV_OK;

	if (list->count == 0)
		return cJSON_AddStringToObject(doc, "pcrs", "not_required") != NULL
			       ? CV_OK
			       : CV_ERR_MEMORY;
	section = cJSON_AddObjectToObject(doc, "pcrs");
	for (size_t i = 0; err == CV_OK && i < list->count; i++)
		err = add_pcr(section, list->text[i], quote);
	return err;
}

static enum cv_err add_firmware(cJSON *doc, const struct option_value *list)
{
	cJSON *section;

	if (list->count == 0)
		return cJSON_AddStringToObject(doc, "tpm_firmware", "not_required") != NULL
			       ? CV_OK
			       : CV_ERR_MEMORY;
	section = cJSON_AddArrayToObject(doc, "tpm_firmware");
	for (size_t i = 0; i < list->count; i++)
		if (!cJSON_AddItemToArray(section, cJSON_CreateString(list->text[i])))
			return CV_ERR_MEMORY;
	return CV_OK;
}

static enum cv_err refuse_with_policy(const struct context *ctx)
{
	static const char *const names[] = {"pcr", "tpm-firmware"};

	for (size_t i = 0; i < 2; i++)
		if (option_list(ctx, names[i])->count > 0) {
			log_error("--%s: not together with --policy, which says it all", names[i]);
			return CV_ERR_ARGUMENT;
		}
	return CV_OK;
}

enum cv_err device_add_tpm_policy(struct add *a, const struct context *ctx)
{
	struct deal_plan *plan = &a->plan;
	char *text = NULL;
	cJSON *doc;
	enum cv_err err;

	if (option_text(ctx, "policy") != NULL)
		return refuse_with_policy(ctx);
	doc = cJSON_ParseWithLength(plan->policy, plan->policy_len);
	err = doc != NULL ? add_pcrs(doc, option_list(ctx, "pcr"), &a->proof->quote)
			  : CV_ERR_MEMORY;
	if (err == CV_OK)
		err = add_firmware(doc, option_list(ctx, "tpm-firmware"));
	if (err == CV_OK) {
		text = cJSON_PrintUnformatted(doc);
		err = text != NULL ? CV_OK : CV_ERR_MEMORY;
	}
	if (err == CV_OK && strlen(text) > CV_POLICY_MAX) {
		log_error("policy: over %d bytes", CV_POLICY_MAX);
		err = CV_ERR_TOO_LONG;
	}
	if (err == CV_OK) {
		plan->policy_len = strlen(text);
		memcpy(plan->policy, text, plan->policy_len + 1);
	}
	cJSON_free(text);
	cJSON_Delete(doc);
	return err;
}
