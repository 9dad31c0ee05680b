#include "provisioning/policy_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/json_scan.h"
#include "protocol/policy.h"
#include "provisioning/options.h"

enum cv_err policy_check_json(const char *what, const char *text, size_t len, size_t max)
{
	size_t at = 0, line = 1, column = 1;
	enum cv_err err = json_scan_to(text, len, max, &at);

	if (err == CV_OK)
		return CV_OK;
	for (size_t i = 0; i < at && i < len; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	if (err == CV_ERR_FORMAT || err == CV_ERR_RANGE)
		log_error("policy: %s:%zu:%zu: %s", what, line, column,
			at >= len
				? "the text ends too early"
				: "no JSON of the kind taken here: whole numbers up to 2^53-1, no name "
				  "twice, no comments, no comma at the end, nothing behind the object");
	else
		log_error("policy: %s: %s", what, cv_err_text(err));
	return CV_ERR_CONFIG;
}

/* Decode and lint; `what` is the file or "the command line". */
static enum cv_err check_text(const char *what, const char *text, size_t len, uint64_t *version)
{
	struct policy *policy = malloc(sizeof(*policy));
	char problem[256] = "";
	enum cv_err err;

	if (policy == NULL)
		return CV_ERR_MEMORY;
	err = policy_check_json(what, text, len, CV_POLICY_MAX);
	if (err != CV_OK) {
		free(policy);
		return err;
	}
	err = policy_decode(policy, text, len, problem, sizeof(problem));
	if (err == CV_OK)
		err = policy_lint(policy, problem, sizeof(problem));
	if (err == CV_OK)
		*version = policy->version;
	free(policy);
	if (err == CV_OK)
		return CV_OK;
	log_error("policy: %s: %s", what, problem[0] != '\0' ? problem : cv_err_text(err));
	return CV_ERR_CONFIG;
}

static enum cv_err print_compact(const cJSON *doc, char out[CV_POLICY_MAX + 1], size_t *len)
{
	char *text = cJSON_PrintUnformatted(doc);
	enum cv_err err = CV_OK;

	if (text == NULL)
		return CV_ERR_MEMORY;
	*len = strlen(text);
	if (*len > CV_POLICY_MAX) {
		log_error("policy: over %d bytes", CV_POLICY_MAX);
		err = CV_ERR_TOO_LONG;
	} else {
		memcpy(out, text, *len + 1);
	}
	cJSON_free(text);
	return err;
}

enum cv_err policy_file_read(
	const char *path, char out[CV_POLICY_MAX + 1], size_t *len, uint64_t *version)
{
	uint8_t *text = NULL;
	size_t text_len = 0;
	cJSON *doc = NULL;
	enum cv_err err = file_read(&text, &text_len, path, CV_POLICY_MAX);

	if (err != CV_OK) {
		log_error("policy: %s: %s", path, cv_err_text(err));
		return err == CV_ERR_TOO_LONG ? CV_ERR_CONFIG : err;
	}
	err = check_text(path, (const char *)text, text_len, version);
	if (err == CV_OK) {
		doc = cJSON_ParseWithLength((const char *)text, text_len);
		err = doc != NULL ? print_compact(doc, out, len) : CV_ERR_MEMORY;
	}
	cJSON_Delete(doc);
	free(text);
	return err;
}

/* NAME=HEX into {"NAME":["HEX",...]}. */
static enum cv_err add_measurement(cJSON *section, const char *text)
{
	const char *equals = strchr(text, '=');
	char name[CV_NAME_MAX + 1];
	uint8_t value[CV_HASH_BYTES];
	cJSON *values;

