/* What a policy says of the place (docs/protocol.md section 9). */
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/json_get.h"
#include "protocol/policy_read.h"

#define SECTION "place"

static enum cv_err coordinate(const cJSON *item, int32_t max_e7, int32_t *out)
{
	/* the scanner let integers through only, and every one of these is exact in a double */
	if (!cJSON_IsNumber(item))
		return CV_ERR_TYPE;
	if (item->valuedouble < -max_e7 || item->valuedouble > max_e7)
		return CV_ERR_RANGE;
	*out = (int32_t)item->valuedouble;
	return CV_OK;
}

/* [lat_e7, lon_e7] */
static enum cv_err get_point(const cJSON *pair, struct place_point *out,
	const struct policy_complaint *c, const char *area)
{
	enum cv_err err = CV_ERR_TYPE;

	if (cJSON_IsArray(pair) && cJSON_GetArraySize(pair) == 2)
		err = coordinate(pair->child, PLACE_LAT_MAX_E7, &out->lat_e7);
	if (err == CV_OK)
		err = coordinate(pair->child->next, PLACE_LON_MAX_E7, &out->lon_e7);
	if (err != CV_OK)
		return policy_complain(c, err, "place.areas", area,
			"a point is not [latitude, longitude] in 10^-7 degrees, "
			"within +-900000000 and +-1800000000");
	return CV_OK;
}

static enum cv_err get_circle(
	const cJSON *item, struct policy_area *area, const struct policy_complaint *c)
{
	static const char *const names[] = {"name", "centre", "radius_m", NULL};
	uint64_t radius = 0;
	enum cv_err err = policy_only(item, "place.areas", names, c);

	area->is_circle = 1;
	if (err == CV_OK)
		err = get_point(cJSON_GetObjectItemCaseSensitive(item, "centre"),
			&area->circle.centre, c, area->name);
	if (err == CV_OK)
		err = policy_number(
			item, "place.areas", "radius_m", 1, PLACE_RADIUS_MAX_M, &radius, c);
	area->circle.radius_m = (uint32_t)radius;
	return err;
}

static const char *fault_text(enum place_fault fault)
{
	switch (fault) {
	case PLACE_GOOD:
		break;
	case PLACE_TOO_FEW:
		return "fewer than 3 corners";
	case PLACE_RANGE:
		return "a corner is not on the globe";
	case PLACE_TOO_WIDE:
		return "across the antimeridian, or wider than 180 degrees: make it two polygons";
	case PLACE_REPEATED:
		return "a corner twice (the first is not repeated at the end)";
	case PLACE_CROSSING:
		return "the polygon crosses or touches itself";
	}
	return "not a polygon";
}

static enum cv_err get_polygon(const cJSON *item, struct policy *p, struct policy_area *area,
	const struct policy_complaint *c)
{
	static const char *const names[] = {"name", "polygon", NULL};
	const cJSON *corners = cJSON_GetObjectItemCaseSensitive(item, "polygon");
	const cJSON *pair;
	enum place_fault fault;
	enum cv_err err = policy_only(item, "place.areas", names, c);

	if (err != CV_OK)
		return err;
	if (!cJSON_IsArray(corners))
		return policy_complain(c, CV_ERR_TYPE, "place.areas", area->name,
			"neither a circle (centre, radius_m) nor a polygon");
	area->first = p->corner_count;
	cJSON_ArrayForEach(pair, corners)
	{
		if (area->corner_count >= CV_POLYGON_CORNERS_MAX ||
			p->corner_count >= CV_CORNERS_MAX)
			return policy_complain(c, CV_ERR_TOO_LONG, "place.areas", area->name,
				"too many corners, here or in all areas");
		err = get_point(pair, &p->corners[p->corner_count], c, area->name);
		if (err != CV_OK)
			return err;
		area->corner_count++;
		p->corner_count++;
	}
	fault = place_polygon_check(&p->corners[area->first], area->corner_count);
	if (fault != PLACE_GOOD)
		return policy_complain(
			c, CV_ERR_RANGE, "place.areas", area->name, fault_text(fault));
	place_box(area->box, &p->corners[area->first], area->corner_count);
	return CV_OK;
}

static enum cv_err get_area(const cJSON *item, struct policy *p, const struct policy_complaint *c)
{
	struct policy_area *area = &p->areas[p->area_count];
	enum cv_err err;

	if (!cJSON_IsObject(item))
		return policy_complain(c, CV_ERR_TYPE, SECTION, "areas", "an area is no object");
	if (p->area_count >= CV_AREAS_MAX)
		return policy_complain(c, CV_ERR_TOO_LONG, SECTION, "areas", "too many areas");
	err = json_get_text(item, "name", area->name, sizeof(area->name));
	if (err != CV_OK || !evidence_name_valid(area->name))
		return policy_complain(c, CV_ERR_FORMAT, SECTION, "areas",
			"an area's name is not [a-z0-9][a-z0-9._-]{0,62}");
	p->area_count++;
	return json_has(item, "centre") ? get_circle(item, area, c)
					: get_polygon(item, p, area, c);
}

