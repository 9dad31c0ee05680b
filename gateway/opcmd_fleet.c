/* Commands that concern the whole fleet, and which group a device is in. */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <string.h>

#include "protocol/fleet_rules.h"

static void alert_fleet(struct keeper *k, const struct opcmd *op, enum event_type type)
{
	struct event_alert alert;

	if (event_init(&alert, type, k->cfg->gateway, NULL, k->clock.now_s) == CV_OK &&
		event_add_token(&alert, EVENT_KEY_operator, op->cert.operator_id) == CV_OK)
		keeper_alert_later(k, &alert);
}

static enum opcmd_result store_fleet(
	struct keeper *k, struct opcmd *op, const char *detail_name, const char *detail)
{
	if (keeper_store_fleet(k) != CV_OK) {
		keeper_batch_fail(k);
		return OPCMD_STORE_FAILED;
	}
	op->changed = true;
	return opcmd_audit(k, op, "ok", detail_name, detail);
}

static enum opcmd_result set_frozen(struct keeper *k, struct opcmd *op, bool frozen)
{
	static const char *const names[] = { "reason", NULL };
	char reason[RECORD_NOTE_BUF] = "";
	enum opcmd_result result = OPCMD_OK;

	if (json_only(op->tree, names) != CV_OK ||
		(json_has(op->tree, "reason") &&
			json_get_text(op->tree, "reason", reason, sizeof(reason)) != CV_OK))
		return OPCMD_MALFORMED;
	if (k->fleet.frozen != frozen) {
		result = opcmd_begin(k, op, frozen);
		if (result != OPCMD_OK)
			return result;
		k->fleet.frozen = frozen;
		k->fleet.since_s = k->clock.now_s;
		memcpy(k->fleet.reason, reason, sizeof(reason));
		result = store_fleet(k, op, "reason", reason);
		if (result == OPCMD_OK)
			alert_fleet(k, op, frozen ? EVENT_FLEET_FROZEN : EVENT_FLEET_THAWED);
	}
	if (result == OPCMD_OK)
		json_bool(&op->w, "frozen", frozen);
	return result;
}

enum opcmd_result opcmd_freeze(struct keeper *k, struct opcmd *op)
{
	return set_frozen(k, op, true);
}

enum opcmd_result opcmd_thaw(struct keeper *k, struct opcmd *op)
{
	return set_frozen(k, op, false);
}

/* Signed by the root, as the revocation list is, and only ever newer. */
enum opcmd_result opcmd_fleet_rules(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "rules", NULL };
	struct fleet_rules rules;
	char version[24];
	const char *text;
	size_t len;
	enum opcmd_result result = OPCMD_OK;

	if (json_only(op->tree, names) != CV_OK ||
		json_get_text_ref(op->tree, "rules", &text, &len) != CV_OK ||
		fleet_rules_decode(&rules, text, len, k->cfg->fleet, k->cfg->fleet_root) != CV_OK)
		return OPCMD_MALFORMED;
	if (rules.version < k->fleet.rules_version ||
		(rules.version == k->fleet.rules_version &&
			(rules.two_for_policy != 0) != k->fleet.two_for_policy)) {
		snprintf(op->problem, sizeof(op->problem), "version %llu is here already",
			(unsigned long long)k->fleet.rules_version);
		return OPCMD_CONFLICT;
	}
	if (rules.version > k->fleet.rules_version) {
		result = opcmd_begin(k, op, true);
		if (result != OPCMD_OK)
			return result;
		k->fleet.rules_version = rules.version;
		k->fleet.two_for_policy = rules.two_for_policy != 0;
		snprintf(version, sizeof(version), "%llu", (unsigned long long)rules.version);
		result = store_fleet(k, op, "version", version);
	}
	if (result == OPCMD_OK)
		json_u64(&op->w, "version", rules.version);
	return result;
}

/* "" takes the device out of its group. */
static enum opcmd_result get_group_body(struct opcmd *op, char group[CV_ID_BUF])
{
	static const char *const names[] = { "device", "group", NULL };

	if (json_only(op->tree, names) != CV_OK)
		return OPCMD_MALFORMED;
	if (json_get_id(op->tree, "group", group) == CV_OK)
		return OPCMD_OK;
	return json_get_text(op->tree, "group", group, CV_ID_BUF) == CV_OK && group[0] == '\0'
		? OPCMD_OK
		: OPCMD_MALFORMED;
}

enum opcmd_result opcmd_group(struct keeper *k, struct opcmd *op)
{
	char group[CV_ID_BUF] = "";
	enum opcmd_result result = get_group_body(op, group);

	if (result == OPCMD_OK)
		result = opcmd_get_device(k, op);
	if (result == OPCMD_OK && strcmp(k->rec->group, group) != 0) {
		result = opcmd_begin(k, op, false);
		if (result != OPCMD_OK)
			return result;
		memcpy(k->rec->group, group, sizeof(group));
		k->rec->quota_used = 0;
		memset(&k->rec->grant, 0, sizeof(k->rec->grant));
		result = opcmd_put_device(k, op, "group", group[0] != '\0' ? group : "none");
	}
	if (result == OPCMD_OK) {
		json_text(&op->w, "device", op->device);
		json_text(&op->w, "group", group);
	}
	return result;
}
