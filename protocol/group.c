/* The sections of a group's policy that people write (docs/policy.md). */
#include "protocol/group.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/group_read.h"
#include "protocol/json_get.h"
#include "protocol/line.h"
#include "protocol/scratch.h"

#define NOT_REQUIRED "not_required"
#define MINUTES_PER_DAY 1440

enum cv_err group_complain(const struct group_reader *r, enum cv_err err, const char *section,
	const char *what)
{
	struct line l;

	if (r->problem == NULL || r->cap == 0)
		return err;
	line_begin(&l, r->problem, r->cap);
	line_text(&l, section);
	line_text(&l, ": ");
	line_text(&l, what);
	return err;
}

/* Absent counts as "not required" only where the caller says so. */
static enum cv_err get_section(const struct group_reader *r, const char *name, int optional,
	enum policy_section *section, const cJSON **item)
{
	*item = cJSON_GetObjectItemCaseSensitive(r->tree, name);
	*section = POLICY_EMPTY;
	if (*item == NULL && !optional)
		return group_complain(
			r, CV_ERR_TYPE, name, "missing: give rules or \"not_required\"");
	if (*item == NULL || (cJSON_IsString(*item) &&
				     text_equal((*item)->valuestring, NOT_REQUIRED))) {
		*section = POLICY_NOT_REQUIRED;
		*item = NULL;
		return CV_OK;
	}
	*section = POLICY_RULES;
	return CV_OK;
}

/* A time, if the member is there. */
static enum cv_err get_time(
	const struct group_reader *r, const cJSON *object, const char *name, uint64_t *seconds)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (item == NULL)
		return CV_OK;
	if (!cJSON_IsString(item) || group_time_parse(item->valuestring, seconds) != CV_OK)
		return group_complain(
			r, CV_ERR_FORMAT, name, "must be a time like \"2026-01-02T03:04:05Z\"");
	return CV_OK;
}

static enum cv_err get_name(const struct group_reader *r, const cJSON *object, const char *section,
	const char *name, char out[EVIDENCE_TEXT_BUF])
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (!cJSON_IsString(item) || !evidence_text_valid(item->valuestring))
		return group_complain(r, CV_ERR_TYPE, section,
			"a name is not 1 to 63 printable ASCII characters");
	memcpy(out, item->valuestring, strlen(item->valuestring) + 1);
	return CV_OK;
}

static enum cv_err get_reference(const struct group_reader *r, const cJSON *item,
	const char *measurement, struct group_reference *ref)
{
	static const char section[] = "references";
	static const char *const names[] = {"name", "value", "from", "until", NULL};
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, "value");
	enum cv_err err;

	if (!cJSON_IsObject(item) || json_only(item, names) != CV_OK)
		return group_complain(r, CV_ERR_TYPE, section,
			"a value must be {\"name\",\"value\",\"from\"?,\"until\"?}");
	if (!cJSON_IsString(value) || hex_decode(ref->value, sizeof(ref->value), value->valuestring,
					      strlen(value->valuestring)) != CV_OK)
		return group_complain(
			r, CV_ERR_FORMAT, section, "a value is not 64 lower-case hex digits");
	memcpy(ref->measurement, measurement, strlen(measurement) + 1);
	ref->until_s = UINT64_MAX;
	err = get_name(r, item, section, "name", ref->name);
	if (err == CV_OK)
		err = get_time(r, item, "from", &ref->from_s);
	if (err == CV_OK)
		err = get_time(r, item, "until", &ref->until_s);
	if (err == CV_OK && ref->until_s <= ref->from_s)
		err = group_complain(r, CV_ERR_RANGE, section, "a value ends before it begins");
	return err;
}

static enum cv_err count_references(
	const struct group_reader *r, const cJSON *rules, size_t *count)
{
	static const char section[] = "references";
	const cJSON *list;
	size_t names = 0;

	*count = 0;
	cJSON_ArrayForEach(list, rules)
	{
		if (!evidence_name_valid(list->string))
			return group_complain(r, CV_ERR_FORMAT, section,
				"a measurement is not [a-z0-9][a-z0-9._-]{0,62}");
		if (!cJSON_IsArray(list) || list->child == NULL)
			return group_complain(r, CV_ERR_TYPE, section,
				"a measurement needs a list of at least one value");
		*count += (size_t)cJSON_GetArraySize(list);
		names++;
	}
	if (names > CV_DIGESTS_MAX || *count > GROUP_REFERENCES_MAX)
		return group_complain(r, CV_ERR_TOO_LONG, section, "too many values");
	return CV_OK;
}

static enum cv_err get_references(const struct group_reader *r, struct group_policy *p)
{
	const cJSON *rules, *list, *item;
	size_t count = 0, n = 0;
	enum cv_err err = get_section(r, "references", 1, &p->references, &rules);

