/*
 * Exponential backoff with jitter: between half and all of base * 2^(failures - 1), capped.
 * Half of it is kept so that a destination that is down is never asked at once again.
 */
#ifndef CONCLAVE_NOTIFY_BACKOFF_H
#define CONCLAVE_NOTIFY_BACKOFF_H

#include <stdint.h>

/*
 * failures counts from 1; base_ms and max_ms are above 0; `random` is any 32 random bits. The
 * result is 1 .. max_ms.
 */
uint64_t backoff_ms(uint32_t failures, uint32_t base_ms, uint32_t max_ms, uint32_t random);

#endif
