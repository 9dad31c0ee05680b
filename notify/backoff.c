#include "notify/backoff.h"

uint64_t backoff_ms(uint32_t failures, uint32_t base_ms, uint32_t max_ms, uint32_t random)
{
	uint64_t full = base_ms;

	for (uint32_t i = 1; i < failures && full < max_ms; i++)
		full *= 2;
	if (full > max_ms)
		full = max_ms;
	return full - (full / 2 * random >> 32);
}
