#include "gateway/authorize.h"

#include <string.h>

#include "protocol/crypto.h"

/* REASON_RELEASE out of a step means: go on. */
#define STEP(v, expression) \
	do { \
		(v)->reason = (expression); \
		if ((v)->reason != REASON_RELEASE) \
			return; \
	} while (0)

static enum reason nonce_reason(enum cv_err result)
{
	if (result == CV_OK)
		return REASON_RELEASE;
	if (result == CV_ERR_NONCE_FOREIGN)
		return REASON_NONCE_FOREIGN;
	if (result == CV_ERR_NONCE_EXPIRED)
		return REASON_NONCE_EXPIRED;
	if (result == CV_ERR_NONCE_SPENT)
		return REASON_NONCE_SPENT;
	if (result == CV_ERR_BUSY)
		return REASON_BUSY;
	return REASON_INTERNAL;
}

enum reason authorize_volume(
	const struct record *rec, const uint8_t volume_id[CV_VOLUME_ID_BYTES], uint32_t epoch)
{
	const struct record_volume *volume = record_volume_find(rec, volume_id);

	if (volume == NULL)
		return REASON_VOLUME_UNKNOWN;
	return record_share_find(volume, epoch) == NULL ? REASON_EPOCH_UNKNOWN : REASON_RELEASE;
}

enum reason authorize_state(const struct record *rec, bool frozen)
{
	switch (rec->state) {
	case DEVICE_ACTIVE:
		return frozen ? REASON_FLEET_FROZEN : REASON_RELEASE;
	case DEVICE_QUARANTINED:
		return REASON_DEVICE_QUARANTINED;
	case DEVICE_REVOKED:
		return REASON_DEVICE_REVOKED;
	}
	return REASON_INTERNAL;
}

enum reason authorize_before_evidence(const struct authorize_input *in)
{
	enum reason reason = nonce_reason(in->nonce);

	if (reason == REASON_RELEASE)
		reason = authorize_volume(in->record, in->request->volume_id, in->request->epoch);
	if (reason == REASON_RELEASE)
		reason = authorize_state(in->record, in->frozen);
	return reason;
}

static enum reason evidence_decoded(enum cv_err result)
{
	if (result == CV_OK)
		return REASON_RELEASE;
	if (result == CV_ERR_ALGORITHM)
		return REASON_EVIDENCE_ALGORITHM;
	if (result == CV_ERR_SIGNATURE)
		return REASON_EVIDENCE_SIGNATURE;
	if (result == CV_ERR_FORMAT || result == CV_ERR_TYPE || result == CV_ERR_RANGE ||
		result == CV_ERR_TOO_LONG)
		return REASON_EVIDENCE_FORMAT;
	return REASON_INTERNAL;
}

static enum reason evidence_claims(
	const struct authorize_input *in, const struct record_share *share)
{
	const struct evidence *ev = in->evidence;

	if (ev->other_profile)
		return REASON_EVIDENCE_PROFILE;
	if (ev->purpose != in->purpose)
		return REASON_EVIDENCE_PURPOSE;
	if (!evidence_names_nonce(ev, in->request->nonce))
		return REASON_EVIDENCE_NONCE;
	if (!crypto_equal(ev->ueid, in->ueid, EVIDENCE_UEID_BYTES))
		return REASON_EVIDENCE_DEVICE;
	if (!crypto_equal(ev->volume_id, in->request->volume_id, CV_VOLUME_ID_BYTES))
		return REASON_EVIDENCE_VOLUME;
	if (ev->epoch != in->request->epoch)
		return REASON_EVIDENCE_EPOCH;
	if (!crypto_equal(ev->share_set_hash, share->share_set_hash, CV_HASH_BYTES))
		return REASON_EVIDENCE_SHARE_SET;
	return REASON_RELEASE;
}

static enum reason debug_off(const struct evidence *ev)
{
	switch (ev->platform.dbgstat) {
	case EVIDENCE_DEBUG_DISABLED:
	case EVIDENCE_DEBUG_DISABLED_SINCE_BOOT:
	case EVIDENCE_DEBUG_DISABLED_PERMANENTLY:
	case EVIDENCE_DEBUG_DISABLED_FULLY:
		return REASON_RELEASE;
	case EVIDENCE_DEBUG_ENABLED:
		break;
	}
	return REASON_DEBUG_ENABLED;
}

