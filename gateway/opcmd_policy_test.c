/*
 * `policy-test` and `evidence`: what a policy would say of the boots on record, by the verdict's
 * own code, and what that evidence holds.
 */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/keeper_evidence.h"
#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/json_scan.h"

#define SCAN_MAX 100	  /* devices looked at for one answer */
#define ANSWER_ROOM 8192  /* left free when the next device is begun */

/* One boot on record, decoded and verified again. */
struct again {
	struct evidence evidence;
	struct tpm_attest attest;
	struct authorize_request request;
	struct authorize_input in;
};

static void prepare(struct keeper *k, struct again *a, const struct store_evidence *e,
	const struct policy *own, const struct group_policy *group)
{
	const struct record *rec = k->rec;
	struct tpm_ak ak;

	memset(a, 0, sizeof(*a));
	memcpy(a->request.nonce, e->nonce, sizeof(a->request.nonce));
	a->request.evidence = e->token;
	a->request.evidence_len = e->token_len;
	a->request.quote = e->has_quote ? &e->quote : NULL;
	a->in.request = &a->request;
	a->in.purpose = EVIDENCE_UNLOCK;
	a->in.evidence = &a->evidence;
	a->in.evidence_result =
		evidence_decode(&a->evidence, e->token, e->token_len, rec->attestation_key);
	a->in.quote_result = REASON_INTERNAL;
	if (rec->trust_class == TRUST_TPM && e->has_quote &&
		tpm_ak_decode(&ak, rec->tpm.ak, rec->tpm.ak_len) == CV_OK) {
		a->in.quote = &e->quote;
		a->in.quote_result = tpm_quote_verify(&a->attest, &e->quote, &ak,
			rec->tpm.ek_name, e->token, e->token_len);
		if (a->in.quote_result == REASON_RELEASE)
			a->in.attest = &a->attest;
	}
	a->in.record = rec;
	a->in.policy = own;
	a->in.group = group;
	/* What is about the moment is judged as of that boot. */
	a->in.clock.now_s = e->time_s;
	a->in.clock.trusted = true;
}

/* Values that have run out by now count as of now: the next boot would meet them. */
static struct verdict judge(struct keeper *k, struct again *a)
{
	struct verdict v = authorize_again(&a->in);

	if (v.reason == REASON_RELEASE && a->in.group != NULL && k->clock.trusted) {
		a->in.clock = k->clock;
		v.reason = authorize_references(&a->in, &v);
		if (v.reason != REASON_RELEASE)
			v.source = AUTHORIZE_BY_GROUP;
	}
	return v;
}

static void write_verdict(struct keeper *k, struct opcmd *op, const struct store_evidence *e,
	const struct verdict *v)
{
	static const char *const sources[] = { [AUTHORIZE_BY_GATEWAY] = "gateway",
		[AUTHORIZE_BY_GROUP] = "group", [AUTHORIZE_BY_DEVICE] = "device" };

	json_object_open(&op->w, NULL);
	json_u64(&op->w, "time", e->time_s);
	json_text(&op->w, "was", reason_code(e->reason));
	json_text(&op->w, "would", reason_code(v->reason));
	if (v->reason != REASON_RELEASE) {
		json_text(&op->w, "decided_by", sources[v->source]);
		privacy_write(&op->w, &k->cfg->privacy, &v->detail);
	}
	json_object_close(&op->w);
}

/* The device is in k->rec. */
static enum opcmd_result test_device(
	struct keeper *k, struct opcmd *op, const struct group_policy *group)
{
	static struct store_evidences all;
	static struct again again;
	const struct policy *own = NULL;

	if (store_evidence_get(k->store, k->rec->device, &all) != CV_OK) {
		log_error("store: %s", store_why(k->store));
		return OPCMD_STORE_FAILED;
	}
	if (policy_decode(k->policy, k->rec->policy, k->rec->policy_len, NULL, 0) == CV_OK)
		own = k->policy;
	/* As if it were in the group; boot limits look at this boot alone. */
	memcpy(k->rec->group, group->group, sizeof(k->rec->group));
	memset(&k->rec->boot, 0, sizeof(k->rec->boot));
	k->rec->quota_used = 0;
	json_object_open(&op->w, NULL);
	json_text(&op->w, "device", k->rec->device);
	json_array_open(&op->w, "boots");
	for (size_t i = 0; i < all.count; i++) {
		struct verdict v;

		prepare(k, &again, &all.list[i], own, group);
		if (again.in.evidence_result != CV_OK) /* from before it was enrolled anew */
			continue;
		v = judge(k, &again);
		write_verdict(k, op, &all.list[i], &v);
	}
	json_array_close(&op->w);
	json_object_close(&op->w);
	return OPCMD_OK;
}

static bool room_left(const struct opcmd *op)
{
	return op->w.cap - op->w.len > ANSWER_ROOM;
}

