#include "device/standing.h"

#include "host/clock.h"
#include "host/log.h"
#include "protocol/crypto.h"

/* A lease is asked for again this many times before it ends. */
#define TRIES_PER_LEASE 4
#define ASK_LEAST_MS UINT64_C(1000)

/* Three quarters to all of `ms`, so that a fleet does not ask in step. */
static uint64_t jittered(uint64_t ms)
{
	uint32_t random = 0;

	if (crypto_random(&random, sizeof(random)) != CV_OK)
		random = UINT32_MAX;
	return ms - ms / 4 * random / UINT32_MAX;
}

/* Never later than a part of what the lease has left. */
static void plan(struct standing_watch *w, uint64_t now)
{
	uint64_t wait = (uint64_t)w->settings->status_interval_s * 1000;
	uint64_t end = standing_lease_end_ms(&w->standing);

	if (w->settings->relock == SETTINGS_RELOCK_LEASE && end != STANDING_NO_END) {
		uint64_t part = end > now ? (end - now) / TRIES_PER_LEASE : 0;

		if (part < wait)
			wait = part > ASK_LEAST_MS ? part : ASK_LEAST_MS;
	}
	w->ask_at_ms = now + jittered(wait);
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
	uint64_t end = UINT64_MAX;

	if (w->settings == NULL || w->settings->relock == SETTINGS_RELOCK_NEVER)
		return UINT64_MAX;
	if (w->settings->relock == SETTINGS_RELOCK_LEASE)
		end = standing_lease_end_ms(&w->standing);
	return end < w->ask_at_ms ? end : w->ask_at_ms;
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

	if (w->settings->relock == SETTINGS_RELOCK_LEASE &&
		now >= standing_lease_end_ms(&w->standing))
		return "the lease has ended: too few gateways renewed it";
	plan(w, now);
	return NULL;
}
