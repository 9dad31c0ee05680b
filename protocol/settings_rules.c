#include "protocol/settings_rules.h"

#include "protocol/json_get.h"
#include "protocol/line.h"
#include "protocol/settings.h"

static enum cv_err get_number(const struct cJSON *object, const char *name, uint64_t min,
	uint64_t max, uint32_t *out)
{
	uint64_t v = 0;
	enum cv_err err;

	if (!json_has(object, name))
		return CV_OK;
	err = json_get_u64(object, name, min, max, &v);
	if (err == CV_OK)
		*out = (uint32_t)v;
	return err;
}

static enum cv_err get_relock(const struct cJSON *object, enum settings_relock *out)
{
	static const char *const words[] = {"revoked", "lease", "never"};
	const char *text;
	size_t len;
	enum cv_err err;

	if (!json_has(object, "relock"))
		return CV_OK;
	err = json_get_text_ref(object, "relock", &text, &len);
	for (size_t i = 0; err == CV_OK && i < sizeof(words) / sizeof(words[0]); i++)
		if (text_equal(text, words[i])) {
			*out = (enum settings_relock)i;
			return CV_OK;
		}
	return err == CV_OK ? CV_ERR_TYPE : err;
}

static enum cv_err get_rules(struct settings_rules *r, const struct cJSON *tree)
{
	static const char *const names[] = {
		"settings_version", "min_firmware", "status_seconds", "relock", NULL};
	const struct cJSON *object = NULL;
	enum cv_err err;

	if (!json_has(tree, "conclave"))
		return CV_OK;
	err = json_get_object(tree, "conclave", &object);
	if (err == CV_OK)
		err = json_only(object, names);
	if (err == CV_OK)
		err = get_number(object, "settings_version", 0, UINT32_MAX, &r->settings_version);
	if (err == CV_OK)
		err = get_number(object, "min_firmware", 0, UINT32_MAX, &r->min_firmware);
	if (err == CV_OK)
		err = get_number(
			object, "status_seconds", 1, SETTINGS_STATUS_MAX_S, &r->status_s);
	return err == CV_OK ? get_relock(object, &r->relock) : err;
}

enum cv_err settings_rules_decode(struct settings_rules *rules, const char *json, size_t len)
{
	struct settings_rules r = {.status_s = SETTINGS_STATUS_DEFAULT_S};
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, json, len, SETTINGS_PLAIN_MAX);

	if (err == CV_OK)
		err = get_rules(&r, tree);
	json_free(tree);
	if (err == CV_OK)
		*rules = r;
	return err;
}
