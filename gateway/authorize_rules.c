/* What a policy may demand: time, measurements, place. */
#include "gateway/authorize.h"

#include <string.h>

#include "protocol/crypto.h"

enum reason authorize_time(const struct authorize_input *in)
{
	const struct policy *p = in->policy;
	const uint64_t iat = in->evidence->platform.iat_s;

	if (p->iat == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->iat != POLICY_RULES)
		return REASON_POLICY_EMPTY;
	if (iat == 0)
		return REASON_TIME_MISSING;
	/* Rules about time cannot be kept by a clock that may be years off. */
	if (!in->clock.trusted)
		return REASON_TIME_OUTSIDE;
	if (iat > in->clock.now_s)
		return iat - in->clock.now_s > p->iat_max_ahead_s ? REASON_TIME_OUTSIDE
								  : REASON_RELEASE;
	return in->clock.now_s - iat > p->iat_max_age_s ? REASON_TIME_OUTSIDE : REASON_RELEASE;
}

static enum reason measurement(const struct evidence *ev, const struct policy_measurement *wanted)
{
	for (size_t i = 0; i < ev->platform.digest_count; i++) {
		const struct evidence_digest *digest = &ev->platform.digests[i];

		if (strcmp(digest->name, wanted->name) != 0)
			continue;
		for (size_t j = 0; j < wanted->count; j++) {
			if (crypto_equal(digest->value, wanted->values[j], CV_HASH_BYTES))
				return REASON_RELEASE;
		}
		return REASON_MEASUREMENT_MISMATCH;
	}
	return REASON_MEASUREMENT_MISSING;
}

enum reason authorize_measurements(const struct authorize_input *in)
{
	const struct policy *p = in->policy;

	if (p->measurements == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->measurements != POLICY_RULES || p->measurement_count == 0)
		return REASON_POLICY_EMPTY;
	for (size_t i = 0; i < p->measurement_count; i++) {
		const enum reason reason = measurement(in->evidence, &p->measurement[i]);

		if (reason != REASON_RELEASE)
			return reason;
	}
	return REASON_RELEASE;
}

static bool holds(const struct policy_list *list, const char *name)
{
	if (!list->present)
		return true;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->names[i], name) == 0)
			return true;
	}
	return false;
}

enum reason authorize_place(const struct authorize_input *in)
{
	const struct policy *p = in->policy;
	const struct evidence_platform *claimed = &in->evidence->platform;

	if (p->place == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->place != POLICY_RULES ||
		(!p->regions.present && !p->states.present && !p->cities.present))
		return REASON_POLICY_EMPTY;
	if (!claimed->has_region)
		return REASON_PLACE_MISSING;
	if (!holds(&p->regions, claimed->region) || !holds(&p->states, claimed->state) ||
		!holds(&p->cities, claimed->city))
		return REASON_PLACE_DENIED;
	return REASON_RELEASE;
}
