#include "device/report.h"

#include <stdio.h>
#include <string.h>

#include "device/anchor.h"
#include "device/counter.h"
#include "host/clock.h"
#include "host/log.h"
#include "protocol/crypto.h"
#include "protocol/mac.h"

#define BODY_CAP 2048

static struct mac_scope scope_of(const struct identity *id, size_t member)
{
	return (struct mac_scope){ .fleet = id->fleet,
		.gateway = id->share_set.members[member].gateway,
		.device = id->device };
}

static enum cv_err send_signed(struct transport *t, const struct identity *id, size_t member,
	const char *target, const char *body, size_t len, uint8_t request_mac[CV_MAC_BYTES])
{
	struct mac_scope scope = scope_of(id, member);
	char header[MAC_REQUEST_HEADER_BUF];
	enum cv_err err =
		mac_request(request_mac, id->mac_keys[member], &scope, "POST", target, body, len);

	if (err == CV_OK)
		err = mac_request_header(header, id->device, request_mac);
	if (err == CV_OK)
		err = transport_send(t, member, target, header, body, len,
			clock_monotonic_ms() + CV_GATEWAY_TIMEOUT_MS);
	return err;
}

/* Without a valid MAC it is no answer, whatever its status. */
static bool authentic(const struct identity *id, const struct transport_result *r,
	const uint8_t request_mac[CV_MAC_BYTES])
{
	struct mac_scope scope = scope_of(id, r->member);
	uint8_t got[CV_MAC_BYTES], want[CV_MAC_BYTES];

	return r->mac_header != NULL &&
		mac_response_header_parse(r->mac_header, r->mac_header_len, got) == CV_OK &&
		mac_response(want, id->mac_keys[r->member], &scope, request_mac, r->status, r->body,
			r->body_len) == CV_OK &&
		crypto_equal(got, want, CV_MAC_BYTES);
}

static enum cv_err encode_event(struct unlock *u, size_t member, const struct report *report,
	char body[BODY_CAP], size_t *len)
{
	const struct handshake_member *m = &u->handshake.members[member];
	struct event_request e = { .epoch = u->identity.share_set.epoch,
		.counter = report->counter,
		.event = report->event,
		.has_session = m->has_session,
		.store_revision = m->store_revision };
	enum cv_err err = crypto_random(e.request_id, sizeof(e.request_id));

	memcpy(e.volume_id, u->identity.share_set.volume_id, CV_VOLUME_ID_BYTES);
	memcpy(e.boot_id, u->boot_id, CV_BOOT_ID_BYTES);
	memcpy(e.session, m->session, CV_SESSION_BYTES);
	if (report->reason != NULL)
		snprintf(e.reason, sizeof(e.reason), "%s", report->reason);
	if (report->gateway != NULL)
		snprintf(e.gateway, sizeof(e.gateway), "%s", report->gateway);
	if (err == CV_OK && report->generation != 0)
		err = anchor_make(e.anchor, &u->identity, report->generation);
	return err == CV_OK ? event_request_encode(body, BODY_CAP, len, &e) : err;
}

/* An authentic refusal is an answer too: the same again would be refused again. */
static void take_event_answer(struct unlock *u, const struct transport_result *r,
	uint8_t macs[][CV_MAC_BYTES], struct report *report)
{
	const char *gateway = u->identity.share_set.members[r->member].gateway;

	if (r->fault != HANDSHAKE_FAULT_NONE) {
		log_warning("gateway %s: event not delivered: %s", gateway, r->detail);
		return;
	}
	if (!authentic(&u->identity, r, macs[r->member])) {
		log_warning("gateway %s: event not delivered: what came was not authentic",
			gateway);
		return;
	}
	if (r->status == 503) {
		log_warning("gateway %s: event not delivered: it is busy", gateway);
		return;
	}
	if (r->status != 200)
		log_warning("gateway %s: event refused: status %u", gateway, r->status);
	report->waiting &= ~(UINT32_C(1) << r->member);
}

