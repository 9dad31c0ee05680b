#include "protocol/inventory.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/line.h"
#include "protocol/lp.h"

#define LP_BUF 512

enum cv_err inventory_digest(
	uint8_t out[CV_HASH_BYTES], const char *item, const void *value, size_t len)
{
	uint8_t buf[LP_BUF];
	struct crypto_part part = {buf, 0};
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, buf, sizeof(buf), "conclave-inventory-v1");
	lp_text(&lp, item);
	lp_bytes(&lp, value, len);
	err = lp_end(&lp, &part.len);
	return err == CV_OK ? crypto_sha256(out, &part, 1) : err;
}

int inventory_pattern_valid(const char *pattern)
{
	char name[EVIDENCE_TEXT_BUF];
	const size_t len = strlen(pattern);

	if (text_equal(pattern, "*"))
		return 1;
	if (len < 1 || len > CV_NAME_MAX)
		return 0;
	memcpy(name, pattern, len + 1);
	if (name[len - 1] == '*')
		name[len - 1] = '\0';
	return evidence_name_valid(name);
}

int inventory_pattern_fits(const char *pattern, const char *item)
{
	size_t i = 0;

	for (; pattern[i] != '\0' && pattern[i] != '*'; i++) {
		if (pattern[i] != item[i])
			return 0;
	}
	return pattern[i] == '*' || item[i] == '\0';
}

const struct evidence_digest *inventory_find(
	const struct evidence_digest *items, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (text_equal(items[i].name, name))
			return &items[i];
	}
	return NULL;
}

enum cv_err inventory_get(const struct cJSON *object, struct evidence_digest *items, size_t max,
	uint8_t *count)
{
	const cJSON *item;
	enum cv_err err;

	*count = 0;
	if (!cJSON_IsObject(object))
		return CV_ERR_TYPE;
	cJSON_ArrayForEach(item, object)
	{
		struct evidence_digest *out = &items[*count];

		if (*count >= max)
			return CV_ERR_TOO_LONG;
		if (!evidence_name_valid(item->string))
			return CV_ERR_FORMAT;
		if (!cJSON_IsString(item))
			return CV_ERR_TYPE;
		memcpy(out->name, item->string, strlen(item->string) + 1);
		err = base64url_decode_exact(out->value, CV_HASH_BYTES, item->valuestring,
			strlen(item->valuestring));
		if (err != CV_OK)
			return err;
		(*count)++;
	}
	return CV_OK;
}
