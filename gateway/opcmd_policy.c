/* Commands about policies of groups: take one, promote or end a canary, show, list. */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <string.h>

#include "host/log.h"
#include "protocol/crypto.h"

#define LIST_MAX 200

/* What a push brings, verified. */
struct push {
	const char *text;
	size_t len;
	struct opcert signer, second;
	bool has_second;
	uint64_t percent; /* 0: for the whole group */
	struct store_policy policy;
	char group[CV_ID_BUF];
};

static enum opcmd_result verify_second(struct keeper *k, struct opcmd *op, struct push *p)
{
	const struct op_trust trust = { k->cfg->fleet, k->cfg->fleet_root, k->revoked, op->now_s };
	const char *text;
	size_t len;
	enum cv_err err;

	if (!json_has(op->tree, "countersign")) {
		if (!k->fleet.two_for_policy)
			return OPCMD_OK;
		snprintf(op->problem, sizeof(op->problem),
			"the fleet's rules want a second operator's signature: `policy sign --second`");
		return OPCMD_SIGNATURE;
	}
	if (json_get_text_ref(op->tree, "countersign", &text, &len) != CV_OK)
		return OPCMD_MALFORMED;
	err = group_countersign_verify(
		&trust, text, len, p->text, p->len, &p->signer, &p->second);
	if (err != CV_OK) {
		snprintf(op->problem, sizeof(op->problem), "second signature: %s",
			err == CV_ERR_DENIED ? "by the operator who signed, or one who is revoked"
					     : cv_err_text(err));
		return opcmd_document_refusal(err);
	}
	p->has_second = true;
	return OPCMD_OK;
}

/* Everything about the signed text itself. */
static enum opcmd_result verify(struct keeper *k, struct opcmd *op, struct push *p)
{
	static char payload[CV_GROUP_POLICY_MAX + 1];
	const struct op_trust trust = { k->cfg->fleet, k->cfg->fleet_root, k->revoked, op->now_s };
	static struct group_policy policy;
	struct crypto_part part;
	enum cv_err err;

	if (json_get_text_ref(op->tree, "policy", &p->text, &p->len) != CV_OK)
		return OPCMD_MALFORMED;
	err = group_open(&policy, p->text, p->len, &trust, &p->signer, payload, sizeof(payload),
		op->problem, sizeof(op->problem));
	if (err != CV_OK)
		return opcmd_document_refusal(err);
	p->policy.version = policy.rules.version;
	memcpy(p->group, policy.group, sizeof(p->group));
	group_free(&policy);
	part.data = p->text;
	part.len = p->len;
	if (crypto_sha256(p->policy.hash, &part, 1) != CV_OK)
		return OPCMD_STORE_FAILED;
	memcpy(p->policy.signer, p->signer.operator_id, sizeof(p->policy.signer));
	p->policy.taken_s = k->clock.now_s;
	return verify_second(k, op, p);
}

static void alert_policy(struct keeper *k, const struct opcmd *op, const char *group,
	uint64_t version, enum event_type type)
{
	struct event_alert alert;

	if (event_init(&alert, type, k->cfg->gateway, NULL, k->clock.now_s) == CV_OK &&
		event_add_token(&alert, EVENT_KEY_group, group) == CV_OK &&
		event_add_number(&alert, EVENT_KEY_policy_version, version) == CV_OK &&
		event_add_token(&alert, EVENT_KEY_operator, op->cert.operator_id) == CV_OK)
		keeper_alert_later(k, &alert);
}

/* The group as it is now; an empty one if it has no policy yet. */
static enum opcmd_result get_group(struct keeper *k, const char *id, struct store_group *group)
{
	const enum cv_err err = store_group_get(k->store, id, group);

	if (err == CV_OK)
		return OPCMD_OK;
	if (err == CV_ERR_NOT_FOUND) {
		memset(group, 0, sizeof(*group));
		snprintf(group->id, sizeof(group->id), "%s", id);
		return OPCMD_OK;
	}
	log_error("store: %s", store_why(k->store));
	return OPCMD_STORE_FAILED;
}

/* The group's new state, its audit record, and what is parsed of it. */
static enum opcmd_result put_group(struct keeper *k, struct opcmd *op,
	const struct store_group *group, const char *what, uint64_t version)
{
	char detail[CV_ID_BUF + 96];

	if (store_group_put(k->store, group) != CV_OK ||
		keeper_group_changed(k, group) != CV_OK) {
		keeper_batch_fail(k);
		return OPCMD_STORE_FAILED;
	}
	op->changed = true;
	snprintf(detail, sizeof(detail), "%s version %llu %s", group->id,
		(unsigned long long)version, what);
	return opcmd_audit(k, op, "ok", "policy", detail);
}

