/* Which events made the quoted PCRs what they are (docs/protocol.md section 13). */
#include "gateway/authorize.h"

#include <stdio.h>
#include <string.h>

#include "protocol/crypto.h"

/* The rule's value for a digest in this PCR; NULL: no rule knows it. Digests are no secrets. */
static const struct policy_event_value *known(
	const struct policy *p, size_t position, const uint8_t digest[CV_HASH_BYTES])
{
	size_t next = p->event_chains[digest[CV_HASH_BYTES - 1]];

	while (next != 0 && next <= CV_EVENT_VALUES_MAX) {
		const struct policy_event_value *value = &p->event_values[next - 1];

		next = value->next;
		if (value->position == position &&
			memcmp(value->digest, digest, CV_HASH_BYTES) == 0)
			return value;
	}
	return NULL;
}

static enum reason replayed(const struct authorize_input *in, unsigned int pcr, const char *member,
	struct verdict *v)
{
	const uint8_t *quoted = in->quote->pcrs[tpm_pcr_position(pcr)];
	uint8_t value[CV_HASH_BYTES];

	if (eventlog_replay(value, &in->quote->events, pcr) != CV_OK)
		return REASON_INTERNAL;
	if (!crypto_equal(value, quoted, sizeof(value)))
		return verdict_claim_hash(v, REASON_EVENT_REPLAY, "events", member, value);
	return REASON_RELEASE;
}

/* Every event must be known, and under every name one must have come. */
static enum reason one_pcr(const struct authorize_input *in, size_t position, struct verdict *v)
{
	const struct policy *p = in->policy;
	const struct eventlog *log = &in->quote->events;
	const unsigned int pcr = tpm_pcr_number(position);
	bool seen[CV_EVENT_NAMES_MAX] = { false };
	char member[EVIDENCE_TEXT_BUF + 8];
	enum reason reason;

	snprintf(member, sizeof(member), "%u", pcr);
	reason = replayed(in, pcr, member, v);
	for (size_t i = 0; i < eventlog_count(log) && reason == REASON_RELEASE; i++) {
		const struct policy_event_value *value;

		if (eventlog_pcr(log, i) != pcr)
			continue;
		value = known(p, position, eventlog_digest(log, i));
		if (value == NULL)
			return verdict_claim_hash(v, REASON_EVENT_MISMATCH, "events", member,
				eventlog_digest(log, i));
		if (value->name < CV_EVENT_NAMES_MAX)
			seen[value->name] = true;
	}
	for (size_t i = 0; i < p->event_name_count && reason == REASON_RELEASE; i++) {
		if (p->event_names[i].position != position || seen[i])
			continue;
		snprintf(member, sizeof(member), "%u.%s", pcr, p->event_names[i].name);
		return verdict_rule(v, REASON_EVENT_ABSENT, "events", member);
	}
	return reason;
}

enum reason authorize_events(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	enum reason reason = REASON_RELEASE;

	if (p->events == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->events != POLICY_RULES || p->event_name_count == 0)
		return verdict_rule(v, REASON_POLICY_EMPTY, "events", NULL);
	if (in->record->trust_class != TRUST_TPM)
		return verdict_rule(v, REASON_QUOTE_MISSING, "events", NULL);
	if (in->quote == NULL || in->quote_result != REASON_RELEASE)
		return REASON_INTERNAL;
	if (!in->quote->has_events)
		return verdict_rule(v, REASON_EVENT_MISSING, "events", NULL);
	for (size_t i = 0; i < TPM_PCR_COUNT && reason == REASON_RELEASE; i++) {
		if ((p->event_pcrs & 1u << i) != 0)
			reason = one_pcr(in, i, v);
	}
	return reason;
}
