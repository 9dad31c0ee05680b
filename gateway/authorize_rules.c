/* What a policy may demand: time, measurements. */
#include "gateway/authorize.h"

#include <string.h>

#include "protocol/crypto.h"

static enum reason outside(struct verdict *v, const char *member, uint64_t off, uint64_t allowed)
{
	if (off <= allowed)
		return REASON_RELEASE;
	return verdict_over(v, REASON_TIME_OUTSIDE, "iat", member, VERDICT_S, off - allowed);
}

enum reason authorize_time(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	const uint64_t iat = in->evidence->platform.iat_s;

	if (p->iat == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->iat != POLICY_RULES)
		return verdict_rule(v, REASON_POLICY_EMPTY, "iat", NULL);
	if (iat == 0)
		return verdict_rule(v, REASON_TIME_MISSING, "iat", NULL);
	/* Rules about time cannot be kept by a clock that may be years off. */
	if (!in->clock.trusted)
		return verdict_claim(v, REASON_TIME_OUTSIDE, "iat", NULL,
			"the gateway's own clock is not trusted");
	if (iat > in->clock.now_s)
		return outside(v, "max_ahead_seconds", iat - in->clock.now_s, p->iat_max_ahead_s);
	return outside(v, "max_age_seconds", in->clock.now_s - iat, p->iat_max_age_s);
}

static enum reason measurement(const struct evidence *ev, const struct policy_measurement *wanted,
	struct verdict *v)
{
	for (size_t i = 0; i < ev->platform.digest_count; i++) {
		const struct evidence_digest *digest = &ev->platform.digests[i];

		if (strcmp(digest->name, wanted->name) != 0)
			continue;
		for (size_t j = 0; j < wanted->count; j++) {
			if (crypto_equal(digest->value, wanted->values[j], CV_HASH_BYTES))
				return REASON_RELEASE;
		}
		return verdict_claim_hash(v, REASON_MEASUREMENT_MISMATCH, "measurements",
			wanted->name, digest->value);
	}
	return verdict_rule(v, REASON_MEASUREMENT_MISSING, "measurements", wanted->name);
}

enum reason authorize_measurements(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;

	if (p->measurements == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->measurements != POLICY_RULES || p->measurement_count == 0)
		return verdict_rule(v, REASON_POLICY_EMPTY, "measurements", NULL);
	for (size_t i = 0; i < p->measurement_count; i++) {
		const enum reason reason = measurement(in->evidence, &p->measurement[i], v);

		if (reason != REASON_RELEASE)
			return reason;
	}
	return REASON_RELEASE;
}
