/* What a quote must be, and what a policy demands of it (docs/protocol.md sections 9 and 13). */
#include "gateway/authorize.h"

#include "protocol/crypto.h"

enum reason authorize_quote(const struct authorize_input *in)
{
	if (in->record->trust_class != TRUST_TPM)
		return in->request->quote != NULL ? REASON_QUOTE_UNSUPPORTED : REASON_RELEASE;
	if (in->request->quote == NULL)
		return REASON_QUOTE_MISSING;
	if (in->quote_result == REASON_RELEASE && (in->attest == NULL || in->quote == NULL))
		return REASON_INTERNAL;
	return in->quote_result;
}

static enum reason firmware(const struct authorize_input *in)
{
	const struct policy *p = in->policy;

	if (p->firmware == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->firmware != POLICY_RULES || p->firmware_count == 0)
		return REASON_POLICY_EMPTY;
	for (size_t i = 0; i < p->firmware_count && i < CV_PCR_VALUES_MAX; i++) {
		if (in->attest->firmware == p->firmwares[i])
			return REASON_RELEASE;
	}
	return REASON_FIRMWARE_MISMATCH;
}

static enum reason one_pcr(const uint8_t value[CV_HASH_BYTES], const struct policy_pcr *wanted)
{
	for (size_t i = 0; i < wanted->count && i < CV_PCR_VALUES_MAX; i++) {
		if (crypto_equal(value, wanted->values[i], CV_HASH_BYTES))
			return REASON_RELEASE;
	}
	return REASON_PCR_MISMATCH;
}

/* A section that names no PCR is no rule: it refuses as an empty one does. */
static enum reason values(const struct authorize_input *in)
{
	const struct policy *p = in->policy;
	enum reason reason = REASON_POLICY_EMPTY;

	if (p->pcrs == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->pcrs != POLICY_RULES)
		return REASON_POLICY_EMPTY;
	for (size_t i = 0; i < TPM_PCR_COUNT; i++) {
		if (p->pcr[i].count == 0)
			continue;
		reason = one_pcr(in->quote->pcrs[i], &p->pcr[i]);
		if (reason != REASON_RELEASE)
			return reason;
	}
	return reason;
}

enum reason authorize_pcrs(const struct authorize_input *in)
{
	const struct policy *p = in->policy;
	enum reason reason;

	if (in->record->trust_class != TRUST_TPM) /* rules that this device can never keep */
		return p->pcrs == POLICY_RULES || p->firmware == POLICY_RULES
			? REASON_QUOTE_MISSING
			: REASON_RELEASE;
	reason = firmware(in);
	return reason == REASON_RELEASE ? values(in) : reason;
}
