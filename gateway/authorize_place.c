/* Where the device may be. What it says of that can refuse, and never release by itself. */
#include "gateway/authorize.h"

#include <stdio.h>
#include <string.h>

static bool holds(const struct policy_list *list, const char *name)
{
	if (!list->present)
		return true;
	for (size_t i = 0; i < list->count && i < CV_PLACES_MAX; i++) {
		if (strcmp(list->names[i], name) == 0)
			return true;
	}
	return false;
}

static enum reason names(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	const struct evidence_platform *claimed = &in->evidence->platform;
	const struct {
		const char *member;
		const struct policy_list *list;
		const char *name;
	} all[] = {
		{ "regions", &p->regions, claimed->region },
		{ "states", &p->states, claimed->state },
		{ "cities", &p->cities, claimed->city },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!all[i].list->present)
			continue;
		if (!claimed->has_region)
			return verdict_rule(v, REASON_PLACE_MISSING, "place", all[i].member);
		v->detail.is_place = !holds(all[i].list, all[i].name);
		if (v->detail.is_place)
			return verdict_claim(v, REASON_PLACE_DENIED, "place", all[i].member,
				all[i].name);
	}
	return REASON_RELEASE;
}

static bool fits(const char *wanted, const char *claimed)
{
	return wanted[0] == '\0' || strcmp(wanted, claimed) == 0;
}

static enum reason source(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	const struct evidence_platform *claimed = &in->evidence->platform;
	char text[3 * EVIDENCE_TEXT_BUF];

	if (p->source_count == 0)
		return REASON_RELEASE;
	for (size_t i = 0; i < p->source_count && i < CV_PLACE_SOURCES_MAX; i++) {
		const struct policy_source *wanted = &p->sources[i];

		if (fits(wanted->source, claimed->place_source) &&
			fits(wanted->receiver, claimed->place_receiver) &&
			fits(wanted->firmware, claimed->place_firmware))
			return REASON_RELEASE;
	}
	snprintf(text, sizeof(text), "%s/%s/%s", claimed->place_source, claimed->place_receiver,
		claimed->place_firmware);
	return verdict_claim(v, REASON_PLACE_SOURCE, "place", "sources", text);
}

static enum reason age(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	const struct evidence_platform *claimed = &in->evidence->platform;

	if (!p->has_max_age)
		return REASON_RELEASE;
	if (!claimed->has_place || !claimed->has_place_age)
		return verdict_rule(v, REASON_PLACE_MISSING, "place", "max_age_seconds");
	if (claimed->place_age_s > p->max_age_s)
		return verdict_over(v, REASON_PLACE_STALE, "place", "max_age_seconds", VERDICT_S,
			claimed->place_age_s - p->max_age_s);
	return REASON_RELEASE;
}

static struct place_polygon polygon_of(const struct policy *p, const struct policy_area *area)
{
	const struct place_polygon polygon = { &p->corners[area->first], area->corner_count,
		{ area->box[0], area->box[1] } };

	return polygon;
}

static bool inside(const struct policy *p, const struct policy_area *area,
	const struct place_claim *claim)
{
	const struct place_polygon polygon = polygon_of(p, area);

	return (area->is_circle ? place_in_circle(&area->circle, claim)
				: place_in_polygon(&polygon, claim)) != 0;
}

/* Which area was missed by least: worked out for refusals only. */
static enum reason missed(
	const struct policy *p, const struct place_claim *claim, struct verdict *v)
{
	v->detail.is_place = true;
	v->detail.over = UINT64_MAX;
	for (size_t i = 0; i < p->area_count && i < CV_AREAS_MAX; i++) {
		const struct policy_area *area = &p->areas[i];
		const struct place_polygon polygon = polygon_of(p, area);
		const uint64_t over = area->is_circle
			? place_circle_excess_mm(&area->circle, claim)
			: place_polygon_excess_mm(&polygon, claim);

		if (over >= v->detail.over)
			continue;
		v->detail.over = over;
		snprintf(v->detail.nearest, sizeof(v->detail.nearest), "%s", area->name);
	}
	return verdict_over(
		v, REASON_PLACE_DENIED, "place", "areas", VERDICT_MM, v->detail.over);
}

static enum reason areas(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	const struct evidence_platform *claimed = &in->evidence->platform;
	const struct place_claim claim = { { claimed->lat_e7, claimed->lon_e7 },
		claimed->accuracy_mm };
	const uint64_t worst_mm = (uint64_t)p->max_accuracy_m * 1000;

	if (p->area_count == 0)
		return REASON_RELEASE;
	if (!claimed->has_place)
		return verdict_rule(v, REASON_PLACE_MISSING, "place", "areas");
	if (claim.accuracy_mm == EVIDENCE_ACCURACY_UNKNOWN)
		return verdict_claim(
			v, REASON_PLACE_ACCURACY, "place", "max_accuracy_m", "unknown");
	if (claim.accuracy_mm > worst_mm)
		return verdict_over(v, REASON_PLACE_ACCURACY, "place", "max_accuracy_m",
			VERDICT_MM, claim.accuracy_mm - worst_mm);
	for (size_t i = 0; i < p->area_count && i < CV_AREAS_MAX; i++) {
		if (inside(p, &p->areas[i], &claim))
			return REASON_RELEASE;
	}
	return missed(p, &claim, v);
}

enum reason authorize_place(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	enum reason reason;

	if (p->place == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->place != POLICY_RULES ||
		(!p->regions.present && !p->states.present && !p->cities.present &&
			p->area_count == 0 && p->source_count == 0 && !p->has_max_age))
		return verdict_rule(v, REASON_POLICY_EMPTY, "place", NULL);
	reason = names(in, v);
	if (reason == REASON_RELEASE)
		reason = source(in, v);
	if (reason == REASON_RELEASE)
		reason = age(in, v);
	if (reason == REASON_RELEASE)
		reason = areas(in, v);
	return reason;
}
