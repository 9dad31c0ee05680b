/* A mount without gateways: what opens the volume comes from a descriptor. */
#ifndef CONCLAVE_DEVICE_WATCHER_KEY_H
#define CONCLAVE_DEVICE_WATCHER_KEY_H

#include <stdbool.h>

#include "device/options.h"
#include "protocol/limits.h"

/* --key-fd or --recovery-fd was given. */
bool watcher_key_given(const struct options *o);
/*
 * Into the caller's secret memory: 32 raw bytes (the unlock secret), or the recovery code as text
 * (host/recovery_code.h), typed if the descriptor is a terminal. Prints why not.
 */
CV_MUST_CHECK enum cv_err watcher_key_read(
	uint8_t secret[CV_SECRET_BYTES], const struct options *o);

#endif
