/* A device's request: MAC over the raw bytes first, then budget, then what it asks for. */
#include "gateway/keeper_state.h"

#include <stdio.h>
#include <string.h>

#include "gateway/keeper_evidence.h"
#include "host/log.h"
#include "protocol/crypto.h"

#define LATER_S 2
#define LATER_PERSON_S 10 /* where people have to act */

/* Without a MAC: to a peer that is not known, or when there is no key to make one with. */
static void answer_bare(struct keeper *k, const struct ipc_request *request, unsigned int status,
	const char *body)
{
	struct ipc_answer answer = {0};

	answer.id = request->id;
	answer.status = status;
	snprintf(answer.content_type, sizeof(answer.content_type), "application/problem+json");
	answer.body = (const uint8_t *)body;
	answer.body_len = strlen(body);
	keeper_send(k, &answer);
}

/* One answer for an unknown device, a bad MAC and no MAC. */
static void unauthorized(struct keeper *k, const struct ipc_request *request)
{
	answer_bare(k, request, 401,
		"{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401}");
}

/* The store cannot be read: there is no key to authenticate an answer with. */
static void unavailable(struct keeper *k, const struct ipc_request *request)
{
	answer_bare(k, request, 503,
		"{\"type\":\"about:blank\",\"title\":\"Unavailable\",\"status\":503}");
}

static unsigned int status_of(enum reason reason)
{
	return reason == REASON_BUSY || reason == REASON_STORE_FAILED || reason == REASON_INTERNAL
		? 503
		: 403;
}

static uint32_t retry_after(const struct keeper *k, enum reason reason)
{
	if (reason_retry(reason) != RETRY_LATER)
		return 0;
	if (reason == REASON_RATE_LIMITED)
		return 60 / k->limits.device_per_minute + 1;
	if (reason == REASON_APPROVAL_REQUIRED)
		return LATER_PERSON_S;
	if (reason == REASON_WINDOW_CLOSED || reason == REASON_QUOTA_REACHED)
		return CV_RETRY_AFTER_MAX_S;
	return LATER_S;
}

/* Only what every policy allows; a group without one allows nothing. */
static bool may_reveal(struct keeper *k, const struct record *rec)
{
	const struct group_policy *group = keeper_group_policy(k, rec);

	if (rec->group[0] != '\0' && (group == NULL || !group->rules.reveal_reason))
		return false;
	return policy_decode(k->policy, rec->policy, rec->policy_len, NULL, 0) == CV_OK &&
		k->policy->reveal_reason;
}

enum cv_err keeper_refusal_body(struct keeper *k, const struct keeper_call *call,
	enum reason reason, char *out, size_t cap, size_t *len, unsigned int *status)
{
	struct refusal refusal = {0};
	const bool padded = strcmp(call->request->target, MESSAGE_TARGET_AUTHORIZE) == 0;

	refusal.status = status_of(reason);
	refusal.retry = reason_retry(reason);
	refusal.retry_after_s = retry_after(k, reason);
	refusal.reason = reason;
	refusal.has_reason = may_reveal(k, call->rec);
	*status = refusal.status;
	return refusal_encode(out, cap, len, &refusal, padded ? CV_AUTHORIZE_REPLY_BYTES
									   : CV_REFUSAL_BYTES);
}

static bool worth_an_alert(enum reason reason)
{
	/*
	 * These come with slow devices and restarts, or are the gateway's own trouble; what waits
	 * for an operator has an alert of its own, which does not say who it is.
	 */
	return reason != REASON_APPROVAL_REQUIRED && reason != REASON_NONCE_EXPIRED &&
	       reason != REASON_NONCE_FOREIGN && reason != REASON_STORE_FAILED &&
	       reason != REASON_BUSY && reason != REASON_INTERNAL;
}

/* Which policy said no; the reason names its rule. */
static void write_rule(struct keeper *k, struct audit_text *a, const struct keeper_call *call)
{
	static const char *const sources[] = { [AUTHORIZE_BY_GATEWAY] = "gateway",
		[AUTHORIZE_BY_GROUP] = "group", [AUTHORIZE_BY_DEVICE] = "device" };

	if (call->verdict == NULL)
		return;
	json_text(&a->w, "decided_by", sources[call->verdict->source]);
	if (call->rec->group[0] != '\0')
		json_text(&a->w, "group", call->rec->group);
	json_u64(&a->w, "policy_version", call->verdict->source == AUTHORIZE_BY_DEVICE
			? call->rec->policy_version
			: keeper_policy_version(k, call->rec));
}

