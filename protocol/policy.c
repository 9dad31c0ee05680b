#include "protocol/policy.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/json_get.h"
#include "protocol/line.h"

#define NOT_REQUIRED "not_required"
#define NAME_SHOWN 63

/* Where the first mistake is reported. */
struct complaint {
	char *text;
	size_t cap;
};

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

static enum cv_err complain(const struct complaint *c, enum cv_err err, const char *section,
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

/* *rules is NULL unless the section is an object with members. */
static enum cv_err get_section(const struct cJSON *tree, const char *name, int may_waive,
	enum policy_section *section, const struct cJSON **rules, const struct complaint *c)
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
	if (may_waive && cJSON_IsString(item) && text_equal(item->valuestring, NOT_REQUIRED)) {
		*section = POLICY_NOT_REQUIRED;
		return CV_OK;
	}
	return complain(c, CV_ERR_TYPE, name, NULL,
		may_waive ? "must be an object or \"not_required\"" : "must be an object");
}

static enum cv_err only(const struct cJSON *object, const char *section, const char *const *names,
	const struct complaint *c)
{
	for (const cJSON *item = object->child; item != NULL; item = item->next) {
		const char *const *name = names;

		while (*name != NULL && !text_equal(*name, item->string))
			name++;
		if (*name == NULL)
			return complain(c, CV_ERR_TYPE, section, item->string, "unknown member");
	}
	return CV_OK;
}

static enum cv_err number(const struct cJSON *object, const char *section, const char *name,
	uint64_t min, uint64_t max, uint64_t *out, const struct complaint *c)
{
	enum cv_err err = json_get_u64(object, name, min, max, out);

	if (err == CV_ERR_TYPE)
		return complain(c, err, section, name, "missing or not an integer");
	if (err != CV_OK)
		return complain(c, err, section, name, "out of range");
	return CV_OK;
}

