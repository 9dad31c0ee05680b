/* Counters in non-volatile memory, 8 bytes big-endian, committed before they are used. */
#ifndef CONCLAVE_MCU_COUNTER_H
#define CONCLAVE_MCU_COUNTER_H

#include <stdint.h>

#include "protocol/err.h"

/* Adds one to the counter (0 when it is not there yet), makes it durable, then returns it. */
CV_MUST_CHECK enum cv_err counter_next(const char *name, uint64_t *value);
void counter_bytes(uint8_t out[8], uint64_t value);

#endif
