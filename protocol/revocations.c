#include "protocol/opcert.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/id.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/scratch.h"

/* 256 ids of 63 characters with quotes and comma, and the other members. */
#define PAYLOAD_MAX (REVOCATIONS_MAX * (CV_ID_MAX + 3) + 256)

static enum cv_err put_payload(
	char *payload, size_t cap, size_t *len, const struct revocations *list)
{
	struct json_writer w;

	json_begin(&w, payload, cap);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", list->fleet);
	json_u64(&w, "version", list->version);
	json_u64(&w, "iat", list->iat_s);
	json_array_open(&w, "operators");
	for (size_t i = 0; i < list->count; i++)
		json_text(&w, NULL, list->operators[i]);
	json_array_close(&w);
	json_object_close(&w);
	return json_end(&w, len);
}

enum cv_err revocations_encode(char *out, size_t cap, size_t *len,
	const struct revocations *list, const struct jws_signer *root)
{
	size_t payload_len;
	char *payload;
	enum cv_err err;

	if (list->count > REVOCATIONS_MAX || !id_valid(list->fleet, strlen(list->fleet)))
		return CV_ERR_ARGUMENT;
	for (size_t i = 0; i < list->count; i++) {
		if (!id_valid(list->operators[i], strlen(list->operators[i])))
			return CV_ERR_ARGUMENT;
	}
	payload = scratch_alloc(PAYLOAD_MAX);
	if (payload == NULL)
		return CV_ERR_MEMORY;
	err = put_payload(payload, PAYLOAD_MAX, &payload_len, list);
	if (err == CV_OK)
		err = jws_sign(out, cap, len, REVOCATIONS_TYP, NULL, payload, payload_len, root);
	scratch_free(payload, PAYLOAD_MAX);
	return err;
}

static enum cv_err get_operators(const struct cJSON *tree, struct revocations *list)
{
	const struct cJSON *array;
	const cJSON *item;
	size_t count;
	enum cv_err err = json_get_array(tree, "operators", &array, &count);

	if (err != CV_OK)
		return err;
	if (count > REVOCATIONS_MAX)
		return CV_ERR_TOO_LONG;
	cJSON_ArrayForEach(item, array)
	{
		if (!cJSON_IsString(item))
			return CV_ERR_TYPE;
		err = id_copy(list->operators[list->count++], item->valuestring,
			strlen(item->valuestring));
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static enum cv_err revocations_from(struct revocations *list, const struct cJSON *tree)
{
	static const char *const names[] = {"v", "fleet", "version", "iat", "operators", NULL};
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_id(tree, "fleet", list->fleet);
	if (err == CV_OK)
		err = json_get_u64(tree, "version", 0, CV_JSON_INTEGER_MAX, &list->version);
	if (err == CV_OK)
		err = json_get_u64(tree, "iat", 0, CV_JSON_INTEGER_MAX, &list->iat_s);
	if (err == CV_OK)
		err = get_operators(tree, list);
	return err;
}

enum cv_err revocations_decode(struct revocations *list, const char *text, size_t len,
	const char *fleet, const uint8_t root_key[CV_ES256_PUBLIC_BYTES])
{
	struct cJSON *tree = NULL;
	enum cv_err err;

	memset(list, 0, sizeof(*list));
	err = jws_verify_json(&tree, text, len, CV_JWS_MAX, REVOCATIONS_TYP, root_key);
	if (err == CV_OK)
		err = revocations_from(list, tree);
	if (err == CV_OK && !text_equal(list->fleet, fleet))
		err = CV_ERR_MISMATCH;
	if (err != CV_OK)
		memset(list, 0, sizeof(*list));
	json_free(tree);
	return err;
}

int revocations_names(const struct revocations *list, const char *operator_id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (text_equal(list->operators[i], operator_id))
			return 1;
	}
	return 0;
}
