/*
 * What of a device's evidence may be read outside the sealed records: in the audit's texts, which
 * operators with the role `audit` read, and in the log. Alerts cannot carry any of it (event.h).
 *
 * Location   the claims place, region and what follows from them
 * Serials    digests of serial numbers: short numbers can be guessed from their digest
 *
 * Level      exact: as it is. coarse (the default): a location to the region and whole kilometres,
 *            a serial's item without its digest. redacted: only that the rule refused.
 * Pure       gateway.ini [privacy] sets the levels.
 */
#ifndef CONCLAVE_GATEWAY_PRIVACY_H
#define CONCLAVE_GATEWAY_PRIVACY_H

#include "gateway/authorize.h"
#include "protocol/json_write.h"

enum privacy_level {
	PRIVACY_COARSE = 0,
	PRIVACY_EXACT,
	PRIVACY_REDACTED
};

struct privacy {
	enum privacy_level location;
	enum privacy_level serials;
};

/*
 * Members of an audit text: what of rule, claimed, nearest, over_mm or over_s there is and these
 * levels let be seen.
 */
void privacy_write(struct json_writer *w, const struct privacy *privacy,
	const struct verdict_detail *detail);

#endif
