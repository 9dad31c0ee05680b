#include "protocol/standing.h"

#include <string.h>

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