	if (equals == NULL || equals == text || (size_t)(equals - text) > CV_NAME_MAX ||
		hex_decode(value, sizeof(value), equals + 1, strlen(equals + 1)) != CV_OK) {
		log_error("--measure: %s: must be NAME=HEX with 64 lower-case hex digits", text);
		return CV_ERR_ARGUMENT;
	}
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	values = cJSON_GetObjectItemCaseSensitive(section, name);
	if (values == NULL)
		values = cJSON_AddArrayToObject(section, name);
	return cJSON_AddItemToArray(values, cJSON_CreateString(equals + 1)) ? CV_OK : CV_ERR_MEMORY;
}

static enum cv_err add_measurements(cJSON *doc, const struct option_value *list)
{
	cJSON *section;
	enum cv_err err = CV_OK;

	if (list->count == 0)
		return cJSON_AddStringToObject(doc, "measurements", "not_required") != NULL
			       ? CV_OK
			       : CV_ERR_MEMORY;
	section = cJSON_AddObjectToObject(doc, "measurements");
	for (size_t i = 0; err == CV_OK && i < list->count; i++)
		err = add_measurement(section, list->text[i]);
	return err;
}

static enum cv_err add_places(cJSON *doc, const struct context *ctx)
{
	static const char *const names[][2] = {
		{"region", "regions"}, {"state", "states"}, {"city", "cities"}};
	cJSON *section = cJSON_CreateObject();
	int given = 0;

	for (size_t i = 0; i < 3; i++) {
		const struct option_value *list = option_list(ctx, names[i][0]);
		cJSON *array =
			list->count > 0 ? cJSON_AddArrayToObject(section, names[i][1]) : NULL;

		for (size_t k = 0; k < list->count; k++)
			cJSON_AddItemToArray(array, cJSON_CreateString(list->text[k]));
		given += list->count > 0;
	}
	if (given == 0) {
		cJSON_Delete(section);
		section = cJSON_CreateString("not_required");
	}
	return cJSON_AddItemToObject(doc, "place", section) ? CV_OK : CV_ERR_MEMORY;
}

static enum cv_err build(cJSON *doc, const struct context *ctx)
{
	uint64_t lease = 0, max_keys = 3;
	cJSON *boot;
	enum cv_err err = option_uint(ctx, "lease", 0, UINT32_MAX, &lease);

	if (err == CV_OK)
		err = option_uint(ctx, "max-boot-keys", 1, 16, &max_keys);
	if (err != CV_OK)
		return err;
	cJSON_AddNumberToObject(doc, "v", 1);
	cJSON_AddNumberToObject(doc, "policy_version", 1);
	boot = cJSON_AddObjectToObject(doc, "boot");
	cJSON_AddNumberToObject(boot, "max_keys", (double)max_keys);
	cJSON_AddNumberToObject(boot, "max_step", 1000);
	err = add_measurements(doc, option_list(ctx, "measure"));
	if (err == CV_OK)
		err = add_places(doc, ctx);
	cJSON_AddStringToObject(doc, "iat", "not_required");
	cJSON_AddNumberToObject(doc, "lease_seconds", (double)lease);
	if (cJSON_AddBoolToObject(doc, "reveal_reason", option_flag(ctx, "reveal-reason")) == NULL)
		err = err == CV_OK ? CV_ERR_MEMORY : err;
	return err;
}

enum cv_err policy_build(const struct context *ctx, char out[CV_POLICY_MAX + 1], size_t *len)
{
	static const char *const others[] = {"measure", "region", "state", "city", "lease",
		"max-boot-keys", "reveal-reason"};
	const char *path = option_text(ctx, "policy");
	uint64_t version = 0;
	cJSON *doc;
	enum cv_err err;

	for (size_t i = 0; path != NULL && i < sizeof(others) / sizeof(others[0]); i++)
		if (option_list(ctx, others[i])->count > 0) {
			log_error("--%s: not together with --policy, which says it all", others[i]);
			return CV_ERR_ARGUMENT;
		}
	if (path != NULL)
		return policy_file_read(path, out, len, &version);
	doc = cJSON_CreateObject();
	err = build(doc, ctx);
	if (err == CV_OK)
		err = print_compact(doc, out, len);
	if (err == CV_OK)
		err = check_text("the command line", out, *len, &version);
	cJSON_Delete(doc);
	return err;
}
