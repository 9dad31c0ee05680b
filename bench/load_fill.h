/*
 * Puts the load generator's devices into the store of a gateway that is not running, with the
 * store's own functions. The verifier is not touched: the gateway then sees ordinary records.
 */
#ifndef CONCLAVE_BENCH_LOAD_FILL_H
#define CONCLAVE_BENCH_LOAD_FILL_H

#include <stdint.h>

#include "bench/load_device.h"

/* `state` is the gateway's state directory. */
void load_fill(const char *state, const char *fleet, const char *gateway,
	const uint8_t seed[LOAD_SEED_BYTES], uint32_t count);

#endif
