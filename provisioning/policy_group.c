#include "provisioning/policy_group.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "host/log.h"
#include "protocol/json_get.h"
#include "provisioning/policy_build.h"

#define FILE_MAX (CV_JWS_MAX + 1)

void policy_group_free(struct policy_file *file)
{
	free(file->json);
	free(file->text);
	memset(file, 0, sizeof(*file));
}

bool policy_is_group(const char *path)
{
	uint8_t *text = NULL;
	size_t len = 0;
	cJSON *doc = NULL;
	bool is = false;

	if (file_read(&text, &len, path, FILE_MAX) != CV_OK)
		return false;
	if (len > 0 && text[0] != '{') /* only a group's policy is ever a signed text */
		is = strncmp((const char *)text, "eyJ", 3) == 0;
	else if (json_parse(&doc, (const char *)text, len, CV_GROUP_POLICY_MAX) == CV_OK)
		is = json_has(doc, "group") || json_has(doc, "rules");
	else /* the mistake is for the reader to name */
		is = memmem(text, len, "\"rules\"", 7) != NULL;
	json_free(doc);
	free(text);
	return is;
}

/* White space is not part of what is signed. */
static enum cv_err compact(struct policy_file *file, const char *json, size_t len)
{
	cJSON *doc = cJSON_ParseWithLength(json, len);
	char *text = doc != NULL ? cJSON_PrintUnformatted(doc) : NULL;

	cJSON_Delete(doc);
	if (text == NULL)
		return CV_ERR_MEMORY;
	file->json = text;
	file->json_len = strlen(text);
	return CV_OK;
}

static enum cv_err from_json(
	struct policy_file *file, const char *what, const char *json, size_t len)
{
	struct group_policy *policy = malloc(sizeof(*policy));
	char problem[256] = "";
	enum cv_err err = policy_check_json(what, json, len, CV_GROUP_POLICY_MAX);

	if (err != CV_OK) {
		free(policy);
		return err;
	}
	err = policy == NULL ? CV_ERR_MEMORY
			     : group_decode(policy, json, len, problem, sizeof(problem));
	if (err == CV_OK) {
		memcpy(file->fleet, policy->fleet, sizeof(file->fleet));
		memcpy(file->group, policy->group, sizeof(file->group));
		file->version = policy->rules.version;
		group_free(policy);
		err = compact(file, json, len);
	} else if (err != CV_ERR_MEMORY) {
		log_error("policy: %s: %s", what, problem[0] != '\0' ? problem : cv_err_text(err));
		err = CV_ERR_CONFIG;
	}
	free(policy);
	return err;
}

enum cv_err policy_group_text(struct policy_file *file, const char *what, const char *text,
	size_t len, const struct fleet *fleet)
{
	/* Expiry and revocation are for the gateways to judge, when they take it. */
	const struct op_trust trust = {.fleet = fleet->id, .root_key = fleet->root_key};
	char *payload = malloc(CV_GROUP_POLICY_MAX + 1);
	size_t payload_len = 0;
	enum cv_err err = payload != NULL ? CV_OK : CV_ERR_MEMORY;

	memset(file, 0, sizeof(*file));
	if (err == CV_OK) {
		err = op_document_verify(&trust, OP_ROLE_POLICY, text, len, GROUP_TYP,
			&file->signer, payload, CV_GROUP_POLICY_MAX + 1, &payload_len);
		if (err != CV_OK)
			log_error(
				"policy: %s: is not signed by an operator of fleet %s who may: %s",
				what, fleet->id, cv_err_text(err));
	}
	if (err == CV_OK)
		err = from_json(file, what, payload, payload_len);
	if (err == CV_OK) {
		file->text = strndup(text, len);
		file->text_len = len;
		err = file->text != NULL ? CV_OK : CV_ERR_MEMORY;
	}
	free(payload);
	if (err != CV_OK)
		policy_group_free(file);
	return err;
}

enum cv_err policy_group_read(
	struct policy_file *file, const char *path, const struct fleet *fleet)
{
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&text, &len, path, FILE_MAX);

	memset(file, 0, sizeof(*file));
	if (err != CV_OK) {
		log_error("policy: %s: %s", path, cv_err_text(err));
		return err == CV_ERR_TOO_LONG ? CV_ERR_CONFIG : err;
	}
	while (len > 0 && text[len - 1] == '\n')
		len--;
	if (fleet != NULL && strncmp((const char *)text, "eyJ", 3) == 0)
		err = policy_group_text(file, path, (const char *)text, len, fleet);
	else
		err = from_json(file, path, (const char *)text, len);
	if (err == CV_OK && fleet != NULL && strcmp(file->fleet, fleet->id) != 0) {
		log_error("policy: %s: is for fleet %s, not for %s", path, file->fleet, fleet->id);
		err = CV_ERR_CONFIG;
	}
	free(text);
	if (err != CV_OK)
		policy_group_free(file);
	return err;
}
