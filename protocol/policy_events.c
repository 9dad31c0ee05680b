/* What a policy says of the events behind a PCR's value (eventlog.h). */
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/json_get.h"
#include "protocol/policy_read.h"

#define SECTION "events"

static enum cv_err get_values(const cJSON *array, struct policy *p, size_t position, uint8_t name,
	const struct policy_complaint *c, const char *shown)
{
	const cJSON *value;
	uint16_t *chain;

	if (!cJSON_IsArray(array) || array->child == NULL)
		return policy_complain(
			c, CV_ERR_TYPE, SECTION, shown, "must be a list of at least one value");
	cJSON_ArrayForEach(value, array)
	{
		struct policy_event_value *out = &p->event_values[p->event_value_count];

		if (p->event_value_count >= CV_EVENT_VALUES_MAX)
			return policy_complain(
				c, CV_ERR_TOO_LONG, SECTION, shown, "too many values");
		if (policy_hash(out->digest, value) != CV_OK)
			return policy_complain(c, CV_ERR_FORMAT, SECTION, shown,
				"a value is not 64 lower-case hex digits");
		out->position = (uint8_t)position;
		out->name = name;
		chain = &p->event_chains[out->digest[CV_HASH_BYTES - 1]];
		out->next = *chain;
		*chain = ++p->event_value_count;
	}
	return CV_OK;
}

static enum cv_err get_required(const cJSON *object, struct policy *p, size_t position,
	const struct policy_complaint *c, const char *pcr)
{
	const cJSON *item;
	enum cv_err err;

	if (!cJSON_IsObject(object) || object->child == NULL)
		return policy_complain(c, CV_ERR_TYPE, SECTION, pcr,
			"required: must name at least one event, or nothing at all would do");
	cJSON_ArrayForEach(item, object)
	{
		struct policy_event_name *name = &p->event_names[p->event_name_count];

		if (p->event_name_count >= CV_EVENT_NAMES_MAX)
			return policy_complain(c, CV_ERR_TOO_LONG, SECTION, pcr, "too many names");
		if (!evidence_name_valid(item->string))
			return policy_complain(c, CV_ERR_FORMAT, SECTION, pcr,
				"a name is not [a-z0-9][a-z0-9._-]{0,62}");
		memcpy(name->name, item->string, strlen(item->string) + 1);
		name->position = (uint8_t)position;
		err = get_values(item, p, position, p->event_name_count, c, item->string);
		if (err != CV_OK)
			return err;
		p->event_name_count++;
	}
	return CV_OK;
}

static enum cv_err get_pcr(
	const cJSON *item, struct policy *p, size_t position, const struct policy_complaint *c)
{
	static const char *const names[] = {"required", "allowed", NULL};
	enum cv_err err = CV_ERR_TYPE;

	if (!cJSON_IsObject(item))
		return policy_complain(c, err, SECTION, item->string, "must be an object");
	err = policy_only(item, SECTION, names, c);
	if (err == CV_OK)
		err = get_required(cJSON_GetObjectItemCaseSensitive(item, "required"), p, position,
			c, item->string);
	if (err == CV_OK && json_has(item, "allowed"))
		err = get_values(cJSON_GetObjectItemCaseSensitive(item, "allowed"), p, position,
			CV_EVENT_NAMES_MAX, c, "allowed");
	return err;
}

enum cv_err policy_events_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	const struct cJSON *rules;
	const cJSON *item;
	enum cv_err err = policy_section_later(tree, SECTION, &p->events, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	cJSON_ArrayForEach(item, rules)
	{
		const int position = policy_pcr_position(item->string);

		if (position < 0)
			return policy_complain(c, CV_ERR_RANGE, SECTION, NULL,
				"a PCR is not one of 0 to 9 and 11 to 15, which a quote covers");
		p->event_pcrs = (uint16_t)(p->event_pcrs | 1u << position);
		err = get_pcr(item, p, (size_t)position, c);
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}
