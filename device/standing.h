/*
 * While the volume is mounted: ask the gateways now and then how this device stands, and say when
 * it must lock again (protocol/standing.h).
 */
#ifndef CONCLAVE_DEVICE_STANDING_H
#define CONCLAVE_DEVICE_STANDING_H

#include "device/report.h"
#include "device/settings.h"
#include "device/unlock.h"
#include "protocol/standing.h"

struct standing_watch {
	const struct settings *settings;
	struct standing standing;
	uint64_t ask_at_ms; /* clock_monotonic_ms */
};

/* Takes the leases that the unlock brought. */
void standing_watch_init(
	struct standing_watch *w, const struct settings *settings, const struct unlock *u);
/* When standing_watch_run wants to be called; UINT64_MAX: never. */
uint64_t standing_watch_due_ms(const struct standing_watch *w);
/*
 * Asks if it is time (blocks for a gateway's deadline at most). NULL, or why to lock: a line for
 * people that lives as long as the program.
 */
const char *standing_watch_run(struct standing_watch *w, struct unlock *u);

#endif