static enum opcmd_result test_group(struct keeper *k, struct opcmd *op, const char *name,
	const char *after, const struct group_policy *group)
{
	static char ids[SCAN_MAX][CV_ID_BUF];
	char last[CV_ID_BUF] = "";
	size_t count = 0, i = 0;
	bool more = false, known = false;
	enum opcmd_result result = OPCMD_OK;

	if (store_device_ids(k->store, after, ids, SCAN_MAX, &count, &more) != CV_OK)
		return OPCMD_STORE_FAILED;
	json_array_open(&op->w, "devices");
	for (; i < count && result == OPCMD_OK && room_left(op); i++) {
		memcpy(last, ids[i], sizeof(last));
		if (store_device_get(k->store, ids[i], k->rec, &known) != CV_OK || !known)
			result = OPCMD_STORE_FAILED;
		else if (strcmp(k->rec->group, name) == 0)
			result = test_device(k, op, group);
	}
	json_array_close(&op->w);
	json_bool(&op->w, "more", more || i < count);
	json_text(&op->w, "last", last);
	return result;
}

/* The policy to try: its JSON, which nobody needs to have signed yet. */
static enum opcmd_result read_policy(
	struct opcmd *op, struct group_policy *group, const char *fleet)
{
	const struct cJSON *object;
	const char *text;
	size_t len;

	if (json_get_object(op->tree, "policy", &object) != CV_OK ||
		json_member_raw((const char *)op->request->body, op->request->body_len, "policy",
			&text, &len) != CV_OK ||
		group_decode(group, text, len, op->problem, sizeof(op->problem)) != CV_OK)
		return OPCMD_MALFORMED;
	if (strcmp(group->fleet, fleet) == 0)
		return OPCMD_OK;
	group_free(group);
	snprintf(op->problem, sizeof(op->problem), "the policy is for another fleet");
	return OPCMD_MALFORMED;
}

enum opcmd_result opcmd_policy_test(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "device", "group", "after", "policy", NULL };
	static struct group_policy group;
	char name[CV_ID_BUF] = "", after[CV_ID_BUF] = "";
	const bool one = json_has(op->tree, "device");
	enum opcmd_result result;

	if (json_only(op->tree, names) != CV_OK || one == json_has(op->tree, "group") ||
		(!one && json_get_id(op->tree, "group", name) != CV_OK) ||
		(json_has(op->tree, "after") && json_get_id(op->tree, "after", after) != CV_OK))
		return OPCMD_MALFORMED;
	result = read_policy(op, &group, k->cfg->fleet);
	if (result != OPCMD_OK)
		return result;
	if (one) {
		result = opcmd_get_device(k, op);
		json_array_open(&op->w, "devices");
		if (result == OPCMD_OK)
			result = test_device(k, op, &group);
		json_array_close(&op->w);
		json_bool(&op->w, "more", false);
	} else {
		result = test_group(k, op, name, after, &group);
	}
	group_free(&group);
	return result;
}

/* Measurements and versions: what reference values are made of. No place, no serial number. */
static void write_claims(struct opcmd *op, const struct again *a, const struct store_evidence *e)
{
	const struct evidence_platform *p = &a->evidence.platform;
	char text[HEX_BUF(CV_HASH_BYTES)], number[8];

	json_object_open(&op->w, NULL);
	json_u64(&op->w, "time", e->time_s);
	json_text(&op->w, "reason", reason_code(e->reason));
	json_text(&op->w, "swname", p->swname);
	json_text(&op->w, "swversion", p->swversion);
	json_object_open(&op->w, "digests");
	for (size_t i = 0; i < p->digest_count; i++) {
		hex_encode(text, p->digests[i].value, CV_HASH_BYTES);
		json_text(&op->w, p->digests[i].name, text);
	}
	json_object_close(&op->w);
	if (a->in.attest != NULL) {
		json_object_open(&op->w, "pcrs");
		for (unsigned int pcr = 0; pcr < 24; pcr++) {
			const int at = tpm_pcr_position(pcr);

			if (at < 0)
				continue;
			hex_encode(text, e->quote.pcrs[at], CV_HASH_BYTES);
			snprintf(number, sizeof(number), "%u", pcr);
			json_text(&op->w, number, text);
		}
		json_object_close(&op->w);
		snprintf(text, sizeof(text), "%016llx", (unsigned long long)a->attest.firmware);
		json_text(&op->w, "tpm_firmware", text);
	}
	json_object_close(&op->w);
}

enum opcmd_result opcmd_evidence(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "device", NULL };
	static struct store_evidences all;
	static struct again again;
	enum opcmd_result result = OPCMD_MALFORMED;

	if (json_only(op->tree, names) == CV_OK)
		result = opcmd_get_device(k, op);
	if (result != OPCMD_OK)
		return result;
	if (store_evidence_get(k->store, op->device, &all) != CV_OK)
		return OPCMD_STORE_FAILED;
	json_text(&op->w, "device", op->device);
	json_text(&op->w, "trust_class", trust_class_name(k->rec->trust_class));
	json_text(&op->w, "group", k->rec->group);
	json_array_open(&op->w, "boots");
	for (size_t i = 0; i < all.count; i++) {
		prepare(k, &again, &all.list[i], NULL, NULL);
		if (again.in.evidence_result == CV_OK)
			write_claims(op, &again, &all.list[i]);
	}
	json_array_close(&op->w);
	return OPCMD_OK;
}
