#include "watch.h"

#include <string.h>

#include "call.h"
#include "port.h"
#include "protocol/crypto.h"

#define STATUS_BODY_MAX 128

static uint64_t lease_end(const struct watch *w)
{
	return w->rules.relock == SETTINGS_LOCK_LEASE ? standing_lease_end_ms(&w->standing)
						      : STANDING_NO_END;
}

static void plan(struct watch *w, uint64_t now)
{
	w->ask_at_ms =
		standing_ask_at_ms(now, (uint64_t)w->rules.status_s * 1000, lease_end(w));
}

void watch_init(struct watch *w, const struct settings_rules *rules, const struct handshake *h)
{
	const struct share_set *set = h->config.share_set;

	memset(w, 0, sizeof(*w));
	w->rules = *rules;
	standing_init(&w->standing, set->count, set->threshold);
	for (size_t i = 0; i < set->count; i++)
		if (h->members[i].has_session)
			standing_released(&w->standing, i, h->members[i].lease_s,
				h->members[i].answered_ms);
	plan(w, port_monotonic_ms());
}

static enum cv_err status_ask(struct link *l, size_t member, struct status_answer *answer)
{
	struct status_request m;
	char body[STATUS_BODY_MAX];
	size_t len = 0;
	enum cv_err err = crypto_random(m.request_id, sizeof(m.request_id));

	memcpy(m.volume_id, l->identity->set.volume_id, sizeof(m.volume_id));
	if (err == CV_OK)
		err = status_request_encode(body, sizeof(body), &len, &m);
	if (err == CV_OK)
		err = call_make(l, member, MESSAGE_TARGET_STATUS, body, len);
	if (err == CV_OK)
		err = status_answer_decode(answer, l->answer.body, l->answer.body_len);
	return err;
}

static void ask_all(struct watch *w, struct link *l)
{
	for (size_t i = 0; i < w->standing.count; i++) {
		/* a lease counts from the question, not from the answer */
		uint64_t asked = port_monotonic_ms();
		struct status_answer answer;

		if (status_ask(l, i, &answer) != CV_OK) {
			port_log("warning: a gateway gave no status");
			continue;
		}
		if (answer.state != DEVICE_ACTIVE) {
			port_log("warning: a gateway says that this device is:");
			port_log(device_state_name(answer.state));
		}
		standing_answered(&w->standing, i, &answer, asked);
		w->calls++;
	}
	link_rest(l);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

enum cv_err watch_run(struct watch *w, struct link *l, uint64_t until_ms)
{
	for (;;) {
		uint64_t now = port_monotonic_ms(), due;

		if (now >= lease_end(w))
			return CV_ERR_EXPIRED;
		if (now >= until_ms)
			return CV_OK;
		if (w->rules.relock != SETTINGS_LOCK_NEVER && now >= w->ask_at_ms) {
			ask_all(w, l);
			if (standing_is_revoked(&w->standing))
				return CV_ERR_DENIED;
			plan(w, port_monotonic_ms());
			continue;
		}
		due = least(until_ms, lease_end(w));
		if (w->rules.relock != SETTINGS_LOCK_NEVER)
			due = least(due, w->ask_at_ms);
		port_wait_ms((uint32_t)least(due - now, 60000));
	}
}