/* Everything that one policy demands of the evidence; a group's and a device's alike. */
static enum reason keeps_rules(
	const struct authorize_input *in, const struct policy *policy, struct verdict *v)
{
	struct authorize_input one = *in;
	enum reason reason;

	one.policy = policy;
	reason = authorize_time(&one, v);
	if (reason == REASON_RELEASE)
		reason = authorize_measurements(&one, v);
	if (reason == REASON_RELEASE)
		reason = authorize_pcrs(&one, v);
	if (reason == REASON_RELEASE)
		reason = authorize_events(&one, v);
	if (reason == REASON_RELEASE)
		reason = authorize_platform(&one, v);
	if (reason == REASON_RELEASE)
		reason = authorize_inventory(&one, v);
	if (reason == REASON_RELEASE)
		reason = authorize_place(&one, v);
	return reason;
}

static enum reason policies_there(const struct authorize_input *in)
{
	if (in->policy == NULL)
		return REASON_POLICY_EMPTY;
	if (in->record->group[0] == '\0')
		return in->group == NULL ? REASON_RELEASE : REASON_INTERNAL;
	if (in->group == NULL)
		return REASON_POLICY_MISSING;
	return strcmp(in->group->group, in->record->group) == 0 ? REASON_RELEASE : REASON_INTERNAL;
}

static void decide_group(const struct authorize_input *in, struct verdict *v)
{
	v->source = AUTHORIZE_BY_GROUP;
	STEP(v, authorize_class(in, v));
	STEP(v, keeps_rules(in, &in->group->rules, v));
	STEP(v, authorize_references(in, v));
	STEP(v, authorize_client(in, v));
	v->source = AUTHORIZE_BY_GATEWAY;
}

/* What is about now and not about the device: asked last, so that an approval is worth giving. */
static void decide_occasion(const struct authorize_input *in, struct verdict *v)
{
	v->source = AUTHORIZE_BY_GROUP;
	STEP(v, authorize_windows(in, v));
	STEP(v, authorize_quota(in, v));
	STEP(v, authorize_approval(in, v));
	v->source = AUTHORIZE_BY_GATEWAY;
}

static void decide_policies(const struct authorize_input *in, struct verdict *v)
{
	STEP(v, debug_off(in->evidence));
	STEP(v, policies_there(in));
	STEP(v, authorize_boot(in, v));
	if (in->group != NULL)
		decide_group(in, v);
	if (v->reason != REASON_RELEASE)
		return;
	v->source = AUTHORIZE_BY_DEVICE;
	STEP(v, keeps_rules(in, in->policy, v));
	v->source = AUTHORIZE_BY_GATEWAY;
	if (in->group != NULL)
		decide_occasion(in, v);
}

static void decide(const struct authorize_input *in, struct verdict *v)
{
	const struct record_share *share;

	STEP(v, authorize_before_evidence(in));
	share = record_share_find(
		record_volume_find(in->record, in->request->volume_id), in->request->epoch);
	STEP(v, evidence_decoded(in->evidence_result));
	STEP(v, evidence_claims(in, share));
	STEP(v, authorize_quote(in));
	decide_policies(in, v);
	if (v->reason == REASON_RELEASE)
		v->share = share;
}

struct verdict authorize(const struct authorize_input *in)
{
	struct verdict v;

	memset(&v, 0, sizeof(v));
	v.reason = REASON_INTERNAL;
	if (in->nonce == CV_ERR_NONCE_SPENT)
		v.alerts |= AUTHORIZE_ALERT_REPLAY;
	decide(in, &v);
	if (v.reason == REASON_RELEASE && v.share == NULL)
		v.reason = REASON_INTERNAL;
	return v;
}

static void decide_again(const struct authorize_input *in, struct verdict *v)
{
	STEP(v, evidence_decoded(in->evidence_result));
	STEP(v, authorize_quote(in));
	decide_policies(in, v);
}

struct verdict authorize_again(const struct authorize_input *in)
{
	struct verdict v;

	memset(&v, 0, sizeof(v));
	v.reason = REASON_INTERNAL;
	decide_again(in, &v);
	return v;
}
