/* What only a group's policy may demand (docs/policy.md). */
#include "gateway/authorize.h"

#include <string.h>

#include "protocol/crypto.h"

#define DAY_S 86400
#define MONDAY_OF_EPOCH 3 /* 1970-01-01 was a Thursday: day 3 with Monday 0 */

enum reason authorize_class(const struct authorize_input *in, struct verdict *v)
{
	if ((in->group->trust_classes & 1u << in->record->trust_class) != 0)
		return REASON_RELEASE;
	return verdict_claim(v, REASON_TRUST_CLASS, "trust_classes", NULL,
		trust_class_name(in->record->trust_class));
}

/* Rules about time, while the clock may be wrong: as the policy's `clock` says. */
static bool clock_blind(const struct authorize_input *in)
{
	return !in->clock.trusted && !in->group->clock_trusted;
}

static const struct evidence_digest *find_digest(const struct evidence *ev, const char *name)
{
	for (size_t i = 0; i < ev->platform.digest_count; i++) {
		if (strcmp(ev->platform.digests[i].name, name) == 0)
			return &ev->platform.digests[i];
	}
	return NULL;
}

static enum reason reference_valid(
	const struct authorize_input *in, const struct group_reference *ref)
{
	if ((ref->from_s == 0 && ref->until_s == UINT64_MAX) || clock_blind(in))
		return REASON_RELEASE;
	if (!in->clock.trusted || in->clock.now_s < ref->from_s || in->clock.now_s >= ref->until_s)
		return REASON_REFERENCE_EXPIRED;
	return REASON_RELEASE;
}

/* One measurement against its values, which stand together from `first` on. */
static enum reason one_measurement(const struct authorize_input *in, size_t first, size_t end,
	struct verdict *v)
{
	const struct group_reference *refs = in->group->reference;
	const struct evidence_digest *digest =
		find_digest(in->evidence, refs[first].measurement);
	enum reason reason = REASON_MEASUREMENT_MISMATCH;

	if (digest == NULL)
		return verdict_rule(
			v, REASON_MEASUREMENT_MISSING, "references", refs[first].measurement);
	for (size_t i = first; i < end; i++) {
		/* Digests of software are no secret, and there may be a thousand. */
		if (memcmp(digest->value, refs[i].value, CV_HASH_BYTES) != 0)
			continue;
		reason = reference_valid(in, &refs[i]);
		if (reason == REASON_RELEASE) {
			if (v->reference == NULL)
				v->reference = &refs[i];
			return reason;
		}
	}
	return verdict_claim_hash(v, reason, "references", refs[first].measurement, digest->value);
}

enum reason authorize_references(const struct authorize_input *in, struct verdict *v)
{
	const struct group_policy *g = in->group;
	size_t first = 0;

	if (g->references == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (g->references != POLICY_RULES || g->reference_count == 0)
		return REASON_POLICY_EMPTY;
	while (first < g->reference_count) {
		size_t end = first + 1;
		enum reason reason;

		while (end < g->reference_count && strcmp(g->reference[end].measurement,
							   g->reference[first].measurement) == 0)
			end++;
		reason = one_measurement(in, first, end, v);
		if (reason != REASON_RELEASE)
			return reason;
		first = end;
	}
	return REASON_RELEASE;
}

static enum reason old_client(struct verdict *v, const struct evidence_platform *claimed)
{
	return verdict_claim(
		v, REASON_CLIENT_VERSION, "min_client", claimed->swname, claimed->swversion);
}

enum reason authorize_client(const struct authorize_input *in, struct verdict *v)
{
	const struct group_policy *g = in->group;
	const struct evidence_platform *claimed = &in->evidence->platform;

