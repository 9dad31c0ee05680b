/* Seeded randomness of the simulator (splitmix64): the same seed gives the same schedule. */
#ifndef CONCLAVE_TESTS_SIM_RANDOM_H
#define CONCLAVE_TESTS_SIM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

struct sim_random {
	uint64_t state;
};

static inline uint64_t sim_u64(struct sim_random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 .. n-1 */
static inline uint64_t sim_below(struct sim_random *r, uint64_t n)
{
	return sim_u64(r) % n;
}

static inline int sim_chance(struct sim_random *r, unsigned int percent)
{
	return sim_below(r, 100) < percent;
}

static inline void sim_fill(struct sim_random *r, void *out, size_t len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)sim_u64(r);
}

/* For handshake_config.random. */
static inline enum cv_err sim_random_bytes(void *context, void *out, size_t len)
{
	sim_fill(context, out, len);
	return CV_OK;
}

#endif
