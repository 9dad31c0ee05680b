/* /v1/events and /v1/status. */
#include "gateway/keeper_state.h"

#include <string.h>

#include "host/log.h"
#include "protocol/crypto.h"
#include "protocol/lp.h"

#define CONTENT_MAX 512

/* What makes two events the same: everything but the request id. */
static enum cv_err content_hash(uint8_t hash[CV_HASH_BYTES], const struct event_request *e)
{
	uint8_t text[CONTENT_MAX];
	struct crypto_part part = { text, 0 };
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, text, sizeof(text), "conclave-event-content-v1");
	lp_bytes(&lp, e->volume_id, sizeof(e->volume_id));
	lp_u64(&lp, e->epoch);
	lp_bytes(&lp, e->boot_id, sizeof(e->boot_id));
	lp_u64(&lp, e->counter);
	lp_u64(&lp, (uint64_t)e->event);
	lp_bytes(&lp, e->session, e->has_session ? sizeof(e->session) : 0);
	lp_text(&lp, e->reason);
	lp_text(&lp, e->gateway);
	lp_u64(&lp, e->store_revision);
	lp_text(&lp, e->anchor);
	err = lp_end(&lp, &part.len);
	return err != CV_OK ? err : crypto_sha256(hash, &part, 1);
}

static enum event_type alert_type(enum device_event event)
{
	switch (event) {
	case DEVICE_EVENT_MOUNT_OK:
		return EVENT_MOUNT_OK;
	case DEVICE_EVENT_MOUNT_FAIL:
		return EVENT_MOUNT_FAIL;
	case DEVICE_EVENT_SHARE_INVALID:
		return EVENT_SHARE_INVALID;
	case DEVICE_EVENT_CHECKPOINT:
		break;
	}
	return EVENT_NONE;
}

/* Digits and runs of them have no place in an alert's token; the audit keeps the whole reason. */
static void reason_token(char out[EVENT_TOKEN_MAX + 1], const char *reason)
{
	size_t n = 0;

	for (; reason[n] != '\0' && n < EVENT_TOKEN_MAX; n++) {
		const char c = reason[n];

		out[n] = (c >= 'a' && c <= 'z') || c == '_' ? c : '_';
	}
	out[n] = '\0';
}

static void alert_event(
	struct keeper *k, const struct keeper_call *call, const struct event_request *e)
{
	char token[EVENT_TOKEN_MAX + 1];
	struct event_alert alert;
	enum cv_err err;

	if (alert_type(e->event) == EVENT_NONE)
		return;
	err = event_init(&alert, alert_type(e->event), k->cfg->gateway, call->rec->device,
		k->clock.now_s);
	if (err == CV_OK)
		err = event_add_hex(&alert, EVENT_KEY_volume, e->volume_id);
	if (err == CV_OK)
		err = event_add_hex(&alert, EVENT_KEY_boot_id, e->boot_id);
	if (err == CV_OK)
		err = event_add_number(&alert, EVENT_KEY_counter, e->counter);
	if (err == CV_OK && e->gateway[0] != '\0')
		err = event_add_token(&alert, EVENT_KEY_accused, e->gateway);
	reason_token(token, e->reason);
	if (err == CV_OK && token[0] != '\0')
		err = event_set_reason(&alert, token);
	if (err == CV_OK)
		keeper_alert_later(k, &alert);
}

static void raise_alerts(
	struct keeper *k, const struct keeper_call *call, const struct event_request *e)
{
	const uint64_t ours = store_committed(k->store)->revision;
	const char *device = call->rec->device;
	struct event_alert alert;

	alert_event(k, call, e);
	if (e->store_revision <= ours)
		return;
	if (event_init(&alert, EVENT_ROLLBACK_SUSPECTED, k->cfg->gateway, device,
		    k->clock.now_s) == CV_OK &&
		event_add_number(&alert, EVENT_KEY_store_revision, e->store_revision) == CV_OK)
		keeper_alert_later(k, &alert);
	log_error("device %s: has seen store revision %llu of this gateway, which is at %llu: "
		  "was the store restored from an old copy?",
		device, (unsigned long long)e->store_revision, (unsigned long long)ours);
}

static enum cv_err write_audit(
	struct keeper *k, const struct keeper_call *call, const struct event_request *e)
{
	struct audit_text a;

	audit_begin(&a, "event", &k->clock, call->rec->device);
	json_text(&a.w, "event", device_event_name(e->event));
	json_bytes(&a.w, "volume", e->volume_id, sizeof(e->volume_id));
	json_u64(&a.w, "epoch", e->epoch);
	json_bytes(&a.w, "boot_id", e->boot_id, sizeof(e->boot_id));
	json_u64(&a.w, "counter", e->counter);
	if (e->has_session)
		json_bytes(&a.w, "session", e->session, sizeof(e->session));
	if (e->reason[0] != '\0')
		json_text(&a.w, "reason", e->reason);
	if (e->gateway[0] != '\0')
		json_text(&a.w, "gateway", e->gateway);
	json_u64(&a.w, "store_revision_seen", e->store_revision);
	return audit_append(&a, k->store);
}

