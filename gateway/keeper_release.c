/* A release: boot state and audit record into the transaction, the sealed share into its answer. */
#include "gateway/keeper_state.h"

#include <string.h>

#include "gateway/keeper_evidence.h"
#include "host/log.h"
#include "protocol/crypto.h"
#include "protocol/sealed_share.h"

#define DAY_S 86400

static enum cv_err seal_share(struct keeper *k, const struct keeper_call *call,
	const struct authorize_input *in, const struct verdict *v,
	uint8_t sealed[MESSAGE_SEALED_SHARE_BYTES])
{
	const struct sealed_share_scope scope = {
		{ k->cfg->fleet, k->cfg->gateway, call->rec->device }, in->request->volume_id,
		in->request->epoch, in->request->nonce, v->share->x, v->share->share_set_hash };

	return sealed_share_seal(sealed, in->evidence->boot_key, &scope, v->share->share);
}

static void write_quote(struct audit_text *a, const struct tpm_attest *attest)
{
	uint8_t firmware[8];

	for (size_t i = 0; i < sizeof(firmware); i++)
		firmware[i] = (uint8_t)(attest->firmware >> (56 - 8 * i));
	json_bytes(&a->w, "tpm_firmware", firmware, sizeof(firmware));
	json_bytes(&a->w, "tpm_pcr_digest", attest->pcr_digest, sizeof(attest->pcr_digest));
	json_bool(&a->w, "tpm_clock_safe", attest->safe);
}

/* Parts that a policy wants recorded and that are not as they were enrolled. */
static void write_differences(struct audit_text *a, const struct authorize_input *in,
	const struct policy *policy)
{
	const char *item;
	enum reason reason;
	size_t cursor = 0;

	while (policy->inventory == POLICY_RULES &&
		(item = authorize_inventory_difference(
			 in, &policy->inventory_recorded, &cursor, &reason)) != NULL)
		json_text(&a->w, NULL, item);
}

static void write_inventory(
	struct audit_text *a, const struct keeper *k, const struct authorize_input *in)
{
	if (k->cfg->privacy.serials == PRIVACY_REDACTED)
		return;
	if (in->policy->inventory != POLICY_RULES &&
		(in->group == NULL || in->group->rules.inventory != POLICY_RULES))
		return;
	json_array_open(&a->w, "inventory_changed");
	if (in->group != NULL)
		write_differences(a, in, &in->group->rules);
	write_differences(a, in, in->policy);
	json_array_close(&a->w);
}

static enum cv_err write_audit(struct keeper *k, const struct keeper_call *call,
	const struct authorize_input *in, const struct verdict *v)
{
	struct audit_text a;

	audit_begin(&a, "release", &k->clock, call->rec->device);
	json_bytes(&a.w, "volume", in->request->volume_id, CV_VOLUME_ID_BYTES);
	json_u64(&a.w, "epoch", in->request->epoch);
	json_bytes(&a.w, "boot_id", v->boot.boot_id, CV_BOOT_ID_BYTES);
	json_bytes(&a.w, "boot_key", in->evidence->boot_key, CV_X25519_BYTES);
	json_u64(&a.w, "boot_keys", v->boot.key_count);
	json_bool(&a.w, "new_boot", v->new_boot);
	json_bytes(&a.w, "session", call->rec->last_session, CV_SESSION_BYTES);
	json_u64(&a.w, "policy_version",
		in->group != NULL ? in->group->rules.version : call->rec->policy_version);
	if (in->group != NULL)
		json_text(&a.w, "group", in->group->group);
	if (v->reference != NULL)
		json_text(&a.w, "reference", v->reference->name);
	if (v->approved)
		json_bool(&a.w, "approved", true);
	write_inventory(&a, k, in);
	if (in->attest != NULL)
		write_quote(&a, in->attest);
	json_text(&a.w, "peer", call->request->peer);
	return audit_append(&a, k->store);
}

static void alert_later(struct keeper *k, const struct keeper_call *call,
	const struct authorize_input *in, const struct verdict *v, enum event_type type)
{
	struct event_alert alert;

	if (event_init(&alert, type, k->cfg->gateway, call->rec->device, k->clock.now_s) ==
			CV_OK &&
		event_add_hex(&alert, EVENT_KEY_volume, in->request->volume_id) == CV_OK &&
		event_add_number(&alert, EVENT_KEY_epoch, in->request->epoch) == CV_OK &&
		event_add_hex(&alert, EVENT_KEY_boot_id, v->boot.boot_id) == CV_OK &&
		event_add_number(&alert, EVENT_KEY_boot_keys, v->boot.key_count) == CV_OK &&
		event_add_token(&alert, EVENT_KEY_trust_class,
			trust_class_name(call->rec->trust_class)) == CV_OK)
		keeper_alert_later(k, &alert);
}

