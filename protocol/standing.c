#include "protocol/standing.h"

#include <string.h>

#include "protocol/crypto.h"

/* A lease is asked for again this many times before it ends. */
#define TRIES_PER_LEASE 4
#define ASK_LEAST_MS UINT64_C(1000)

void standing_init(struct standing *s, size_t count, size_t threshold)
{
	memset(s, 0, sizeof(*s));
	s->count = count;
	s->threshold = threshold;
}

void standing_released(struct standing *s, size_t member, uint32_t lease_s, uint64_t now_ms)
{
	s->revoked[member] = 0;
	s->lease_end_ms[member] =
		lease_s == 0 ? STANDING_NO_END : now_ms + (uint64_t)lease_s * 1000;
}

void standing_answered(
	struct standing *s, size_t member, const struct status_answer *a, uint64_t now_ms)
{
	if (a->state == DEVICE_ACTIVE)
		standing_released(s, member, a->lease_s, now_ms);
	s->revoked[member] = a->state == DEVICE_REVOKED;
}

int standing_is_revoked(const struct standing *s)
{
	size_t revoked = 0;

	for (size_t i = 0; i < s->count; i++)
		revoked += s->revoked[i];
	return revoked >= s->count - s->threshold + 1;
}

uint64_t standing_lease_end_ms(const struct standing *s)
{
	uint64_t end = 0;

	/* the largest end that at least K gateways reach */
	for (size_t i = 0; i < s->count; i++) {
		size_t reach = 0;

		for (size_t j = 0; j < s->count; j++)
			reach += s->lease_end_ms[j] >= s->lease_end_ms[i];
		if (reach >= s->threshold && s->lease_end_ms[i] > end)
			end = s->lease_end_ms[i];
	}
	return end;
}

/* Three quarters to all of `ms`. */
static uint64_t jittered(uint64_t ms)
{
	uint32_t random = 0;

	if (crypto_random(&random, sizeof(random)) != CV_OK)
		random = UINT32_MAX;
	return ms - ms / 4 * random / UINT32_MAX;
}

uint64_t standing_ask_at_ms(uint64_t now_ms, uint64_t interval_ms, uint64_t lease_end_ms)
{
	uint64_t wait = interval_ms;

	if (lease_end_ms != STANDING_NO_END) {
		uint64_t left = lease_end_ms > now_ms ? lease_end_ms - now_ms : 0;
		uint64_t part = left / TRIES_PER_LEASE;

		if (part < wait)
			wait = part > ASK_LEAST_MS ? part : ASK_LEAST_MS;
	}
	return now_ms + jittered(wait);
}
