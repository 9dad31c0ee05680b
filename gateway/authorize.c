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

static const struct record_volume *find_volume(
	const struct record *rec, const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	for (size_t i = 0; i < rec->volume_count && i < RECORD_VOLUMES_MAX; i++) {
		if (crypto_equal(rec->volumes[i].volume_id, volume_id, CV_VOLUME_ID_BYTES))
			return &rec->volumes[i];
	}
	return NULL;
}

enum reason authorize_volume(
	const struct record *rec, const uint8_t volume_id[CV_VOLUME_ID_BYTES], uint32_t epoch)
{
	const struct record_volume *volume = find_volume(rec, volume_id);

	if (volume == NULL)
		return REASON_VOLUME_UNKNOWN;
	return record_share_find(volume, epoch) == NULL ? REASON_EPOCH_UNKNOWN : REASON_RELEASE;
}

enum reason authorize_state(const struct record *rec)
{
	switch (rec->state) {
	case DEVICE_ACTIVE:
		return REASON_RELEASE;
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
		reason = authorize_state(in->record);
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

static void decide(const struct authorize_input *in, struct verdict *v)
{
	const struct record_share *share;

	STEP(v, authorize_before_evidence(in));
	share = record_share_find(
		find_volume(in->record, in->request->volume_id), in->request->epoch);
	STEP(v, evidence_decoded(in->evidence_result));
	STEP(v, evidence_claims(in, share));
	STEP(v, authorize_quote(in));
	STEP(v, debug_off(in->evidence));
	STEP(v, in->policy == NULL ? REASON_POLICY_EMPTY : REASON_RELEASE);
	STEP(v, authorize_boot(in, v));
	STEP(v, authorize_time(in, v));
	STEP(v, authorize_measurements(in, v));
	STEP(v, authorize_pcrs(in, v));
	STEP(v, authorize_place(in, v));
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
