/*
 * Two numbers that never go back on this device, each a small file in the state directory, durable
 * before it is used: the counter of events, and the count of boots.
 */
#ifndef CONCLAVE_DEVICE_COUNTER_H
#define CONCLAVE_DEVICE_COUNTER_H

#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

/* The next event counter, from 1. CV_ERR_FORMAT: the file is damaged. */
CV_MUST_CHECK enum cv_err counter_next(uint64_t *out, const char *state_dir);
/* How many boots this state directory has seen; counts once per boot id. */
CV_MUST_CHECK enum cv_err counter_boots(
	uint64_t *out, const char *state_dir, const uint8_t boot_id[CV_BOOT_ID_BYTES]);

#endif
