/* When the wall clock counts as trusted (docs/protocol.md, docs/operations.md). */
#include "gateway/keeper_state.h"

#include "host/clock.h"

/* Not before this version was written: 2026-01-01. */
#define BUILD_TIME_S 1767225600u

uint64_t keeper_build_time_s(void)
{
	return BUILD_TIME_S;
}

struct authorize_clock keeper_clock_judge(
	uint64_t now_s, bool synchronised, uint64_t build_s, uint64_t last_trusted_s)
{
	struct authorize_clock clock = { now_s, false };

	clock.trusted = now_s >= build_s && (synchronised || now_s >= last_trusted_s);
	return clock;
}

void keeper_clock_read(struct keeper *k)
{
	const int64_t wall = clock_wall_s();

	k->now_ms = clock_monotonic_ms();
	k->clock = keeper_clock_judge(wall < 0 ? 0 : (uint64_t)wall, clock_wall_synchronised(),
		BUILD_TIME_S, store_committed(k->store)->trusted_time_s);
}
