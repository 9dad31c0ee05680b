/* Commands that change one device: state, keys of the boot, policy. */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <string.h>

#include "host/log.h"
#include "protocol/json_scan.h"

enum opcmd_result opcmd_begin(struct keeper *k, struct opcmd *op, bool urgent)
{
	if (keeper_transaction(k) != CV_OK ||
		(k->room != STORE_ROOM_PLENTY && !urgent)) {
		snprintf(op->problem, sizeof(op->problem), "the gateway cannot write its store");
		return OPCMD_STORE_FAILED;
	}
	return OPCMD_OK;
}

enum opcmd_result opcmd_audit(struct keeper *k, struct opcmd *op, const char *result,
	const char *detail_name, const char *detail)
{
	struct audit_text a;

	audit_begin(&a, "command", &k->clock, op->device[0] != '\0' ? op->device : NULL);
	json_text(&a.w, "operator", op->cert.operator_id);
	json_text(&a.w, "target", op->request->target);
	json_text(&a.w, "result", result);
	if (detail != NULL && detail[0] != '\0')
		json_text(&a.w, detail_name, detail);
	json_text(&a.w, "peer", op->request->peer);
	if (audit_append(&a, k->store) == CV_OK)
		return OPCMD_OK;
	keeper_batch_fail(k);
	return OPCMD_STORE_FAILED;
}

enum opcmd_result opcmd_get_device(struct keeper *k, struct opcmd *op)
{
	char id[CV_ID_BUF];
	bool known = false;

	if (json_get_id(op->tree, "device", id) != CV_OK)
		return OPCMD_MALFORMED;
	memcpy(op->device, id, sizeof(id));
	if (store_device_get(k->store, id, k->rec, &known) != CV_OK) {
		log_error("store: %s", store_why(k->store));
		return OPCMD_STORE_FAILED;
	}
	return known ? OPCMD_OK : OPCMD_NOT_FOUND;
}

enum opcmd_result opcmd_put_device(
	struct keeper *k, struct opcmd *op, const char *detail_name, const char *detail)
{
	if (store_device_put(k->store, k->rec) != CV_OK) {
		keeper_batch_fail(k);
		return OPCMD_STORE_FAILED;
	}
	op->changed = true;
	return opcmd_audit(k, op, "ok", detail_name, detail);
}

static void alert_device(struct keeper *k, const struct opcmd *op, enum event_type type)
{
	struct event_alert alert;

	if (event_init(&alert, type, k->cfg->gateway, op->device, k->clock.now_s) == CV_OK &&
		event_add_token(&alert, EVENT_KEY_operator, op->cert.operator_id) == CV_OK)
		keeper_alert_later(k, &alert);
}

static enum opcmd_result get_state_body(
	struct keeper *k, struct opcmd *op, char note[RECORD_NOTE_BUF])
{
	static const char *const names[] = { "device", "reason", NULL };

	note[0] = '\0';
	if (json_only(op->tree, names) != CV_OK ||
		(json_has(op->tree, "reason") &&
			json_get_text(op->tree, "reason", note, RECORD_NOTE_BUF) != CV_OK))
		return OPCMD_MALFORMED;
	return opcmd_get_device(k, op);
}

static enum opcmd_result change_state(
	struct keeper *k, struct opcmd *op, enum device_state state, enum event_type alert)
{
	char note[RECORD_NOTE_BUF];
	enum opcmd_result result = get_state_body(k, op, note);

	if (result != OPCMD_OK)
		return result;
	if (k->rec->state == DEVICE_REVOKED && state == DEVICE_QUARANTINED) {
		snprintf(op->problem, sizeof(op->problem),
			"the device is revoked, which is more than quarantine");
		return OPCMD_CONFLICT;
	}
	if (k->rec->state != state) {
		result = opcmd_begin(k, op, state != DEVICE_ACTIVE);
		if (result != OPCMD_OK)
			return result;
		k->rec->state = state;
		memcpy(k->rec->note, note, sizeof(note));
		result = opcmd_put_device(k, op, "reason", note);
		if (result != OPCMD_OK)
			return result;
		alert_device(k, op, alert);
	}
	json_text(&op->w, "device", op->device);
	json_text(&op->w, "state", device_state_name(state));
	return OPCMD_OK;
}

