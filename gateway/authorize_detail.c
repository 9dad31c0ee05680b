/* What the audit gets to know of a refusal. */
#include "gateway/authorize.h"

#include <stdio.h>

enum reason verdict_rule(
	struct verdict *v, enum reason reason, const char *section, const char *member)
{
	snprintf(v->detail.rule, sizeof(v->detail.rule), "%s%s%s", section,
		member != NULL ? "." : "", member != NULL ? member : "");
	return reason;
}

enum reason verdict_claim(struct verdict *v, enum reason reason, const char *section,
	const char *member, const char *claimed)
{
	snprintf(v->detail.claimed, sizeof(v->detail.claimed), "%s", claimed);
	return verdict_rule(v, reason, section, member);
}

enum reason verdict_claim_hash(struct verdict *v, enum reason reason, const char *section,
	const char *member, const uint8_t claimed[CV_HASH_BYTES])
{
	char hex[2 * CV_HASH_BYTES + 1];

	for (size_t i = 0; i < CV_HASH_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", claimed[i]);
	return verdict_claim(v, reason, section, member, hex);
}

enum reason verdict_over(struct verdict *v, enum reason reason, const char *section,
	const char *member, enum verdict_unit unit, uint64_t over)
{
	v->detail.unit = unit;
	v->detail.over = over;
	return verdict_rule(v, reason, section, member);
}
