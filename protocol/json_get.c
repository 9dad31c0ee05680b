#include "protocol/json_get.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/id.h"
#include "protocol/json_scan.h"
#include "protocol/line.h"

enum cv_err json_parse(struct cJSON **out, const char *text, size_t len, size_t max)
{
	enum cv_err err = json_scan(text, len, max);
	cJSON *tree;

	if (err != CV_OK)
		return err;
	/* what the scanner let through is well-formed, so only memory can be missing */
	tree = cJSON_ParseWithLength(text, len);
	if (tree == NULL)
		return CV_ERR_MEMORY;
	*out = tree;
	return CV_OK;
}

/* Depth is at most CV_JSON_DEPTH_MAX: the scanner saw to it. */
static void wipe_strings(cJSON *item)
{
	for (; item != NULL; item = item->next) {
		if (item->valuestring != NULL)
			crypto_wipe(item->valuestring, strlen(item->valuestring));
		wipe_strings(item->child);
	}
}

void json_free(struct cJSON *tree)
{
	wipe_strings(tree);
	cJSON_Delete(tree);
}

static int listed(const char *name, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (text_equal(name, *names))
			return 1;
	}
	return 0;
}

enum cv_err json_only(const struct cJSON *object, const char *const *names)
{
	if (!cJSON_IsObject(object))
		return CV_ERR_TYPE;
	for (const cJSON *item = object->child; item != NULL; item = item->next) {
		if (!listed(item->string, names))
			return CV_ERR_TYPE;
	}
	return CV_OK;
}

static const cJSON *member(const struct cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

int json_has(const struct cJSON *object, const char *name)
{
	return member(object, name) != NULL;
}

enum cv_err json_get_text_ref(
	const struct cJSON *object, const char *name, const char **text, size_t *len)
{
	const cJSON *item = member(object, name);

	if (!cJSON_IsString(item) || item->valuestring == NULL)
		return CV_ERR_TYPE;
	*text = item->valuestring;
	*len = strlen(item->valuestring);
	return CV_OK;
}

enum cv_err json_get_text(const struct cJSON *object, const char *name, char *out, size_t cap)
{
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(object, name, &text, &len);

	if (err != CV_OK)
		return err;
	if (len >= cap)
		return CV_ERR_TOO_LONG;
	memcpy(out, text, len + 1);
	return CV_OK;
}

enum cv_err json_get_id(const struct cJSON *object, const char *name, char out[CV_ID_BUF])
{
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(object, name, &text, &len);

	return err == CV_OK ? id_copy(out, text, len) : err;
}

enum cv_err json_get_bytes(const struct cJSON *object, const char *name, void *out, size_t n)
{
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(object, name, &text, &len);

	return err == CV_OK ? base64url_decode_exact(out, n, text, len) : err;
}

enum cv_err json_get_bytes_max(
	const struct cJSON *object, const char *name, void *out, size_t cap, size_t *len)
{
	const char *text;
	size_t text_len;
	enum cv_err err = json_get_text_ref(object, name, &text, &text_len);

	return err == CV_OK ? base64url_decode(out, cap, len, text, text_len) : err;
}

/* cJSON keeps numbers as double, which holds every integer that the scanner accepts. */
static enum cv_err integer_of(const cJSON *item, int64_t *out)
{
	if (!cJSON_IsNumber(item))
		return CV_ERR_TYPE;
	if (!(item->valuedouble >= -(double)CV_JSON_INTEGER_MAX &&
		    item->valuedouble <= (double)CV_JSON_INTEGER_MAX))
		return CV_ERR_RANGE;
	*out = (int64_t)item->valuedouble;
	return (double)*out == item->valuedouble ? CV_OK : CV_ERR_TYPE;
}

enum cv_err json_get_u64(const struct cJSON *object, const char *name, uint64_t min, uint64_t max,
	uint64_t *out)
{
	int64_t value;
	enum cv_err err = integer_of(member(object, name), &value);

	if (err != CV_OK)
		return err;
	if (value < 0 || (uint64_t)value < min || (uint64_t)value > max)
		return CV_ERR_RANGE;
	*out = (uint64_t)value;
	return CV_OK;
}

enum cv_err json_get_i64(const struct cJSON *object, const char *name, int64_t min, int64_t max,
	int64_t *out)
{
	int64_t value;
	enum cv_err err = integer_of(member(object, name), &value);

	if (err != CV_OK)
		return err;
	if (value < min || value > max)
		return CV_ERR_RANGE;
	*out = value;
	return CV_OK;
}

enum cv_err json_only_v1(const struct cJSON *object, const char *const *names)
{
	uint64_t version;
	enum cv_err err = json_only(object, names);

	return err == CV_OK ? json_get_u64(object, "v", 1, 1, &version) : err;
}

enum cv_err json_get_bool(const struct cJSON *object, const char *name, int *out)
{
	const cJSON *item = member(object, name);

	if (!cJSON_IsBool(item))
		return CV_ERR_TYPE;
	*out = cJSON_IsTrue(item) ? 1 : 0;
	return CV_OK;
}

enum cv_err json_get_object(
	const struct cJSON *object, const char *name, const struct cJSON **out)
{
	const cJSON *item = member(object, name);

	if (!cJSON_IsObject(item))
		return CV_ERR_TYPE;
	*out = item;
	return CV_OK;
}

enum cv_err json_get_array(
	const struct cJSON *object, const char *name, const struct cJSON **out, size_t *count)
{
	const cJSON *item = member(object, name);

	if (!cJSON_IsArray(item))
		return CV_ERR_TYPE;
	*out = item;
	*count = (size_t)cJSON_GetArraySize(item);
	return CV_OK;
}
