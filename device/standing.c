#include "device/standing.h"

#include "host/clock.h"
#include "host/log.h"

static uint64_t lease_end(const struct standing_watch *w)
{
	return w->settings->relock == SETTINGS_RELOCK_LEASE ? standing_lease_end_ms(&w->standing)
							    : STANDING_NO_END;
}

static void plan(struct standing_watch *w, uint64_t now)
{
	w->ask_at_ms = standing_ask_at_ms(
		now, (uint64_t)w->settings->status_interval_s * 1000, lease_end(w));
}

void standing_watch_init(
	struct standing_watch *w, const struct settings *settings, const struct unlock *u)
{
	const struct handshake *h = &u->handshake;
	uint64_t now = clock_monotonic_ms();

	w->settings = settings;
	standing_init(&w->standing, u->identity.share_set.count, u->identity.share_set.threshold);
	for (size_t i = 0; i < u->identity.share_set.count; i++)
		if (h->members[i].has_session)
			standing_released(&w->standing, i, h->members[i].lease_s,
				h->members[i].answered_ms);
	plan(w, now);
}

uint64_t standing_watch_due_ms(const struct standing_watch *w)
{
	if (w->settings == NULL || w->settings->relock == SETTINGS_RELOCK_NEVER)
		return UINT64_MAX;
	return lease_end(w) < w->ask_at_ms ? lease_end(w) : w->ask_at_ms;
}

static void ask(struct standing_watch *w, struct unlock *u)
{
	struct report_status status[CV_MEMBERS_MAX];
	/* a lease counts from the question, not from the answer */
	uint64_t now = clock_monotonic_ms();

	unlock_drain(u);
	if (unlock_follow_addresses(u) != CV_OK ||
		report_ask_status(u->transport, &u->identity, status) != CV_OK) {
		log_warning("status: the gateways could not be asked");
		return;
	}
	for (size_t i = 0; i < u->identity.share_set.count; i++) {
		if (!status[i].answered) {
			log_debug("gateway %s: %s", u->identity.share_set.members[i].gateway,
				status[i].detail);
			continue;
		}
		if (status[i].answer.state != DEVICE_ACTIVE)
			log_warning("gateway %s: this device is %s",
				u->identity.share_set.members[i].gateway,
				status[i].answer.state == DEVICE_REVOKED ? "revoked"
									 : "quarantined");
		standing_answered(&w->standing, i, &status[i].answer, now);
	}
}

const char *standing_watch_run(struct standing_watch *w, struct unlock *u)
{
	if (clock_monotonic_ms() < standing_watch_due_ms(w))
		return NULL;
	ask(w, u);
	if (standing_is_revoked(&w->standing))
		return "revoked: so many gateways say so that no unlock can follow";
	uint64_t now = clock_monotonic_ms();

	if (now >= lease_end(w))
		return "the lease has ended: too few gateways renewed it";
	plan(w, now);
	return NULL;
}
