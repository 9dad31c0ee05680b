/*
 * What this chip says of itself: the running partition's digest, and how it was locked down.
 *
 * All of it is self-reported; it is worth what Secure Boot v2 and flash encryption in release mode
 * make it worth. Threads: one. Compile-checked against declarations; never linked or run.
 */
#ifndef CONCLAVE_ESP_PLATFORM_H
#define CONCLAVE_ESP_PLATFORM_H

#include "protocol/evidence.h"

/* Reads the whole running partition once; call it early. */
CV_MUST_CHECK enum cv_err platform_measure(void);
/*
 * Digests: "firmware", SHA-256 of the running application's image, as `esptool image_info` prints
 * it; "boot-state", SHA-256 of the line that platform_state gives.
 */
CV_MUST_CHECK enum cv_err platform_claims(struct evidence_platform *platform);
/* "secure-boot=1 flash-encryption=release jtag=closed", for instance. */
const char *platform_state(void);
/* 1: secure boot, flash encryption in release mode, JTAG closed for good. */
int platform_is_secure(void);

#endif
