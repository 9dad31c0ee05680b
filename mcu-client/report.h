/* MOUNT_OK, MOUNT_FAIL and SHARE_INVALID to every gateway; best effort, once each. */
#ifndef CONCLAVE_MCU_REPORT_H
#define CONCLAVE_MCU_REPORT_H

#include "link.h"

/*
 * `reason` goes with MOUNT_FAIL, `gateway` with SHARE_INVALID; NULL otherwise. The event counter is
 * made durable before anything is sent. Returns how many gateways accepted it.
 */
size_t report_event(struct link *l, const struct handshake *h, enum device_event event,
	const char *reason, const char *gateway);

#endif
