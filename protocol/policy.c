#include "protocol/policy.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/json_get.h"
#include "protocol/line.h"
#include "protocol/policy_read.h"

static enum cv_err get_boot(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	static const char *const names[] = {"max_keys", "max_step", NULL};
	const struct cJSON *rules;
	uint64_t max_keys = 0;
	enum cv_err err = policy_section_get(tree, "boot", 0, &p->boot, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	err = policy_only(rules, "boot", names, c);
	if (err == CV_OK)
		err = policy_number(rules, "boot", "max_keys", 1, UINT32_MAX, &max_keys, c);
	if (err == CV_OK)
		err = policy_number(rules, "boot", "max_step", 1, CV_JSON_INTEGER_MAX,
			&p->boot_max_step, c);
	p->boot_max_keys = (uint32_t)max_keys;
	return err;
}

static enum cv_err get_values(
	const cJSON *item, struct policy_measurement *m, const struct policy_complaint *c)
{
	const cJSON *value;
	enum cv_err err;

	if (!cJSON_IsArray(item) || item->child == NULL)
		return policy_complain(c, CV_ERR_TYPE, "measurements", item->string,
			"must be a list of at least one value");
	cJSON_ArrayForEach(value, item)
	{
		if (m->count >= CV_REFERENCE_VALUES_MAX)
			return policy_complain(c, CV_ERR_TOO_LONG, "measurements", item->string,
				"too many values");
		err = policy_hash(m->values[m->count], value);
		if (err != CV_OK)
			return policy_complain(c, err, "measurements", item->string,
				"a value is not 64 lower-case hex digits");
		m->count++;
	}
	return CV_OK;
}

static enum cv_err get_measurements(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	const struct cJSON *rules;
	const cJSON *item;
	enum cv_err err = policy_section_get(tree, "measurements", 1, &p->measurements, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	cJSON_ArrayForEach(item, rules)
	{
		struct policy_measurement *m = &p->measurement[p->measurement_count];

		if (p->measurement_count >= CV_DIGESTS_MAX)
			return policy_complain(
				c, CV_ERR_TOO_LONG, "measurements", NULL, "too many names");
		if (!evidence_name_valid(item->string))
			return policy_complain(c, CV_ERR_FORMAT, "measurements", NULL,
				"a name is not [a-z0-9][a-z0-9._-]{0,62}");
		memcpy(m->name, item->string, strlen(item->string) + 1);
		p->measurement_count++;
		err = get_values(item, m, c);
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static enum cv_err get_iat(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	static const char *const names[] = {"max_age_seconds", "max_ahead_seconds", NULL};
	const struct cJSON *rules;
	enum cv_err err = policy_section_get(tree, "iat", 1, &p->iat, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	err = policy_only(rules, "iat", names, c);
	if (err == CV_OK)
		err = policy_number(rules, "iat", "max_age_seconds", 0, CV_JSON_INTEGER_MAX,
			&p->iat_max_age_s, c);
	if (err == CV_OK)
		err = policy_number(rules, "iat", "max_ahead_seconds", 0, CV_JSON_INTEGER_MAX,
			&p->iat_max_ahead_s, c);
	return err;
}

static enum cv_err policy_from(
	struct policy *p, const struct cJSON *tree, const struct policy_complaint *c)
{
	static const char *const names[] = {"v", "policy_version", "boot", "measurements", "place",
		"iat", "pcrs", "tpm_firmware", "platform", "inventory", "events", "lease_seconds",
		"reveal_reason", NULL};
	uint64_t format = 0;
	uint64_t lease = 0;
	int reveal = 0;
	enum cv_err err = policy_only(tree, "", names, c);

	if (err == CV_OK)
		err = policy_number(tree, "", "v", 1, 1, &format, c);
	if (err == CV_OK)
		err = policy_number(
			tree, "", "policy_version", 1, CV_JSON_INTEGER_MAX, &p->version, c);
	if (err == CV_OK)
		err = get_boot(tree, p, c);
	if (err == CV_OK)
		err = get_measurements(tree, p, c);
	if (err == CV_OK)
		err = policy_place_get(tree, p, c);
	if (err == CV_OK)
		err = policy_platform_get(tree, p, c);
	if (err == CV_OK)
		err = policy_inventory_get(tree, p, c);
	if (err == CV_OK)
		err = get_iat(tree, p, c);
	if (err == CV_OK)
		err = policy_pcrs_get(tree, p, c);
	if (err == CV_OK)
		err = policy_firmware_get(tree, p, c);
	if (err == CV_OK)
		err = policy_events_get(tree, p, c);
	if (err == CV_OK)
		err = policy_number(tree, "", "lease_seconds", 0, UINT32_MAX, &lease, c);
	if (err == CV_OK && json_get_bool(tree, "reveal_reason", &reveal) != CV_OK)
		err = policy_complain(
			c, CV_ERR_TYPE, "", "reveal_reason", "missing or not true or false");
	p->lease_s = (uint32_t)lease;
	p->reveal_reason = (uint8_t)reveal;
	return err;
}

enum cv_err policy_decode_tree(
	struct policy *p, const struct cJSON *tree, char *problem, size_t problem_cap)
{
	struct policy_complaint c = {problem, problem_cap};
	enum cv_err err;

	memset(p, 0, sizeof(*p));
	err = policy_from(p, tree, &c);
	if (err != CV_OK)
		memset(p, 0, sizeof(*p));
	return err;
}

enum cv_err policy_decode(
	struct policy *p, const char *json, size_t len, char *problem, size_t problem_cap)
{
	struct policy_complaint c = {problem, problem_cap};
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, json, len, CV_POLICY_MAX);

	if (err != CV_OK) {
		memset(p, 0, sizeof(*p));
		return policy_complain(&c, err, "", "policy", cv_err_text(err));
	}
	err = policy_decode_tree(p, tree, problem, problem_cap);
	json_free(tree);
	return err;
}

enum cv_err policy_lint(const struct policy *p, char *problem, size_t problem_cap)
{
	struct policy_complaint c = {problem, problem_cap};
	const struct {
		const char *name;
		enum policy_section section;
	} sections[] = {
		{"boot", p->boot},
		{"measurements", p->measurements},
		{"place", p->place},
		{"platform", p->platform},
		{"inventory", p->inventory},
		{"events", p->events},
		{"iat", p->iat},
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (sections[i].section == POLICY_EMPTY)
			return policy_complain(&c, CV_ERR_TYPE, sections[i].name, NULL,
				"absent or empty: nothing would ever be released");
	}
	return CV_OK;
}

enum cv_err policy_lint_class(const struct policy *p, enum trust_class trust_class,
	char *problem, size_t problem_cap)
{
	struct policy_complaint c = {problem, problem_cap};
	const struct {
		const char *name;
		enum policy_section section;
	} sections[] = {
		{"pcrs", p->pcrs},
		{"tpm_firmware", p->firmware},
		{"events", p->events},
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (trust_class == TRUST_TPM && sections[i].section == POLICY_EMPTY)
			return policy_complain(&c, CV_ERR_TYPE, sections[i].name, NULL,
				"absent or empty: a device with a TPM would get nothing");
		if (trust_class != TRUST_TPM && sections[i].section == POLICY_RULES)
			return policy_complain(&c, CV_ERR_TYPE, sections[i].name, NULL,
				"only a device of trust class tpm can keep this rule");
	}
	return CV_OK;
}