static enum cv_err send_event(struct unlock *u, size_t member, const struct report *report,
	uint8_t mac[CV_MAC_BYTES])
{
	char body[BODY_CAP];
	size_t len = 0;
	enum cv_err err = encode_event(u, member, report, body, &len);

	if (err == CV_OK)
		err = send_signed(u->transport, &u->identity, member, MESSAGE_TARGET_EVENTS, body,
			len, mac);
	return err == CV_ERR_BUSY ? CV_OK : err; /* still silent since the unlock */
}

enum cv_err report_send(struct unlock *u, struct report *report)
{
	uint8_t macs[CV_MEMBERS_MAX][CV_MAC_BYTES];
	struct transport_result r;
	uint64_t end;
	enum cv_err err = CV_OK;

	unlock_drain(u);
	if (report->counter == 0) {
		err = counter_next(&report->counter, u->identity.state_dir);
		if (err != CV_OK)
			return err;
		report->waiting = (UINT32_C(1) << u->identity.share_set.count) - 1;
		if (report->only != 0)
			report->waiting &= report->only;
	}
	for (size_t i = 0; i < u->identity.share_set.count && err == CV_OK; i++)
		if ((report->waiting >> i & 1) != 0)
			err = send_event(u, i, report, macs[i]);
	end = clock_monotonic_ms() + CV_GATEWAY_TIMEOUT_MS + UNLOCK_GRACE_MS;
	while (transport_busy_count(u->transport) > 0 && clock_monotonic_ms() <= end) {
		(void)transport_wait(u->transport, end, -1);
		while (transport_next(u->transport, &r))
			take_event_answer(u, &r, macs, report);
	}
	return err;
}

enum cv_err report_liars(struct unlock *u)
{
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < u->identity.share_set.count && err == CV_OK; i++) {
		struct report report = { .event = DEVICE_EVENT_SHARE_INVALID,
			.gateway = u->identity.share_set.members[i].gateway };

		if (!u->handshake.members[i].share_invalid)
			continue;
		log_warning("gateway %s: %s", report.gateway, unlock_member_text(u, i));
		err = report_send(u, &report);
	}
	return err;
}

static void take_status_answer(const struct identity *id, const struct transport_result *r,
	const uint8_t mac[CV_MAC_BYTES], struct report_status *out)
{
	if (r->fault != HANDSHAKE_FAULT_NONE)
		snprintf(out->detail, sizeof(out->detail), "no answer: %s", r->detail);
	else if (!authentic(id, r, mac))
		snprintf(out->detail, sizeof(out->detail),
			"no answer: what came was not authentic (status %u)", r->status);
	else if (r->status != 200 ||
		status_answer_decode(&out->answer, r->body, r->body_len) != CV_OK)
		snprintf(out->detail, sizeof(out->detail), "refused: status %u", r->status);
	else
		out->answered = true;
}

enum cv_err report_ask_status(
	struct transport *t, const struct identity *id, struct report_status out[CV_MEMBERS_MAX])
{
	uint8_t macs[CV_MEMBERS_MAX][CV_MAC_BYTES];
	char body[BODY_CAP];
	struct transport_result r;
	size_t len = 0;
	enum cv_err err = CV_OK;

	memset(out, 0, CV_MEMBERS_MAX * sizeof(*out));
	for (size_t i = 0; i < id->share_set.count && err == CV_OK; i++) {
		struct status_request q;

		memcpy(q.volume_id, id->share_set.volume_id, CV_VOLUME_ID_BYTES);
		err = crypto_random(q.request_id, sizeof(q.request_id));
		if (err == CV_OK)
			err = status_request_encode(body, sizeof(body), &len, &q);
		if (err == CV_OK)
			err = send_signed(t, id, i, MESSAGE_TARGET_STATUS, body, len, macs[i]);
	}
	uint64_t end = clock_monotonic_ms() + CV_GATEWAY_TIMEOUT_MS + UNLOCK_GRACE_MS;
	while (err == CV_OK && transport_busy_count(t) > 0 && clock_monotonic_ms() <= end) {
		(void)transport_wait(t, end, -1);
		while (transport_next(t, &r))
			take_status_answer(id, &r, macs[r.member], &out[r.member]);
	}
	for (size_t i = 0; i < id->share_set.count; i++)
		if (!out[i].answered && out[i].detail[0] == '\0')
			snprintf(out[i].detail, sizeof(out[i].detail), "no answer in time");
	return err;
}
