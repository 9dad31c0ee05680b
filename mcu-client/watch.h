/*
 * While mounted: ask the gateways one after another how this device stands, and say when it must
 * lock again (protocol/standing.h). A status call resumes its gateway's TLS session by ticket.
 */
#ifndef CONCLAVE_MCU_WATCH_H
#define CONCLAVE_MCU_WATCH_H

#include "link.h"
#include "protocol/settings_rules.h"
#include "protocol/standing.h"

struct watch {
	struct settings_rules rules;
	struct standing standing;
	uint64_t ask_at_ms;
	uint32_t calls; /* status answers that counted */
};

/* Takes the leases that the unlock brought. */
void watch_init(struct watch *w, const struct settings_rules *rules, const struct handshake *h);
/*
 * CV_OK: until_ms (port_monotonic_ms) came and the device may stay mounted. CV_ERR_DENIED: revoked;
 * CV_ERR_EXPIRED: the lease ended. What cannot be asked changes nothing but lets leases end.
 */
CV_MUST_CHECK enum cv_err watch_run(struct watch *w, struct link *l, uint64_t until_ms);

#endif
