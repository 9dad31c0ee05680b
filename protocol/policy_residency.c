/* What a policy says of the machine and of what was booted on it. */
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/inventory.h"
#include "protocol/json_get.h"
#include "protocol/policy_read.h"

static enum cv_err get_patterns(const struct cJSON *rules, const char *name,
	struct policy_list *list, const struct policy_complaint *c)
{
	enum cv_err err = policy_texts(rules, "inventory", name, list, c);

	for (size_t i = 0; i < list->count && err == CV_OK; i++) {
		if (!inventory_pattern_valid(list->names[i]))
			err = policy_complain(c, CV_ERR_FORMAT, "inventory", name,
				"an item is not [a-z0-9][a-z0-9._-]{0,62} or its start and *");
	}
	return err;
}

enum cv_err policy_inventory_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	static const char *const names[] = {"required", "recorded", NULL};
	const struct cJSON *rules;
	enum cv_err err = policy_section_later(tree, "inventory", &p->inventory, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	err = policy_only(rules, "inventory", names, c);
	if (err == CV_OK)
		err = get_patterns(rules, "required", &p->inventory_required, c);
	if (err == CV_OK)
		err = get_patterns(rules, "recorded", &p->inventory_recorded, c);
	return err;
}

static enum cv_err get_command_lines(
	const struct cJSON *rules, struct policy *p, const struct policy_complaint *c)
{
	const cJSON *array = cJSON_GetObjectItemCaseSensitive(rules, "cmdline");
	const cJSON *value;

	if (array == NULL)
		return CV_OK;
	if (!cJSON_IsArray(array) || array->child == NULL)
		return policy_complain(c, CV_ERR_TYPE, "platform", "cmdline",
			"must be a list of at least one value");
	cJSON_ArrayForEach(value, array)
	{
		if (p->cmdline_count >= CV_PCR_VALUES_MAX)
			return policy_complain(
				c, CV_ERR_TOO_LONG, "platform", "cmdline", "too many values");
		if (policy_hash(p->cmdlines[p->cmdline_count++], value) != CV_OK)
			return policy_complain(c, CV_ERR_FORMAT, "platform", "cmdline",
				"a value is not 64 lower-case hex digits");
	}
	return CV_OK;
}

enum cv_err policy_platform_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	static const char *const names[] = {"kernel", "boot_state", "cmdline", NULL};
	const struct cJSON *rules;
	enum cv_err err = policy_section_later(tree, "platform", &p->platform, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	err = policy_only(rules, "platform", names, c);
	if (err == CV_OK)
		err = policy_texts(rules, "platform", "kernel", &p->kernels, c);
	if (err == CV_OK)
		err = policy_texts(rules, "platform", "boot_state", &p->boot_states, c);
	if (err == CV_OK)
		err = get_command_lines(rules, p, c);
	return err;
}