static enum cv_err write_event(struct keeper *k, struct keeper_call *call,
	const struct event_request *e, const uint8_t hash[CV_HASH_BYTES])
{
	struct record *rec = call->rec;
	struct record_volume *volume = record_volume_find(rec, e->volume_id);
	enum cv_err err;

	rec->event_seen = true;
	rec->event_counter = e->counter;
	memcpy(rec->event_hash, hash, CV_HASH_BYTES);
	if (volume != NULL && e->anchor[0] != '\0')
		memcpy(volume->anchor, e->anchor, sizeof(volume->anchor));
	err = store_device_put(k->store, rec);
	/* The reserve is for releases: on a full disk the event is kept, its audit record not. */
	if (err == CV_OK && k->room == STORE_ROOM_PLENTY && e->event != DEVICE_EVENT_CHECKPOINT)
		err = write_audit(k, call, e);
	if (err != CV_OK)
		keeper_batch_fail(k);
	return err;
}

static enum cv_err accept(struct keeper *k, const struct keeper_call *call, bool wait)
{
	struct ipc_answer good, failed;
	char *failed_body = k->body + CV_AUTHORIZE_REPLY_BYTES;
	unsigned int status = 0;
	size_t len = 0, failed_len = 0;
	enum cv_err err = event_answer_encode(k->body, CV_AUTHORIZE_REPLY_BYTES, &len, NULL);

	if (err == CV_OK)
		err = keeper_device_answer(&good, k, call, 200, k->body, len);
	if (err == CV_OK)
		err = keeper_refusal_body(k, call, REASON_STORE_FAILED, failed_body,
			CV_AUTHORIZE_REPLY_BYTES, &failed_len, &status);
	if (err == CV_OK)
		err = keeper_device_answer(&failed, k, call, status, failed_body, failed_len);
	if (err != CV_OK)
		return err;
	if (wait)
		return keeper_defer(k, &good, &failed);
	keeper_send(k, &good);
	return CV_OK;
}

static void on_new_event(struct keeper *k, struct keeper_call *call,
	const struct event_request *e, const uint8_t hash[CV_HASH_BYTES])
{
	if (keeper_transaction(k) != CV_OK || write_event(k, call, e, hash) != CV_OK) {
		keeper_refuse(k, call, REASON_STORE_FAILED);
		return;
	}
	if (accept(k, call, true) != CV_OK) {
		keeper_batch_fail(k);
		return;
	}
	keeper_confirm_came(call, e->event);
	raise_alerts(k, call, e);
}

void keeper_on_event(struct keeper *k, struct keeper_call *call)
{
	const struct record *rec = call->rec;
	struct event_request e;
	uint8_t hash[CV_HASH_BYTES];
	enum reason reason;

	if (event_request_decode(&e, (const char *)call->request->body,
		    call->request->body_len) != CV_OK) {
		keeper_refuse(k, call, REASON_MALFORMED);
		return;
	}
	reason = authorize_volume(rec, e.volume_id, e.epoch);
	if (reason == REASON_RELEASE && content_hash(hash, &e) != CV_OK)
		reason = REASON_INTERNAL;
	if (reason != REASON_RELEASE) {
		keeper_refuse(k, call, reason);
	} else if (!rec->event_seen || e.counter > rec->event_counter) {
		on_new_event(k, call, &e, hash);
	} else if (e.counter == rec->event_counter &&
		crypto_equal(hash, rec->event_hash, CV_HASH_BYTES)) {
		/* The first one may still be waiting for its commit. */
		if (accept(k, call, store_in_transaction(k->store)) != CV_OK)
			log_error("device %s: answer cannot be made", rec->device);
	} else {
		keeper_refuse(k, call, REASON_COUNTER_REUSED);
	}
}

void keeper_on_status(struct keeper *k, struct keeper_call *call)
{
	struct status_request request;
	struct status_answer status = {0};
	struct ipc_answer answer;
	size_t len = 0;

	if (status_request_decode(&request, (const char *)call->request->body,
		    call->request->body_len) != CV_OK) {
		keeper_refuse(k, call, REASON_MALFORMED);
		return;
	}
	if (record_volume_find(call->rec, request.volume_id) == NULL) {
		keeper_refuse(k, call, REASON_VOLUME_UNKNOWN);
		return;
	}
	status.state = call->rec->state;
	status.policy_version = keeper_policy_version(k, call->rec);
	/* no answer rather than a lease without end */
	if (policy_decode(k->policy, call->rec->policy, call->rec->policy_len, NULL, 0) != CV_OK) {
		keeper_refuse(k, call, REASON_INTERNAL);
		return;
	}
	status.lease_s = keeper_lease(k->policy, keeper_group_policy(k, call->rec));
	status.store_revision = store_committed(k->store)->revision;
	if (status_answer_encode(k->body, IPC_ANSWER_BODY_MAX, &len, &status) != CV_OK ||
		keeper_device_answer(&answer, k, call, 200, k->body, len) != CV_OK)
		keeper_refuse(k, call, REASON_INTERNAL);
	else
		keeper_send(k, &answer);
}
