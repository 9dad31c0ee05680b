#include "protocol/policy_read.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/json_get.h"
#include "protocol/line.h"

#define NAME_SHOWN 63

/* A name as the author wrote it, cut and without what a terminal might obey. */
static void line_name(struct line *l, const char *name)
{
	char shown[NAME_SHOWN + 1];
	size_t n = 0;

	for (; name[n] != '\0' && n < NAME_SHOWN; n++)
		shown[n] = name[n] >= 0x20 && name[n] <= 0x7e ? name[n] : '?';
	shown[n] = '\0';
	line_text(l, shown);
}

enum cv_err policy_complain(const struct policy_complaint *c, enum cv_err err, const char *section,
	const char *member, const char *what)
{
	struct line l;

	if (c->text == NULL || c->cap == 0)
		return err;
	line_begin(&l, c->text, c->cap);
	line_text(&l, section);
	if (member != NULL) {
		if (section[0] != '\0')
			line_text(&l, ".");
		line_name(&l, member);
	}
	line_text(&l, ": ");
	line_text(&l, what);
	return err;
}

enum cv_err policy_section_get(const struct cJSON *tree, const char *name, int may_waive,
	enum policy_section *section, const struct cJSON **rules, const struct policy_complaint *c)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, name);

	*rules = NULL;
	*section = POLICY_EMPTY;
	if (item == NULL)
		return CV_OK;
	if (cJSON_IsObject(item)) {
		if (item->child != NULL) {
			*section = POLICY_RULES;
			*rules = item;
		}
		return CV_OK;
	}
	if (may_waive && cJSON_IsString(item) && text_equal(item->valuestring, POLICY_WAIVED)) {
		*section = POLICY_NOT_REQUIRED;
		return CV_OK;
	}
	return policy_complain(c, CV_ERR_TYPE, name, NULL,
		may_waive ? "must be an object or \"not_required\"" : "must be an object");
}

enum cv_err policy_only(const struct cJSON *object, const char *section, const char *const *names,
	const struct policy_complaint *c)
{
	for (const cJSON *item = object->child; item != NULL; item = item->next) {
		const char *const *name = names;

		while (*name != NULL && !text_equal(*name, item->string))
			name++;
		if (*name == NULL)
			return policy_complain(
				c, CV_ERR_TYPE, section, item->string, "unknown member");
	}
	return CV_OK;
}

enum cv_err policy_number(const struct cJSON *object, const char *section, const char *name,
	uint64_t min, uint64_t max, uint64_t *out, const struct policy_complaint *c)
{
	enum cv_err err = json_get_u64(object, name, min, max, out);

	if (err == CV_ERR_TYPE)
		return policy_complain(c, err, section, name, "missing or not an integer");
	if (err != CV_OK)
		return policy_complain(c, err, section, name, "out of range");
	return CV_OK;
}

enum cv_err policy_section_later(const struct cJSON *tree, const char *name,
	enum policy_section *section, const struct cJSON **rules, const struct policy_complaint *c)
{
	if (json_has(tree, name))
		return policy_section_get(tree, name, 1, section, rules, c);
	*section = POLICY_NOT_REQUIRED;
	*rules = NULL;
	return CV_OK;
}

enum cv_err policy_texts(const struct cJSON *rules, const char *section, const char *name,
	struct policy_list *list, const struct policy_complaint *c)
{
	const cJSON *array = cJSON_GetObjectItemCaseSensitive(rules, name);
	const cJSON *item;

	if (array == NULL)
		return CV_OK;
	if (!cJSON_IsArray(array) || array->child == NULL)
		return policy_complain(
			c, CV_ERR_TYPE, section, name, "must be a list of at least one name");
	list->present = 1;
	cJSON_ArrayForEach(item, array)
	{
		if (list->count >= CV_PLACES_MAX)
			return policy_complain(
				c, CV_ERR_TOO_LONG, section, name, "too many names");
		if (!cJSON_IsString(item) || !evidence_text_valid(item->valuestring))
			return policy_complain(c, CV_ERR_TYPE, section, name,
				"a name is not 1 to 63 printable ASCII characters");
		memcpy(list->names[list->count++], item->valuestring,
			strlen(item->valuestring) + 1);
	}
	return CV_OK;
}

enum cv_err policy_hash(uint8_t out[CV_HASH_BYTES], const struct cJSON *item)
{
	if (!cJSON_IsString(item))
		return CV_ERR_TYPE;
	return hex_decode(out, CV_HASH_BYTES, item->valuestring, strlen(item->valuestring));
}