static enum opcmd_result take(
	struct keeper *k, struct opcmd *op, struct push *p, struct store_group *group)
{
	enum opcmd_result result = opcmd_begin(k, op, false);

	if (result != OPCMD_OK)
		return result;
	if (p->has_second)
		memcpy(p->policy.second, p->second.operator_id, sizeof(p->policy.second));
	if (p->percent == 0) {
		group->in_force = p->policy.version;
		group->canary = 0;
	} else {
		group->canary = p->policy.version;
	}
	group->percent = (uint32_t)p->percent;
	if (store_policy_add(k->store, group, &p->policy, p->text, p->len) != CV_OK) {
		keeper_batch_fail(k);
		return OPCMD_STORE_FAILED;
	}
	result = put_group(
		k, op, group, p->percent == 0 ? "in force" : "for canaries", p->policy.version);
	if (result == OPCMD_OK)
		alert_policy(k, op, group->id, p->policy.version, EVENT_POLICY_CHANGED);
	return result;
}

static void answer_group(struct opcmd *op, const struct store_group *group)
{
	json_text(&op->w, "group", group->id);
	json_u64(&op->w, "in_force", group->in_force);
	json_u64(&op->w, "canary", group->canary);
	json_u64(&op->w, "percent", group->percent);
}

enum opcmd_result opcmd_policy_push(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "policy", "countersign", "canary", NULL };
	static struct store_group group;
	const struct store_policy *same;
	struct push p;
	enum opcmd_result result = OPCMD_MALFORMED;

	memset(&p, 0, sizeof(p));
	if (json_only(op->tree, names) == CV_OK &&
		(!json_has(op->tree, "canary") ||
			json_get_u64(op->tree, "canary", 1, 99, &p.percent) == CV_OK))
		result = verify(k, op, &p);
	if (result == OPCMD_OK)
		result = get_group(k, p.group, &group);
	if (result != OPCMD_OK)
		return result;
	same = store_policy_find(&group, p.policy.version);
	if (same != NULL && crypto_equal(same->hash, p.policy.hash, CV_HASH_BYTES) &&
		p.policy.version == (p.percent == 0 ? group.in_force : group.canary) &&
		(p.percent == 0 || p.percent == group.percent)) {
		answer_group(op, &group);
		return OPCMD_OK;
	}
	if (p.policy.version <= group.highest) {
		snprintf(op->problem, sizeof(op->problem),
			"policy_version must be above %llu, the highest that was ever here",
			(unsigned long long)group.highest);
		return OPCMD_CONFLICT;
	}
	result = take(k, op, &p, &group);
	if (result == OPCMD_OK)
		answer_group(op, &group);
	return result;
}

static enum opcmd_result end_canary(
	struct keeper *k, struct opcmd *op, struct store_group *group, bool promote)
{
	const uint64_t version = group->canary;
	enum opcmd_result result = opcmd_begin(k, op, false);

	if (result != OPCMD_OK)
		return result;
	if (promote)
		group->in_force = version;
	group->canary = 0;
	group->percent = 0;
	result = put_group(k, op, group, promote ? "promoted" : "aborted", version);
	if (result == OPCMD_OK)
		alert_policy(k, op, group->id, version, EVENT_POLICY_CHANGED);
	return result;
}

/* Promoted before, or ended before: the same command again has the same effect, none. */
static bool done_before(const struct store_group *group, uint64_t version, bool promote)
{
	return group->canary != version && version <= group->highest &&
		(group->in_force == version) == promote;
}