	if (g->clients == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (g->clients != POLICY_RULES || g->client_count == 0)
		return REASON_POLICY_EMPTY;
	for (size_t i = 0; i < g->client_count; i++) {
		if (strcmp(g->client[i].name, claimed->swname) == 0)
			return group_version_compare(claimed->swversion, g->client[i].version) >= 0
				? REASON_RELEASE
				: old_client(v, claimed);
	}
	return old_client(v, claimed);
}

/* The window, begun on this day, holds at this minute counted from the day's start. */
static bool window_holds(const struct group_window *w, unsigned int day, unsigned int minute)
{
	unsigned int until = w->until_minute;

	if (until <= w->from_minute)
		until += DAY_S / 60;
	return (w->days & 1u << day) != 0 && minute >= w->from_minute && minute < until;
}

static bool window_open(const struct group_policy *g, uint64_t now_s)
{
	const unsigned int day = (unsigned int)((now_s / DAY_S + MONDAY_OF_EPOCH) % 7);
	const unsigned int minute = (unsigned int)(now_s % DAY_S / 60);

	for (size_t i = 0; i < g->window_count; i++) {
		/* Yesterday's may run over midnight. */
		if (window_holds(&g->window[i], day, minute) ||
			window_holds(&g->window[i], (day + 6) % 7, minute + DAY_S / 60))
			return true;
	}
	return false;
}

/*
 * Planned work: neither windows nor the quota hold it up. Only a trusted clock can say that it is.
 */
static bool in_maintenance(const struct authorize_input *in)
{
	const struct group_policy *g = in->group;

	for (size_t i = 0; in->clock.trusted && i < g->maintenance_count; i++) {
		if (in->clock.now_s >= g->maintenance[i].from_s &&
			in->clock.now_s < g->maintenance[i].until_s)
			return true;
	}
	return false;
}

enum reason authorize_windows(const struct authorize_input *in, struct verdict *v)
{
	const struct group_policy *g = in->group;

	if (g->windows == POLICY_EMPTY)
		return REASON_POLICY_EMPTY;
	if (g->windows == POLICY_NOT_REQUIRED || in_maintenance(in) || clock_blind(in))
		return REASON_RELEASE;
	if (in->clock.trusted && window_open(g, in->clock.now_s))
		return REASON_RELEASE;
	return verdict_rule(v, REASON_WINDOW_CLOSED, "windows", NULL);
}

/* Only a new key counts: the same key again gets nothing that it has not had. */
enum reason authorize_quota(const struct authorize_input *in, struct verdict *v)
{
	const struct group_policy *g = in->group;
	const struct record *rec = in->record;

	if (g->quota == POLICY_EMPTY)
		return REASON_POLICY_EMPTY;
	if (g->quota == POLICY_NOT_REQUIRED || !v->new_key || in_maintenance(in) || clock_blind(in))
		return REASON_RELEASE;
	/* Only a trusted clock begins a new day; until then the count goes on. */
	if (in->clock.trusted && in->clock.now_s / DAY_S > rec->quota_day)
		return REASON_RELEASE;
	if (rec->quota_used < g->releases_per_day)
		return REASON_RELEASE;
	return verdict_rule(v, REASON_QUOTA_REACHED, "releases_per_day", NULL);
}

static bool grant_holds(const struct authorize_input *in)
{
	const struct record_grant *grant = &in->record->grant;
	const uint64_t now_s = in->clock.now_s;

	return grant->present && now_s >= grant->given_s &&
		now_s - grant->given_s < AUTHORIZE_GRANT_S &&
		grant->epoch == in->request->epoch &&
		crypto_equal(grant->volume_id, in->request->volume_id, CV_VOLUME_ID_BYTES) &&
		crypto_equal(grant->boot_key, in->evidence->boot_key, CV_X25519_BYTES);
}

/* Once for each boot key: what it gets again in the same boot was approved before. */
enum reason authorize_approval(const struct authorize_input *in, struct verdict *v)
{
	if (!in->group->approval || !v->new_key)
		return REASON_RELEASE;
	if (!grant_holds(in))
		return verdict_rule(v, REASON_APPROVAL_REQUIRED, "approval", NULL);
	v->approved = true;
	return REASON_RELEASE;
}
