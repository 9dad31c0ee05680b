#include "report.h"

#include <string.h>

#include "counter.h"
#include "port.h"
#include "protocol/crypto.h"

#define EVENT_BODY_MAX 768

static enum cv_err answer_check(
	const struct link *l, size_t member, const uint8_t request_mac[CV_MAC_BYTES])
{
	const struct identity *id = l->identity;
	struct mac_scope scope = {id->fleet, id->set.members[member].gateway, id->device};
	uint8_t got[CV_MAC_BYTES], want[CV_MAC_BYTES];
	enum cv_err err;

	if (!l->answer.has_mac)
		return CV_ERR_MAC;
	err = mac_response_header_parse(
		l->answer.mac_header, strlen(l->answer.mac_header), got);
	if (err == CV_OK)
		err = mac_response(want, id->mac_keys[member], &scope, request_mac,
			l->answer.status, l->answer.body, l->answer.body_len);
	if (err != CV_OK)
		return err;
	return crypto_equal(got, want, sizeof(got)) ? CV_OK : CV_ERR_MAC;
}

/* CV_OK when the gateway took it, with a valid MAC. */
static enum cv_err event_send(struct link *l, size_t member, struct event_request *m)
{
	const struct identity *id = l->identity;
	struct mac_scope scope = {id->fleet, id->set.members[member].gateway, id->device};
	char body[EVENT_BODY_MAX], header[MAC_REQUEST_HEADER_BUF];
	uint8_t mac[CV_MAC_BYTES];
	size_t len = 0;
	enum cv_err err = crypto_random(m->request_id, sizeof(m->request_id));

	if (err == CV_OK)
		err = event_request_encode(body, sizeof(body), &len, m);
	if (err == CV_OK)
		err = mac_request(mac, id->mac_keys[member], &scope, "POST", MESSAGE_TARGET_EVENTS,
			body, len);
	if (err == CV_OK)
		err = mac_request_header(header, id->device, mac);
	if (err != CV_OK)
		return err;
	if (link_exchange(l, member, MESSAGE_TARGET_EVENTS, header, body, len,
		    port_monotonic_ms() + CV_GATEWAY_TIMEOUT_MS) != HANDSHAKE_FAULT_NONE)
		return CV_ERR_UNREACHABLE;
	err = answer_check(l, member, mac);
	if (err == CV_OK && l->answer.status != 200)
		err = CV_ERR_DENIED;
	return err;
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