	if (err != CV_OK || rules == NULL)
		return err;
	if (!cJSON_IsObject(rules) || rules->child == NULL)
		return group_complain(r, CV_ERR_TYPE, "references",
			"must be an object with members or \"not_required\"");
	err = count_references(r, rules, &count);
	if (err != CV_OK)
		return err;
	p->reference = scratch_alloc(count * sizeof(*p->reference));
	if (p->reference == NULL)
		return CV_ERR_MEMORY;
	p->reference_count = count;
	memset(p->reference, 0, count * sizeof(*p->reference));
	cJSON_ArrayForEach(list, rules)
	{
		cJSON_ArrayForEach(item, list)
		{
			err = get_reference(r, item, list->string, &p->reference[n++]);
			if (err != CV_OK)
				return err;
		}
	}
	return CV_OK;
}

static enum cv_err get_classes(const struct group_reader *r, struct group_policy *p)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(r->tree, "trust_classes");
	const cJSON *item;

	if (!cJSON_IsArray(list) || list->child == NULL)
		return group_complain(r, CV_ERR_TYPE, "trust_classes",
			"must be a list of \"tpm\", \"microcontroller\", \"software\"");
	cJSON_ArrayForEach(item, list)
	{
		const enum trust_class c =
			cJSON_IsString(item) ? trust_class_parse(item->valuestring) : 0;

		if (c == 0 || (p->trust_classes & 1u << c) != 0)
			return group_complain(r, CV_ERR_TYPE, "trust_classes",
				"a class is unknown or there twice");
		p->trust_classes |= 1u << c;
	}
	return CV_OK;
}

static enum cv_err get_clients(const struct group_reader *r, struct group_policy *p)
{
	static const char section[] = "min_client";
	const cJSON *rules, *item;
	enum cv_err err = get_section(r, section, 0, &p->clients, &rules);

	if (err != CV_OK || rules == NULL)
		return err;
	if (!cJSON_IsObject(rules) || rules->child == NULL)
		return group_complain(r, CV_ERR_TYPE, section,
			"must be an object with members or \"not_required\"");
	cJSON_ArrayForEach(item, rules)
	{
		struct group_client *c = &p->client[p->client_count];

		if (p->client_count == GROUP_CLIENTS_MAX)
			return group_complain(r, CV_ERR_TOO_LONG, section, "too many names");
		if (!evidence_text_valid(item->string) || !cJSON_IsString(item) ||
			!evidence_text_valid(item->valuestring))
			return group_complain(r, CV_ERR_TYPE, section,
				"names and versions are 1 to 63 printable ASCII characters");
		memcpy(c->name, item->string, strlen(item->string) + 1);
		memcpy(c->version, item->valuestring, strlen(item->valuestring) + 1);
		p->client_count++;
	}
	return CV_OK;
}

/* "HH:MM", also "24:00" where a window ends with the day. */
static enum cv_err get_minute(const struct group_reader *r, const cJSON *object, const char *name,
	uint16_t *minute)
{
	static const char form[] = "00:00";
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	const char *t = cJSON_IsString(item) ? item->valuestring : "";
	unsigned int value;

	for (size_t i = 0; i < sizeof(form); i++) {
		if (form[i] == '0' ? t[i] < '0' || t[i] > '9' : t[i] != form[i])
			return group_complain(r, CV_ERR_FORMAT, "windows",
				"`from` and `until` must be UTC like \"22:30\"");
	}
	value = (unsigned int)(t[0] - '0') * 600 + (unsigned int)(t[1] - '0') * 60 +
		(unsigned int)(t[3] - '0') * 10 + (unsigned int)(t[4] - '0');
	if (t[3] > '5' || value > MINUTES_PER_DAY || (value == MINUTES_PER_DAY && name[0] == 'f'))
		return group_complain(r, CV_ERR_RANGE, "windows", "there is no such time of day");
	*minute = (uint16_t)value;
	return CV_OK;
}

static enum cv_err get_days(const struct group_reader *r, const cJSON *object, uint8_t *days)
{
	static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "days");
	const cJSON *item;

	if (!cJSON_IsArray(list) || list->child == NULL)
		return group_complain(r, CV_ERR_TYPE, "windows",
			"`days` must be a list of \"mon\" .. \"sun\"");
	cJSON_ArrayForEach(item, list)
	{
		size_t day = 0;

		while (day < 7 &&
			!(cJSON_IsString(item) && text_equal(item->valuestring, names[day])))
			day++;
		if (day == 7 || (*days & 1u << day) != 0)
			return group_complain(
				r, CV_ERR_TYPE, "windows", "a day is unknown or there twice");
		*days = (uint8_t)(*days | 1u << day);
	}
	return CV_OK;
}

static enum cv_err get_windows(const struct group_reader *r, struct group_policy *p)
{
	static const char section[] = "windows";
	static const char *const names[] = {"days", "from", "until", NULL};
	const cJSON *rules, *item;
	enum cv_err err = get_section(r, section, 0, &p->windows, &rules);

