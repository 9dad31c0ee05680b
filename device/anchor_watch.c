#include "device/anchor_watch.h"

#include <string.h>

#include "host/clock.h"
#include "host/log.h"

#define EVERY_MS UINT64_C(60000)

void anchor_watch_init(struct anchor_watch *a, const struct settings *settings)
{
	uint64_t interval_ms = (uint64_t)settings->status_interval_s * 1000;

	memset(a, 0, sizeof(*a));
	a->every_ms = interval_ms < EVERY_MS ? interval_ms : EVERY_MS;
	a->ask_at_ms = clock_monotonic_ms() + a->every_ms;
}

bool anchor_watch_due(struct anchor_watch *a)
{
	uint64_t now = clock_monotonic_ms();

	if (now < a->ask_at_ms)
		return false;
	a->ask_at_ms = now + a->every_ms;
	a->asked = true;
	return true;
}

void anchor_watch_tell(
	struct anchor_watch *a, struct unlock *u, const struct report *mount, uint64_t generation)
{
	struct report report = { .event = DEVICE_EVENT_CHECKPOINT, .generation = generation };

	a->asked = false;
	for (size_t i = 0; i < u->identity.share_set.count; i++) {
		if ((mount->waiting >> i & 1) != 0)
			continue;
		if (mount->generation > a->told[i])
			a->told[i] = mount->generation;
		if (a->told[i] < generation)
			report.only |= UINT32_C(1) << i;
	}
	if (report.only == 0)
		return;
	if (report_send(u, &report) != CV_OK) {
		log_warning("events: the generation of the volume cannot be sent");
		return;
	}
	for (size_t i = 0; i < u->identity.share_set.count; i++) {
		if (((report.only & ~report.waiting) >> i & 1) == 0)
			continue;
		a->told[i] = generation;
		log_debug("gateway %s: knows of generation %llu",
			u->identity.share_set.members[i].gateway, (unsigned long long)generation);
	}
}
