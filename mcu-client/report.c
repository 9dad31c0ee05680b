#include "report.h"

#include <string.h>

#include "call.h"
#include "counter.h"
#include "port.h"
#include "protocol/crypto.h"

#define EVENT_BODY_MAX 768

/* CV_OK when the gateway took it, with a valid MAC. */
static enum cv_err event_send(struct link *l, size_t member, struct event_request *m)
{
	char body[EVENT_BODY_MAX];
	size_t len = 0;
	enum cv_err err = crypto_random(m->request_id, sizeof(m->request_id));

	if (err == CV_OK)
		err = event_request_encode(body, sizeof(body), &len, m);
	return err == CV_OK ? call_make(l, member, MESSAGE_TARGET_EVENTS, body, len) : err;
}

size_t report_event(struct link *l, const struct handshake *h, enum device_event event,
	const char *reason, const char *gateway)
{
	const struct share_set *set = &l->identity->set;
	struct event_request m = {.epoch = set->epoch, .event = event};
	size_t accepted = 0;

	memcpy(m.volume_id, set->volume_id, sizeof(m.volume_id));
	memcpy(m.boot_id, h->config.platform->boot_id, sizeof(m.boot_id));
	if (reason != NULL)
		strncpy(m.reason, reason, sizeof(m.reason) - 1);
	if (gateway != NULL)
		strncpy(m.gateway, gateway, sizeof(m.gateway) - 1);
	if (counter_next("counter", &m.counter) != CV_OK) {
		port_log("error: event counter: non-volatile memory failed; no event sent");
		return 0;
	}
	for (size_t i = 0; i < set->count; i++) {
		const struct handshake_member *member = &h->members[i];

		m.has_session = member->has_session;
		memcpy(m.session, member->session, sizeof(m.session));
		m.store_revision = member->store_revision;
		if (event_send(l, i, &m) == CV_OK)
			accepted++;
	}
	return accepted;
}