	if (err != CV_OK || rules == NULL)
		return err;
	if (!cJSON_IsArray(rules) || rules->child == NULL)
		return group_complain(r, CV_ERR_TYPE, section,
			"must be a list of at least one window or \"not_required\"");
	cJSON_ArrayForEach(item, rules)
	{
		struct group_window *w = &p->window[p->window_count];

		if (p->window_count == GROUP_WINDOWS_MAX)
			return group_complain(r, CV_ERR_TOO_LONG, section, "too many windows");
		if (!cJSON_IsObject(item) || json_only(item, names) != CV_OK)
			return group_complain(r, CV_ERR_TYPE, section,
				"a window must be {\"days\",\"from\",\"until\"}");
		err = get_days(r, item, &w->days);
		if (err == CV_OK)
			err = get_minute(r, item, "from", &w->from_minute);
		if (err == CV_OK)
			err = get_minute(r, item, "until", &w->until_minute);
		if (err != CV_OK)
			return err;
		p->window_count++;
	}
	return CV_OK;
}

static enum cv_err get_maintenance(const struct group_reader *r, struct group_policy *p)
{
	static const char section[] = "maintenance";
	static const char *const names[] = {"from", "until", NULL};
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(r->tree, section);
	const cJSON *item;
	enum cv_err err = CV_OK;

	if (list != NULL && !cJSON_IsArray(list))
		return group_complain(r, CV_ERR_TYPE, section, "must be a list");
	cJSON_ArrayForEach(item, list)
	{
		struct group_period *m = &p->maintenance[p->maintenance_count];

		if (p->maintenance_count == GROUP_WINDOWS_MAX)
			return group_complain(r, CV_ERR_TOO_LONG, section, "too many periods");
		if (!cJSON_IsObject(item) || json_only(item, names) != CV_OK ||
			!json_has(item, "from") || !json_has(item, "until"))
			return group_complain(
				r, CV_ERR_TYPE, section, "a period must be {\"from\",\"until\"}");
		err = get_time(r, item, "from", &m->from_s);
		if (err == CV_OK)
			err = get_time(r, item, "until", &m->until_s);
		if (err == CV_OK && m->until_s <= m->from_s)
			err = group_complain(
				r, CV_ERR_RANGE, section, "a period ends before it begins");
		if (err != CV_OK)
			return err;
		p->maintenance_count++;
	}
	return CV_OK;
}

static enum cv_err get_quota(const struct group_reader *r, struct group_policy *p)
{
	static const char section[] = "releases_per_day";
	const cJSON *rules;
	uint64_t n = 0;
	enum cv_err err = get_section(r, section, 0, &p->quota, &rules);

	if (err != CV_OK || rules == NULL)
		return err;
	if (json_get_u64(r->tree, section, 1, 100000, &n) != CV_OK)
		return group_complain(r, CV_ERR_RANGE, section,
			"must be a number from 1 to 100000 or \"not_required\"");
	p->releases_per_day = (uint32_t)n;
	return CV_OK;
}

/* One of two words, since a default would decide for the author. */
static enum cv_err get_choice(const struct group_reader *r, const char *name, const char *no,
	const char *yes, const char *problem, uint8_t *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(r->tree, name);

	if (cJSON_IsString(item) && text_equal(item->valuestring, yes))
		*out = 1;
	else if (!cJSON_IsString(item) || !text_equal(item->valuestring, no))
		return group_complain(r, CV_ERR_TYPE, name, problem);
	return CV_OK;
}

/* Only what authentic evidence says may quarantine, and what passes by itself may not. */
static int may_quarantine(enum reason reason)
{
	return reason >= REASON_DEBUG_ENABLED && reason < REASON_COUNT_ &&
	       reason_retry(reason) == RETRY_NO && reason != REASON_COUNTER_REUSED;
}

static enum cv_err get_quarantine(const struct group_reader *r, struct group_policy *p)
{
	static const char section[] = "quarantine_on";
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(r->tree, section);
	const cJSON *item;

	if (list != NULL && !cJSON_IsArray(list))
		return group_complain(r, CV_ERR_TYPE, section, "must be a list of reasons");
	cJSON_ArrayForEach(item, list)
	{
		const enum reason reason =
			cJSON_IsString(item) ? reason_parse(item->valuestring) : REASON_INTERNAL;

		if (!may_quarantine(reason))
			return group_complain(r, CV_ERR_TYPE, section,
				"a reason is unknown, or not one about authentic evidence");
		p->quarantine_on[reason] = 1;
	}
	return CV_OK;
}

enum cv_err group_read_sections(const struct group_reader *r, struct group_policy *p)
{
	enum cv_err err = get_references(r, p);

	if (err == CV_OK)
		err = get_classes(r, p);
	if (err == CV_OK)
		err = get_clients(r, p);
	if (err == CV_OK)
		err = get_windows(r, p);
	if (err == CV_OK)
		err = get_maintenance(r, p);
	if (err == CV_OK)
		err = get_quota(r, p);
	if (err == CV_OK)
		err = get_choice(r, "approval", NOT_REQUIRED, "required",
			"must be \"required\" or \"not_required\"", &p->approval);
	if (err == CV_OK)
		err = get_choice(r, "clock", "any", "trusted",
			"must be \"any\" or \"trusted\": may rules about time be judged by a clock "
			"that may be wrong?",
			&p->clock_trusted);
	return err == CV_OK ? get_quarantine(r, p) : err;
}