static void record_refusal(struct keeper *k, const struct keeper_call *call, enum reason reason,
	const struct verdict_detail *detail)
{
	struct audit_text a;
	uint64_t repeats = 0;

	if (!budget_audit_refusal(call->budget, reason, k->now_ms, &k->limits, &repeats))
		return;
	if (reason == REASON_NONCE_SPENT)
		keeper_alert(k, EVENT_REPLAY, call->rec->device, reason_code(reason));
	else if (worth_an_alert(reason))
		keeper_alert(k, EVENT_AUTH_DENIED, call->rec->device, reason_code(reason));
	if (reason == REASON_STORE_FAILED || keeper_transaction(k) != CV_OK ||
		k->room != STORE_ROOM_PLENTY) {
		k->counters.audit_lost++;
		return;
	}
	audit_begin(&a, "refusal", &k->clock, call->rec->device);
	json_text(&a.w, "request", call->request->target);
	json_text(&a.w, "reason", reason_code(reason));
	write_rule(k, &a, call);
	if (detail != NULL)
		privacy_write(&a.w, &k->cfg->privacy, detail);
	if (repeats > 0)
		json_u64(&a.w, "repeats_before", repeats);
	json_text(&a.w, "peer", call->request->peer);
	if (audit_append(&a, k->store) != CV_OK)
		keeper_batch_fail(k);
	else if (call->input != NULL)
		keeper_evidence_keep(k, call->rec->device, call->input, reason);
}

void keeper_refuse(struct keeper *k, const struct keeper_call *call, enum reason reason)
{
	keeper_refuse_verdict(k, call, reason, NULL);
}

void keeper_refuse_verdict(struct keeper *k, const struct keeper_call *call, enum reason reason,
	const struct verdict_detail *detail)
{
	struct ipc_answer answer;
	unsigned int status = 0;
	size_t len = 0;

	k->counters.reasons[reason]++;
	log_debug("device %s: %s: %s", call->rec->device, call->request->target,
		reason_code(reason));
	record_refusal(k, call, reason, detail);
	if (keeper_refusal_body(k, call, reason, k->body, IPC_ANSWER_BODY_MAX, &len, &status) !=
			CV_OK ||
		keeper_device_answer(&answer, k, call, status, k->body, len) != CV_OK) {
		log_error("device %s: refusal cannot be made", call->rec->device);
		return;
	}
	keeper_send(k, &answer);
}

static void dispatch(struct keeper *k, struct keeper_call *call)
{
	const char *target = call->request->target;

	call->budget = budget_entry(k->budget, call->rec->device, k->now_ms, &k->limits);
	if (!budget_take(call->budget, k->now_ms, &k->limits))
		keeper_refuse(k, call, REASON_RATE_LIMITED);
	else if (strcmp(target, MESSAGE_TARGET_NONCE) == 0)
		keeper_on_nonce(k, call);
	else if (strcmp(target, MESSAGE_TARGET_AUTHORIZE) == 0)
		keeper_on_authorize(k, call, EVIDENCE_UNLOCK);
	else if (strcmp(target, MESSAGE_TARGET_CHECK) == 0)
		keeper_on_authorize(k, call, EVIDENCE_CHECK);
	else if (strcmp(target, MESSAGE_TARGET_EVENTS) == 0)
		keeper_on_event(k, call);
	else if (strcmp(target, MESSAGE_TARGET_STATUS) == 0)
		keeper_on_status(k, call);
	else
		keeper_refuse(k, call, REASON_MALFORMED);
}

void keeper_on_device(struct keeper *k, const struct ipc_request *request)
{
	struct keeper_call call = { request, {0}, NULL, k->rec, NULL, NULL };
	uint8_t expected[CV_MAC_BYTES];
	char device[CV_ID_BUF] = RECORD_DUMMY_ID;
	bool known = false;
	struct mac_scope scope = { k->cfg->fleet, k->cfg->gateway, device };

	/* Without a readable header all of it is done for the dummy, whose key nobody has. */
	if (mac_request_header_parse(request->mac, strlen(request->mac), device,
		    call.request_mac) != CV_OK)
		snprintf(device, sizeof(device), "%s", RECORD_DUMMY_ID);
	if (store_device_get(k->store, device, k->rec, &known) != CV_OK) {
		log_error("store: %s", store_why(k->store));
		unavailable(k, request);
		return;
	}
	if (mac_request(expected, k->rec->mac_key, &scope, request->method, request->target,
		    request->body, request->body_len) != CV_OK) {
		unavailable(k, request);
	} else if (!crypto_equal(expected, call.request_mac, CV_MAC_BYTES) || !known ||
		strcmp(device, RECORD_DUMMY_ID) == 0) {
		if (known && strcmp(device, RECORD_DUMMY_ID) != 0) {
			k->counters.bad_mac++;
			keeper_alert_count(k, EVENT_BAD_MAC, &k->bad_mac);
		} else {
			k->counters.unknown_device++;
			keeper_alert_count(k, EVENT_UNKNOWN_DEVICE, &k->unknown_device);
		}
		unauthorized(k, request);
	} else {
		dispatch(k, &call);
	}
	crypto_wipe(k->rec, sizeof(*k->rec));
}