enum opcmd_result opcmd_revoke(struct keeper *k, struct opcmd *op)
{
	return change_state(k, op, DEVICE_REVOKED, EVENT_DEVICE_REVOKED);
}

enum opcmd_result opcmd_quarantine(struct keeper *k, struct opcmd *op)
{
	return change_state(k, op, DEVICE_QUARANTINED, EVENT_DEVICE_QUARANTINED);
}

enum opcmd_result opcmd_reinstate(struct keeper *k, struct opcmd *op)
{
	return change_state(k, op, DEVICE_ACTIVE, EVENT_DEVICE_REINSTATED);
}

enum opcmd_result opcmd_allow_key(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "device", NULL };
	enum opcmd_result result = OPCMD_MALFORMED;

	if (json_only(op->tree, names) == CV_OK)
		result = opcmd_get_device(k, op);
	if (result == OPCMD_OK && k->rec->boot.key_count > 0) {
		result = opcmd_begin(k, op, false);
		if (result == OPCMD_OK) {
			k->rec->boot.key_count = 0;
			memset(k->rec->boot.keys, 0, sizeof(k->rec->boot.keys));
			result = opcmd_put_device(k, op, NULL, NULL);
		}
	}
	if (result == OPCMD_OK)
		json_text(&op->w, "device", op->device);
	return result;
}

/* The policy's own text, as it will be kept, and what it says, in k->policy. */
static enum opcmd_result read_policy(
	struct keeper *k, struct opcmd *op, const char **text, size_t *len)
{
	const struct cJSON *object;

	if (json_get_object(op->tree, "policy", &object) != CV_OK ||
		json_member_raw((const char *)op->request->body, op->request->body_len, "policy",
			text, len) != CV_OK)
		return OPCMD_MALFORMED;
	if (policy_decode(k->policy, *text, *len, op->problem, sizeof(op->problem)) != CV_OK)
		return OPCMD_MALFORMED;
	if (policy_lint(k->policy, op->problem, sizeof(op->problem)) != CV_OK ||
		policy_lint_class(k->policy, k->rec->trust_class, op->problem,
			sizeof(op->problem)) != CV_OK)
		return OPCMD_POLICY_EMPTY;
	return OPCMD_OK;
}

static enum opcmd_result set_policy(
	struct keeper *k, struct opcmd *op, const char *text, size_t len)
{
	enum opcmd_result result;

	if (k->policy->version == k->rec->policy_version && len == k->rec->policy_len &&
		memcmp(text, k->rec->policy, len) == 0)
		return OPCMD_OK;
	if (k->policy->version <= k->rec->policy_version) {
		snprintf(op->problem, sizeof(op->problem),
			"policy_version must be above %llu, which the device has",
			(unsigned long long)k->rec->policy_version);
		return OPCMD_CONFLICT;
	}
	result = opcmd_begin(k, op, false);
	if (result != OPCMD_OK)
		return result;
	memcpy(k->rec->policy, text, len);
	k->rec->policy[len] = '\0';
	k->rec->policy_len = len;
	k->rec->policy_version = k->policy->version;
	result = opcmd_put_device(k, op, NULL, NULL);
	if (result == OPCMD_OK)
		alert_device(k, op, EVENT_POLICY_CHANGED);
	return result;
}

enum opcmd_result opcmd_policy(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "device", "policy", NULL };
	enum opcmd_result result = OPCMD_MALFORMED;
	const char *text = NULL;
	size_t len = 0;

	if (json_only(op->tree, names) == CV_OK)
		result = opcmd_get_device(k, op);
	if (result == OPCMD_OK)
		result = read_policy(k, op, &text, &len);
	if (result == OPCMD_OK)
		result = set_policy(k, op, text, len);
	if (result == OPCMD_OK) {
		json_text(&op->w, "device", op->device);
		json_u64(&op->w, "policy_version", k->rec->policy_version);
	}
	return result;
}