enum opcmd_result opcmd_policy_canary(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "group", "version", "action", NULL };
	static struct store_group group;
	char id[CV_ID_BUF], action[16];
	uint64_t version = 0;
	bool promote;
	enum opcmd_result result;

	if (json_only(op->tree, names) != CV_OK || json_get_id(op->tree, "group", id) != CV_OK ||
		json_get_u64(op->tree, "version", 1, CV_JSON_INTEGER_MAX, &version) != CV_OK ||
		json_get_text(op->tree, "action", action, sizeof(action)) != CV_OK)
		return OPCMD_MALFORMED;
	promote = strcmp(action, "promote") == 0;
	if (!promote && strcmp(action, "abort") != 0)
		return OPCMD_MALFORMED;
	result = get_group(k, id, &group);
	if (result != OPCMD_OK)
		return result;
	if (group.count == 0)
		return OPCMD_NOT_FOUND;
	if (group.canary == version) {
		result = end_canary(k, op, &group, promote);
	} else if (!done_before(&group, version, promote)) {
		snprintf(op->problem, sizeof(op->problem), "version %llu is no canary here",
			(unsigned long long)version);
		result = OPCMD_CONFLICT;
	}
	if (result == OPCMD_OK)
		answer_group(op, &group);
	return result;
}

static void answer_history(struct opcmd *op, const struct store_group *group)
{
	json_array_open(&op->w, "history");
	for (size_t i = 0; i < group->count; i++) {
		const struct store_policy *p = &group->policies[i];

		json_object_open(&op->w, NULL);
		json_u64(&op->w, "version", p->version);
		json_bytes(&op->w, "sha256", p->hash, sizeof(p->hash));
		json_text(&op->w, "signer", p->signer);
		if (p->second[0] != '\0')
			json_text(&op->w, "second", p->second);
		json_u64(&op->w, "taken", p->taken_s);
		json_object_close(&op->w);
	}
	json_array_close(&op->w);
}

enum opcmd_result opcmd_policy_show(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "group", "version", NULL };
	static char text[CV_JWS_MAX + 1];
	static struct store_group group;
	char id[CV_ID_BUF];
	uint64_t version = 0;
	size_t len = 0;
	enum opcmd_result result;

	if (json_only(op->tree, names) != CV_OK || json_get_id(op->tree, "group", id) != CV_OK ||
		(json_has(op->tree, "version") &&
			json_get_u64(op->tree, "version", 1, CV_JSON_INTEGER_MAX, &version) !=
				CV_OK))
		return OPCMD_MALFORMED;
	result = get_group(k, id, &group);
	if (result != OPCMD_OK)
		return result;
	if (version == 0)
		version = group.in_force != 0 ? group.in_force : group.canary;
	if (store_policy_find(&group, version) == NULL)
		return OPCMD_NOT_FOUND;
	if (store_policy_get(k->store, id, version, text, &len) != CV_OK) {
		log_error("store: %s", store_why(k->store));
		return OPCMD_STORE_FAILED;
	}
	answer_group(op, &group);
	json_u64(&op->w, "version", version);
	json_text_n(&op->w, "policy", text, len);
	answer_history(op, &group);
	return OPCMD_OK;
}

static enum opcmd_result status_one(struct keeper *k, struct opcmd *op, const char *id)
{
	static struct store_group group;
	const struct store_policy *p;
	enum opcmd_result result = get_group(k, id, &group);

	if (result != OPCMD_OK)
		return result;
	json_object_open(&op->w, NULL);
	answer_group(op, &group);
	p = store_policy_find(&group, group.in_force);
	if (p != NULL)
		json_bytes(&op->w, "sha256", p->hash, sizeof(p->hash));
	p = store_policy_find(&group, group.canary);
	if (p != NULL)
		json_bytes(&op->w, "canary_sha256", p->hash, sizeof(p->hash));
	json_object_close(&op->w);
	return OPCMD_OK;
}

enum opcmd_result opcmd_policy_status(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "after", NULL };
	char after[CV_ID_BUF] = "";
	size_t listed = 0, i = 0;
	uint64_t in_force, canary;
	enum opcmd_result result = OPCMD_OK;

	if (json_only(op->tree, names) != CV_OK ||
		(json_has(op->tree, "after") && json_get_id(op->tree, "after", after) != CV_OK))
		return OPCMD_MALFORMED;
	while (i < keeper_group_count(k) &&
		strcmp(keeper_group_at(k, i, &in_force, &canary), after) <= 0)
		i++;
	json_array_open(&op->w, "groups");
	for (; result == OPCMD_OK && i < keeper_group_count(k) && listed < LIST_MAX; i++, listed++)
		result = status_one(k, op, keeper_group_at(k, i, &in_force, &canary));
	json_array_close(&op->w);
	json_bool(&op->w, "more", i < keeper_group_count(k));
	json_bool(&op->w, "frozen", k->fleet.frozen);
	json_bool(&op->w, "two_for_policy", k->fleet.two_for_policy);
	return result;
}