static enum cv_err get_boot(const struct cJSON *tree, struct policy *p, const struct complaint *c)
{
	static const char *const names[] = {"max_keys", "max_step", NULL};
	const struct cJSON *rules;
	uint64_t max_keys = 0;
	enum cv_err err = get_section(tree, "boot", 0, &p->boot, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	err = only(rules, "boot", names, c);
	if (err == CV_OK)
		err = number(rules, "boot", "max_keys", 1, UINT32_MAX, &max_keys, c);
	if (err == CV_OK)
		err = number(rules, "boot", "max_step", 1, CV_JSON_INTEGER_MAX,
			&p->boot_max_step, c);
	p->boot_max_keys = (uint32_t)max_keys;
	return err;
}

static enum cv_err get_values(
	const cJSON *item, struct policy_measurement *m, const struct complaint *c)
{
	const cJSON *value;
	enum cv_err err;

	if (!cJSON_IsArray(item) || item->child == NULL)
		return complain(c, CV_ERR_TYPE, "measurements", item->string,
			"must be a list of at least one value");
	cJSON_ArrayForEach(value, item)
	{
		if (m->count >= CV_REFERENCE_VALUES_MAX)
			return complain(c, CV_ERR_TOO_LONG, "measurements", item->string,
				"too many values");
		err = cJSON_IsString(value) ?
			hex_decode(m->values[m->count], CV_HASH_BYTES, value->valuestring,
				strlen(value->valuestring)) :
			CV_ERR_TYPE;
		if (err != CV_OK)
			return complain(c, err, "measurements", item->string,
				"a value is not 64 lower-case hex digits");
		m->count++;
	}
	return CV_OK;
}

static enum cv_err get_measurements(
	const struct cJSON *tree, struct policy *p, const struct complaint *c)
{
	const struct cJSON *rules;
	const cJSON *item;
	enum cv_err err = get_section(tree, "measurements", 1, &p->measurements, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	cJSON_ArrayForEach(item, rules)
	{
		struct policy_measurement *m = &p->measurement[p->measurement_count];

		if (p->measurement_count >= CV_DIGESTS_MAX)
			return complain(c, CV_ERR_TOO_LONG, "measurements", NULL, "too many names");
		if (!evidence_name_valid(item->string))
			return complain(c, CV_ERR_FORMAT, "measurements", NULL,
				"a name is not [a-z0-9][a-z0-9._-]{0,62}");
		memcpy(m->name, item->string, strlen(item->string) + 1);
		p->measurement_count++;
		err = get_values(item, m, c);
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static enum cv_err get_list(const struct cJSON *rules, const char *name, struct policy_list *list,
	const struct complaint *c)
{
	const cJSON *array = cJSON_GetObjectItemCaseSensitive(rules, name);
	const cJSON *item;

	if (array == NULL)
		return CV_OK;
	if (!cJSON_IsArray(array) || array->child == NULL)
		return complain(
			c, CV_ERR_TYPE, "place", name, "must be a list of at least one name");
	list->present = 1;
	cJSON_ArrayForEach(item, array)
	{
		if (list->count >= CV_PLACES_MAX)
			return complain(c, CV_ERR_TOO_LONG, "place", name, "too many names");
		if (!cJSON_IsString(item) || !evidence_text_valid(item->valuestring))
			return complain(c, CV_ERR_TYPE, "place", name,
				"a name is not 1 to 63 printable ASCII characters");
		memcpy(list->names[list->count++], item->valuestring,
			strlen(item->valuestring) + 1);
	}
	return CV_OK;
}

static enum cv_err get_place(const struct cJSON *tree, struct policy *p, const struct complaint *c)
{
	static const char *const names[] = {"regions", "states", "cities", NULL};
	const struct cJSON *rules;
	enum cv_err err = get_section(tree, "place", 1, &p->place, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	err = only(rules, "place", names, c);
	if (err == CV_OK)
		err = get_list(rules, "regions", &p->regions, c);
	if (err == CV_OK)
		err = get_list(rules, "states", &p->states, c);
	if (err == CV_OK)
		err = get_list(rules, "cities", &p->cities, c);
	return err;
}

static enum cv_err get_iat(const struct cJSON *tree, struct policy *p, const struct complaint *c)
{
	static const char *const names[] = {"max_age_seconds", "max_ahead_seconds", NULL};
	const struct cJSON *rules;
	enum cv_err err = get_section(tree, "iat", 1, &p->iat, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	err = only(rules, "iat", names, c);
	if (err == CV_OK)
		err = number(rules, "iat", "max_age_seconds", 0, CV_JSON_INTEGER_MAX,
			&p->iat_max_age_s, c);
	if (err == CV_OK)
		err = number(rules, "iat", "max_ahead_seconds", 0, CV_JSON_INTEGER_MAX,
			&p->iat_max_ahead_s, c);
	return err;
}

/* "0" .. "15" without leading zeros; the position, or -1. */
static int pcr_position(const char *name)
{
	unsigned int number = 0;
	size_t len = strlen(name);

	if (len < 1 || len > 2 || (len == 2 && name[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		number = 10 * number + (unsigned int)(name[i] - '0');
	}
	return tpm_pcr_position(number);
}

static enum cv_err get_pcr(const cJSON *item, struct policy_pcr *pcr, const struct complaint *c)
{
	const cJSON *value;
	enum cv_err err;

	if (!cJSON_IsArray(item) || item->child == NULL)
		return complain(c, CV_ERR_TYPE, "pcrs", item->string,
			"must be a list of at least one value");
	cJSON_ArrayForEach(value, item)
	{
		if (pcr->count >= CV_PCR_VALUES_MAX)
			return complain(
				c, CV_ERR_TOO_LONG, "pcrs", item->string, "too many values");
		err = cJSON_IsString(value) ?
			hex_decode(pcr->values[pcr->count], CV_HASH_BYTES, value->valuestring,
				strlen(value->valuestring)) :
			CV_ERR_TYPE;
		if (err != CV_OK)
			return complain(c, err, "pcrs", item->string,
				"a value is not 64 lower-case hex digits");
		pcr->count++;
	}
	return CV_OK;
}

static enum cv_err get_pcrs(const struct cJSON *tree, struct policy *p, const struct complaint *c)
{
	const struct cJSON *rules;
	const cJSON *item;
	enum cv_err err = get_section(tree, "pcrs", 1, &p->pcrs, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	cJSON_ArrayForEach(item, rules)
	{
		const int position = pcr_position(item->string);

		if (position < 0)
			return complain(c, CV_ERR_RANGE, "pcrs", NULL,
				"a PCR is not one of 0 to 9 and 11 to 15, which a quote covers");
		err = get_pcr(item, &p->pcr[position], c);
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static enum cv_err get_firmware_value(const cJSON *value, uint64_t *out)
{
	uint8_t raw[8];
	enum cv_err err = cJSON_IsString(value) ?
		hex_decode(raw, sizeof(raw), value->valuestring, strlen(value->valuestring)) :
		CV_ERR_TYPE;

	if (err != CV_OK)
		return err;
	*out = 0;
	for (size_t i = 0; i < sizeof(raw); i++)
		*out = *out << 8 | raw[i];
	return CV_OK;
}

/* A list, where the other sections are objects; an empty one is as good as none. */
static enum cv_err get_firmware(
	const struct cJSON *tree, struct policy *p, const struct complaint *c)
{
	static const char name[] = "tpm_firmware";
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, name);
	const cJSON *value;
	enum cv_err err;

	p->firmware = POLICY_EMPTY;
	if (item == NULL)
		return CV_OK;
	if (cJSON_IsString(item) && text_equal(item->valuestring, NOT_REQUIRED)) {
		p->firmware = POLICY_NOT_REQUIRED;
		return CV_OK;
	}
	if (!cJSON_IsArray(item))
		return complain(
			c, CV_ERR_TYPE, name, NULL, "must be a list or \"not_required\"");
	cJSON_ArrayForEach(value, item)
	{
		if (p->firmware_count >= CV_PCR_VALUES_MAX)
			return complain(c, CV_ERR_TOO_LONG, name, NULL, "too many versions");
		err = get_firmware_value(value, &p->firmwares[p->firmware_count++]);
		if (err != CV_OK)
			return complain(c, err, name, NULL,
				"a version is not 16 lower-case hex digits");
		p->firmware = POLICY_RULES;
	}
	return CV_OK;
}

static enum cv_err policy_from(
	struct policy *p, const struct cJSON *tree, const struct complaint *c)
{
	static const char *const names[] = {"v", "policy_version", "boot", "measurements", "place",
		"iat", "pcrs", "tpm_firmware", "lease_seconds", "reveal_reason", NULL};
	uint64_t format = 0;
	uint64_t lease = 0;
	int reveal = 0;
	enum cv_err err = only(tree, "", names, c);

	if (err == CV_OK)
		err = number(tree, "", "v", 1, 1, &format, c);
	if (err == CV_OK)
		err = number(tree, "", "policy_version", 1, CV_JSON_INTEGER_MAX, &p->version, c);
	if (err == CV_OK)
		err = get_boot(tree, p, c);
	if (err == CV_OK)
		err = get_measurements(tree, p, c);
	if (err == CV_OK)
		err = get_place(tree, p, c);
	if (err == CV_OK)
		err = get_iat(tree, p, c);
	if (err == CV_OK)
		err = get_pcrs(tree, p, c);
	if (err == CV_OK)
		err = get_firmware(tree, p, c);
	if (err == CV_OK)
		err = number(tree, "", "lease_seconds", 0, UINT32_MAX, &lease, c);
	if (err == CV_OK && json_get_bool(tree, "reveal_reason", &reveal) != CV_OK)
		err = complain(c, CV_ERR_TYPE, "", "reveal_reason", "missing or not true or false");
	p->lease_s = (uint32_t)lease;
	p->reveal_reason = (uint8_t)reveal;
	return err;
}

enum cv_err policy_decode(
	struct policy *p, const char *json, size_t len, char *problem, size_t problem_cap)
{
	struct complaint c = {problem, problem_cap};
	struct cJSON *tree = NULL;
	enum cv_err err;

	memset(p, 0, sizeof(*p));
	err = json_parse(&tree, json, len, CV_POLICY_MAX);
	if (err != CV_OK)
		return complain(&c, err, "", "policy", cv_err_text(err));
	err = policy_from(p, tree, &c);
	if (err != CV_OK)
		memset(p, 0, sizeof(*p));
	json_free(tree);
	return err;
}

enum cv_err policy_lint(const struct policy *p, char *problem, size_t problem_cap)
{
	struct complaint c = {problem, problem_cap};
	const struct {
		const char *name;
		enum policy_section section;
	} sections[] = {
		{"boot", p->boot},
		{"measurements", p->measurements},
		{"place", p->place},
		{"iat", p->iat},
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (sections[i].section == POLICY_EMPTY)
			return complain(&c, CV_ERR_TYPE, sections[i].name, NULL,
				"absent or empty: nothing would ever be released");
	}
	return CV_OK;
}

enum cv_err policy_lint_class(const struct policy *p, enum trust_class trust_class,
	char *problem, size_t problem_cap)
{
	struct complaint c = {problem, problem_cap};
	const struct {
		const char *name;
		enum policy_section section;
	} sections[] = {
		{"pcrs", p->pcrs},
		{"tpm_firmware", p->firmware},
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (trust_class == TRUST_TPM && sections[i].section == POLICY_EMPTY)
			return complain(&c, CV_ERR_TYPE, sections[i].name, NULL,
				"absent or empty: a device with a TPM would get nothing");
		if (trust_class != TRUST_TPM && sections[i].section == POLICY_RULES)
			return complain(&c, CV_ERR_TYPE, sections[i].name, NULL,
				"only a device of trust class tpm can keep this rule");
	}
	return CV_OK;
}