static enum cv_err get_areas(
	const struct cJSON *rules, struct policy *p, const struct policy_complaint *c)
{
	const cJSON *array = cJSON_GetObjectItemCaseSensitive(rules, "areas");
	const cJSON *item;
	uint64_t accuracy = 0;
	enum cv_err err;

	if (array == NULL)
		return json_has(rules, "max_accuracy_m") ?
			policy_complain(c, CV_ERR_TYPE, SECTION, "max_accuracy_m",
				"only together with areas") :
			CV_OK;
	if (!cJSON_IsArray(array) || array->child == NULL)
		return policy_complain(
			c, CV_ERR_TYPE, SECTION, "areas", "must be a list of at least one area");
	cJSON_ArrayForEach(item, array)
	{
		err = get_area(item, p, c);
		if (err != CV_OK)
			return err;
	}
	err = policy_number(
		rules, SECTION, "max_accuracy_m", 0, CV_PLACE_ACCURACY_MAX_M, &accuracy, c);
	p->max_accuracy_m = (uint32_t)accuracy;
	return err;
}

static enum cv_err source_text(
	const cJSON *item, const char *name, char *out, const struct policy_complaint *c)
{
	enum cv_err err;

	if (!json_has(item, name))
		return CV_OK;
	err = json_get_text(item, name, out, EVIDENCE_TEXT_BUF);
	if (err != CV_OK || !evidence_text_valid(out))
		return policy_complain(c, CV_ERR_TYPE, "place.sources", name,
			"not 1 to 63 printable ASCII characters");
	return CV_OK;
}

static enum cv_err get_source(
	const cJSON *item, struct policy_source *source, const struct policy_complaint *c)
{
	static const char *const names[] = {"source", "receiver", "firmware", NULL};
	enum cv_err err;

	if (!cJSON_IsObject(item) || item->child == NULL)
		return policy_complain(c, CV_ERR_TYPE, SECTION, "sources",
			"a source is no object of source, receiver, firmware");
	err = policy_only(item, "place.sources", names, c);
	if (err == CV_OK)
		err = source_text(item, "source", source->source, c);
	if (err == CV_OK)
		err = source_text(item, "receiver", source->receiver, c);
	if (err == CV_OK)
		err = source_text(item, "firmware", source->firmware, c);
	return err;
}

static enum cv_err get_sources(
	const struct cJSON *rules, struct policy *p, const struct policy_complaint *c)
{
	const cJSON *array = cJSON_GetObjectItemCaseSensitive(rules, "sources");
	const cJSON *item;
	enum cv_err err;

	if (array == NULL)
		return CV_OK;
	if (!cJSON_IsArray(array) || array->child == NULL)
		return policy_complain(c, CV_ERR_TYPE, SECTION, "sources",
			"must be a list of at least one source");
	cJSON_ArrayForEach(item, array)
	{
		if (p->source_count >= CV_PLACE_SOURCES_MAX)
			return policy_complain(
				c, CV_ERR_TOO_LONG, SECTION, "sources", "too many sources");
		err = get_source(item, &p->sources[p->source_count++], c);
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static enum cv_err get_age(
	const struct cJSON *rules, struct policy *p, const struct policy_complaint *c)
{
	uint64_t age = 0;
	enum cv_err err;

	if (!json_has(rules, "max_age_seconds"))
		return CV_OK;
	err = policy_number(rules, SECTION, "max_age_seconds", 0, UINT32_MAX, &age, c);
	p->has_max_age = err == CV_OK;
	p->max_age_s = (uint32_t)age;
	return err;
}

enum cv_err policy_place_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	static const char *const names[] = {"regions", "states", "cities", "areas",
		"max_accuracy_m", "max_age_seconds", "sources", NULL};
	const struct cJSON *rules;
	enum cv_err err = policy_section_get(tree, SECTION, 1, &p->place, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	err = policy_only(rules, SECTION, names, c);
	if (err == CV_OK)
		err = policy_texts(rules, SECTION, "regions", &p->regions, c);
	if (err == CV_OK)
		err = policy_texts(rules, SECTION, "states", &p->states, c);
	if (err == CV_OK)
		err = policy_texts(rules, SECTION, "cities", &p->cities, c);
	if (err == CV_OK)
		err = get_areas(rules, p, c);
	if (err == CV_OK)
		err = get_age(rules, p, c);
	if (err == CV_OK)
		err = get_sources(rules, p, c);
	return err;
}
