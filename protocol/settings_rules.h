/*
 * What the sealed settings of a microcontroller (settings.h) say to the client itself: the member
 * "conclave" (docs/protocol.md section 12). All else in them is the application's.
 *
 * The settings are believed: only who holds the unlock secret could seal them.
 */
#ifndef CONCLAVE_PROTOCOL_SETTINGS_RULES_H
#define CONCLAVE_PROTOCOL_SETTINGS_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

#define SETTINGS_STATUS_DEFAULT_S 300
#define SETTINGS_STATUS_MAX_S 86400

enum settings_relock {
	SETTINGS_LOCK_REVOKED = 0, /* when N-K+1 gateways say that the device is revoked */
	SETTINGS_LOCK_LEASE,	   /* then, or when the lease ended */
	SETTINGS_LOCK_NEVER
};

struct settings_rules {
	uint32_t settings_version; /* never goes back on a device; 0 = not said */
	uint32_t min_firmware;	   /* oldest firmware that may run from now on; 0 = any */
	uint32_t status_s;	   /* between status calls while mounted */
	enum settings_relock relock;
};

/*
 * Defaults for what is not said. CV_ERR_FORMAT, CV_ERR_TYPE (unknown member, wrong type),
 * CV_ERR_RANGE, CV_ERR_TOO_LONG, CV_ERR_MEMORY; *rules is then untouched.
 */
CV_MUST_CHECK enum cv_err settings_rules_decode(
	struct settings_rules *rules, const char *json, size_t len);

#endif
