/* /v1/nonce, /v1/authorize and /v1/check. */
#include "gateway/keeper_state.h"

#include <stdio.h>
#include <string.h>

#include "host/log.h"
#include "protocol/crypto.h"

static void answer_now(
	struct keeper *k, const struct keeper_call *call, const char *body, size_t len)
{
	struct ipc_answer answer;

	if (keeper_device_answer(&answer, k, call, 200, body, len) == CV_OK)
		keeper_send(k, &answer);
	else
		log_error("device %s: answer cannot be made", call->rec->device);
}

static struct nonce_scope scope_of(const struct keeper *k, const struct keeper_call *call,
	const uint8_t *volume_id, uint32_t epoch)
{
	const struct nonce_scope scope = { k->cfg->gateway, call->rec->device, volume_id, epoch };

	return scope;
}

static void note_boot(struct keeper *k, const struct keeper_call *call,
	const struct nonce_request *request)
{
	const struct record_boot *boot = &call->rec->boot;
	struct event_alert alert;

	if (!budget_new_boot(call->budget, request->boot_id, boot->known ? boot->boot_id : NULL,
		    k->now_ms))
		return;
	if (event_init(&alert, EVENT_BOOT_LOCKED, k->cfg->gateway, call->rec->device,
		    k->clock.now_s) != CV_OK ||
		event_add_hex(&alert, EVENT_KEY_volume, request->volume_id) != CV_OK ||
		event_add_hex(&alert, EVENT_KEY_boot_id, request->boot_id) != CV_OK)
		return;
	channel_alert(&k->alerts, &alert);
}

void keeper_on_nonce(struct keeper *k, struct keeper_call *call)
{
	struct nonce_request request;
	struct nonce_answer answer;
	struct nonce_scope scope;
	uint8_t random[16];
	enum reason reason;
	size_t len = 0;

	if (nonce_request_decode(&request, (const char *)call->request->body,
		    call->request->body_len) != CV_OK) {
		keeper_refuse(k, call, REASON_MALFORMED);
		return;
	}
	note_boot(k, call, &request);
	reason = authorize_volume(call->rec, request.volume_id, request.epoch);
	if (reason == REASON_RELEASE)
		reason = authorize_state(call->rec, k->fleet.frozen);
	if (reason != REASON_RELEASE) {
		keeper_refuse(k, call, reason);
		return;
	}
	scope = scope_of(k, call, request.volume_id, request.epoch);
	answer.expires_in_s = (uint32_t)(k->nonce_ttl_ms / 1000);
	if (crypto_random(random, sizeof(random)) != CV_OK ||
		nonce_make(answer.nonce, k->keys->nonce, &scope, random, k->now_ms) != CV_OK ||
		nonce_answer_encode(k->body, IPC_ANSWER_BODY_MAX, &len, &answer) != CV_OK)
		keeper_refuse(k, call, REASON_INTERNAL);
	else
		answer_now(k, call, k->body, len);
}

/* Ours, fresh, and not spent until now. */
static enum cv_err spend_nonce(
	struct keeper *k, const struct keeper_call *call, const struct authorize_request *request)
{
	const struct nonce_scope scope = scope_of(k, call, request->volume_id, request->epoch);
	const enum cv_err err =
		nonce_check(request->nonce, k->keys->nonce, &scope, k->now_ms, k->nonce_ttl_ms);

	if (err != CV_OK)
		return err;
	return spent_add(k->spent, request->nonce, k->now_ms, k->nonce_ttl_ms);
}

static void answer_check(struct keeper *k, const struct keeper_call *call)
{
	struct check_answer answer = {0};
	size_t len = 0;

	answer.would_release = 1;
	answer.lease_s = keeper_lease(k->policy, keeper_group_policy(k, call->rec));
	answer.policy_version = keeper_policy_version(k, call->rec);
	answer.store_revision = store_committed(k->store)->revision;
	if (check_answer_encode(k->body, IPC_ANSWER_BODY_MAX, &len, &answer) != CV_OK)
		keeper_refuse(k, call, REASON_INTERNAL);
	else
		answer_now(k, call, k->body, len);
}

static void alert_verdict(
	struct keeper *k, const struct keeper_call *call, const struct verdict *v)
{
	const char *device = call->rec->device;
	const char *code = reason_code(v->reason);

	if (v->reason == REASON_RELEASE)
		return;
	if (v->alerts & AUTHORIZE_ALERT_CLONE)
		keeper_alert(k, EVENT_CLONE_SUSPECTED, device, code);
	if (v->alerts & AUTHORIZE_ALERT_COUNTER_AHEAD)
		keeper_alert(k, EVENT_BOOT_COUNTER_AHEAD, device, code);
	if (v->alerts & AUTHORIZE_ALERT_ROLLBACK)
		keeper_alert(k, EVENT_ROLLBACK_SUSPECTED, device, code);
}

