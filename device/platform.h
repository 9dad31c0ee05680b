/*
 * What this device says about itself (docs/protocol.md section 8): the claims of the evidence.
 */
#ifndef CONCLAVE_DEVICE_PLATFORM_H
#define CONCLAVE_DEVICE_PLATFORM_H

#include "device/settings.h"
#include "protocol/evidence.h"

/*
 * Digests of our own two programs ("conclave-device", "conclave-volumed") and of the files that
 * device.ini names, boot id, boots, uptime, debugger; the place is place.h's. Prints what cannot be
 * read.
 */
CV_MUST_CHECK enum cv_err platform_collect(struct evidence_platform *p, const struct settings *s,
	const char *state_dir, const char *volumed_path,
	const uint8_t boot_id[CV_BOOT_ID_BYTES]);

/* SHA-256 of a whole regular file. */
CV_MUST_CHECK enum cv_err platform_digest_file(uint8_t out[CV_HASH_BYTES], const char *path);

#endif