static enum cv_err make_answers(struct keeper *k, const struct keeper_call *call,
	const struct authorize_answer *answer)
{
	static char failed_body[CV_AUTHORIZE_REPLY_BYTES + 1];
	struct ipc_answer good, failed;
	unsigned int status = 0;
	size_t len = 0, failed_len = 0;
	enum cv_err err = authorize_answer_encode(k->body, IPC_ANSWER_BODY_MAX, &len, answer);

	if (err == CV_OK)
		err = keeper_device_answer(&good, k, call, 200, k->body, len);
	if (err == CV_OK)
		err = keeper_refusal_body(k, call, REASON_STORE_FAILED, failed_body,
			sizeof(failed_body), &failed_len, &status);
	if (err == CV_OK)
		err = keeper_device_answer(&failed, k, call, status, failed_body, failed_len);
	return err == CV_OK ? keeper_defer(k, &good, &failed) : err;
}

uint32_t keeper_lease(const struct policy *own, const struct group_policy *group)
{
	const uint32_t of_group = group != NULL ? group->rules.lease_s : 0;

	if (own->lease_s == 0 || of_group == 0)
		return own->lease_s + of_group;
	return own->lease_s < of_group ? own->lease_s : of_group;
}

/* A grant is for one release; the quota counts keys that got something for the first time. */
static void count_release(struct keeper *k, struct record *rec, const struct verdict *v)
{
	const uint64_t day = k->clock.now_s / DAY_S;

	if (v->approved)
		memset(&rec->grant, 0, sizeof(rec->grant));
	if (rec->group[0] == '\0' || !v->new_key)
		return;
	if (k->clock.trusted && day > rec->quota_day) {
		rec->quota_day = day;
		rec->quota_used = 0;
	}
	rec->quota_used += rec->quota_used < UINT32_MAX ? 1 : 0;
}

/* The record's new state; what the answer says of the store is this transaction's. */
static enum cv_err write_state(struct keeper *k, const struct keeper_call *call,
	const struct authorize_input *in, const struct verdict *v)
{
	struct record *rec = call->rec;
	enum cv_err err = crypto_random(rec->last_session, sizeof(rec->last_session));

	rec->boot = v->boot;
	rec->last_release_s = k->clock.now_s;
	count_release(k, rec, v);
	if (err == CV_OK)
		err = store_device_put(k->store, rec);
	if (err == CV_OK)
		err = write_audit(k, call, in, v);
	if (err == CV_OK && v->new_boot)
		keeper_evidence_keep(k, rec->device, in, REASON_RELEASE);
	if (k->batch_failed)
		return CV_ERR_IO;
	if (err != CV_OK)
		keeper_batch_fail(k);
	return err;
}

void keeper_release(struct keeper *k, struct keeper_call *call, const struct authorize_input *in,
	const struct verdict *v)
{
	struct authorize_answer answer = {0};
	const struct record_volume *volume;

	if (keeper_transaction(k) != CV_OK || write_state(k, call, in, v) != CV_OK) {
		keeper_refuse(k, call, REASON_STORE_FAILED);
		return;
	}
	volume = record_volume_find(call->rec, in->request->volume_id);
	if (volume == NULL || seal_share(k, call, in, v, answer.sealed_share) != CV_OK) {
		keeper_batch_fail(k);
		keeper_refuse(k, call, REASON_INTERNAL);
		return;
	}
	memcpy(answer.session, call->rec->last_session, sizeof(answer.session));
	answer.lease_s = keeper_lease(in->policy, in->group);
	answer.policy_version = keeper_policy_version(k, call->rec);
	answer.store_revision = call->rec->revision;
	memcpy(answer.anchor, volume->anchor, sizeof(answer.anchor));
	if (make_answers(k, call, &answer) != CV_OK) {
		log_error("device %s: answer cannot be made", call->rec->device);
		keeper_batch_fail(k);
		return;
	}
	k->batch_released++;
	keeper_confirm_expect(k, call);
	if (v->approved)
		keeper_request_done(k, call->rec->device, in);
	alert_later(k, call, in, v, EVENT_AUTH_OK);
	if (v->alerts & AUTHORIZE_ALERT_NEW_BOOT_KEY)
		alert_later(k, call, in, v, EVENT_NEW_BOOT_KEY);
	if (v->alerts & AUTHORIZE_ALERT_CLONE)
		alert_later(k, call, in, v, EVENT_CLONE_SUSPECTED);
}