/* Latched: from here on only an operator lets the device pass at this gateway. */
static void quarantine(struct keeper *k, struct keeper_call *call, enum reason reason)
{
	struct record *rec = call->rec;
	struct event_alert alert;
	struct audit_text a;

	if (keeper_transaction(k) != CV_OK)
		return;
	rec->state = DEVICE_QUARANTINED;
	snprintf(rec->note, sizeof(rec->note), "policy of group %s: %s", rec->group,
		reason_code(reason));
	audit_begin(&a, "quarantine", &k->clock, rec->device);
	json_text(&a.w, "group", rec->group);
	json_text(&a.w, "reason", reason_code(reason));
	if (store_device_put(k->store, rec) != CV_OK ||
		(k->room == STORE_ROOM_PLENTY && audit_append(&a, k->store) != CV_OK)) {
		keeper_batch_fail(k);
		return;
	}
	if (event_init(&alert, EVENT_DEVICE_QUARANTINED, k->cfg->gateway, rec->device,
		    k->clock.now_s) == CV_OK &&
		event_set_reason(&alert, reason_code(reason)) == CV_OK)
		keeper_alert_later(k, &alert);
}

static void decide(struct keeper *k, struct keeper_call *call, struct authorize_input *in)
{
	const uint64_t folded = call->budget->fold_count;
	struct verdict v;

	v = authorize(in);
	call->verdict = &v;
	call->input = in;
	if (v.reason != REASON_RELEASE) {
		keeper_refuse_verdict(k, call, v.reason, &v.detail);
		/* A repeat that was folded away is not told either. */
		if (call->budget->fold_count <= folded)
			alert_verdict(k, call, &v);
		if (v.reason == REASON_APPROVAL_REQUIRED && in->purpose == EVIDENCE_UNLOCK)
			keeper_request_note(k, call->rec->device, in);
		if (in->group != NULL && in->purpose == EVIDENCE_UNLOCK &&
			in->group->quarantine_on[v.reason])
			quarantine(k, call, v.reason);
	} else if (in->purpose == EVIDENCE_CHECK) {
		k->counters.reasons[REASON_RELEASE]++;
		answer_check(k, call);
	} else {
		keeper_release(k, call, in, &v);
	}
	call->verdict = NULL;
	call->input = NULL;
}

/* Nothing of a quote is looked at before its token is known to be the device's. */
static void check_quote(struct authorize_input *in, struct tpm_attest *attest)
{
	const struct record *rec = in->record;
	const struct authorize_request *request = in->request;
	struct tpm_ak ak;

	if (rec->trust_class != TRUST_TPM || request->quote == NULL ||
		tpm_ak_decode(&ak, rec->tpm.ak, rec->tpm.ak_len) != CV_OK)
		return;
	in->quote = request->quote;
	in->quote_result = tpm_quote_verify(attest, request->quote, &ak, rec->tpm.ek_name,
		request->evidence, request->evidence_len);
	if (in->quote_result == REASON_RELEASE)
		in->attest = attest;
}

void keeper_on_authorize(
	struct keeper *k, struct keeper_call *call, enum evidence_purpose purpose)
{
	static char token[CV_EVIDENCE_MAX + 1];
	static struct tpm_quote quote;
	struct tpm_attest attest;
	struct authorize_request request;
	uint8_t ueid[EVIDENCE_UEID_BYTES];
	struct authorize_input in = {0};

	if (authorize_request_decode(&request, (const char *)call->request->body,
		    call->request->body_len, token, &quote) != CV_OK) {
		keeper_refuse(k, call, REASON_MALFORMED);
		return;
	}
	in.request = &request;
	in.purpose = purpose;
	in.nonce = spend_nonce(k, call, &request);
	in.evidence_result = CV_ERR_INTERNAL;
	in.quote_result = REASON_INTERNAL;
	in.evidence = k->evidence;
	in.ueid = ueid;
	in.record = call->rec;
	in.frozen = k->fleet.frozen;
	in.clock = k->clock;
	if (evidence_ueid(ueid, k->cfg->fleet, call->rec->device) != CV_OK) {
		keeper_refuse(k, call, REASON_INTERNAL);
		return;
	}
	if (authorize_before_evidence(&in) == REASON_RELEASE) {
		memset(k->evidence, 0, sizeof(*k->evidence));
		in.evidence_result = evidence_decode(k->evidence, request.evidence,
			request.evidence_len, call->rec->attestation_key);
		if (in.evidence_result == CV_OK)
			check_quote(&in, &attest);
		if (policy_decode(k->policy, call->rec->policy, call->rec->policy_len, NULL, 0) ==
			CV_OK)
			in.policy = k->policy;
		in.group = keeper_group_policy(k, call->rec);
	}
	decide(k, call, &in);
}
