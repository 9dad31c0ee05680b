/* What a quote must be, and what a policy demands of it (docs/protocol.md sections 9 and 13). */
#include "gateway/authorize.h"

#include <stdio.h>

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

static enum reason firmware(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	char claimed[17];

	if (p->firmware == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->firmware != POLICY_RULES || p->firmware_count == 0)
		return verdict_rule(v, REASON_POLICY_EMPTY, "tpm_firmware", NULL);
	for (size_t i = 0; i < p->firmware_count && i < CV_PCR_VALUES_MAX; i++) {
		if (in->attest->firmware == p->firmwares[i])
			return REASON_RELEASE;
	}
	snprintf(claimed, sizeof(claimed), "%016llx", (unsigned long long)in->attest->firmware);
	return verdict_claim(v, REASON_FIRMWARE_MISMATCH, "tpm_firmware", NULL, claimed);
}

static enum reason one_pcr(const uint8_t value[CV_HASH_BYTES], const struct policy_pcr *wanted,
	size_t position, struct verdict *v)
{
	char number[4];

	for (size_t i = 0; i < wanted->count && i < CV_PCR_VALUES_MAX; i++) {
		if (crypto_equal(value, wanted->values[i], CV_HASH_BYTES))
			return REASON_RELEASE;
	}
	snprintf(number, sizeof(number), "%u", tpm_pcr_number(position));
	return verdict_claim_hash(v, REASON_PCR_MISMATCH, "pcrs", number, value);
}

/* A section that names no PCR is no rule: it refuses as an empty one does. */
static enum reason values(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	enum reason reason = verdict_rule(v, REASON_POLICY_EMPTY, "pcrs", NULL);

	if (p->pcrs == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->pcrs != POLICY_RULES)
		return reason;
	for (size_t i = 0; i < TPM_PCR_COUNT; i++) {
		if (p->pcr[i].count == 0)
			continue;
		reason = one_pcr(in->quote->pcrs[i], &p->pcr[i], i, v);
		if (reason != REASON_RELEASE)
			return reason;
	}
	return reason;
}

enum reason authorize_pcrs(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	enum reason reason;

	if (in->record->trust_class != TRUST_TPM) /* rules that this device can never keep */
		return p->pcrs == POLICY_RULES || p->firmware == POLICY_RULES
			? verdict_rule(v, REASON_QUOTE_MISSING,
				  p->pcrs == POLICY_RULES ? "pcrs" : "tpm_firmware", NULL)
			: REASON_RELEASE;
	reason = firmware(in, v);
	return reason == REASON_RELEASE ? values(in, v) : reason;
}
