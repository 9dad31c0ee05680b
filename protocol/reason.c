#include "protocol/reason.h"

#include <stddef.h>

#include "protocol/line.h"

struct reason_row {
	const char *code;
	enum retry_hint retry;
};

static const struct reason_row rows[REASON_COUNT_] = {
	/* a failure of the gateway itself says nothing about the device, and may pass */
	[REASON_INTERNAL] = {"internal", RETRY_LATER},
	[REASON_RELEASE] = {"release", RETRY_NO},
	[REASON_RATE_LIMITED] = {"rate_limited", RETRY_LATER},
	[REASON_BUSY] = {"busy", RETRY_LATER},
	[REASON_STORE_FAILED] = {"store_failed", RETRY_LATER},
	[REASON_MALFORMED] = {"malformed", RETRY_NO},
	[REASON_NONCE_FOREIGN] = {"nonce_foreign", RETRY_NEW_NONCE},
	[REASON_NONCE_EXPIRED] = {"nonce_expired", RETRY_NEW_NONCE},
	[REASON_NONCE_SPENT] = {"nonce_spent", RETRY_NEW_NONCE},
	[REASON_VOLUME_UNKNOWN] = {"volume_unknown", RETRY_NO},
	[REASON_EPOCH_UNKNOWN] = {"epoch_unknown", RETRY_NO},
	[REASON_DEVICE_REVOKED] = {"device_revoked", RETRY_NO},
	[REASON_DEVICE_QUARANTINED] = {"device_quarantined", RETRY_NO},
	[REASON_FLEET_FROZEN] = {"fleet_frozen", RETRY_NO},
	[REASON_POLICY_MISSING] = {"policy_missing", RETRY_NO},
	[REASON_POLICY_EMPTY] = {"policy_empty", RETRY_NO},
	[REASON_EVIDENCE_FORMAT] = {"evidence_format", RETRY_NO},
	[REASON_EVIDENCE_ALGORITHM] = {"evidence_algorithm", RETRY_NO},
	[REASON_EVIDENCE_SIGNATURE] = {"evidence_signature", RETRY_NO},
	[REASON_EVIDENCE_PROFILE] = {"evidence_profile", RETRY_NO},
	[REASON_EVIDENCE_PURPOSE] = {"evidence_purpose", RETRY_NO},
	[REASON_EVIDENCE_NONCE] = {"evidence_nonce", RETRY_NO},
	[REASON_EVIDENCE_DEVICE] = {"evidence_device", RETRY_NO},
	[REASON_EVIDENCE_VOLUME] = {"evidence_volume", RETRY_NO},
	[REASON_EVIDENCE_EPOCH] = {"evidence_epoch", RETRY_NO},
	[REASON_EVIDENCE_SHARE_SET] = {"evidence_share_set", RETRY_NO},
	[REASON_QUOTE_UNSUPPORTED] = {"quote_unsupported", RETRY_NO},
	[REASON_QUOTE_MISSING] = {"quote_missing", RETRY_NO},
	[REASON_QUOTE_FORMAT] = {"quote_format", RETRY_NO},
	[REASON_QUOTE_ALGORITHM] = {"quote_algorithm", RETRY_NO},
	[REASON_QUOTE_SIGNATURE] = {"quote_signature", RETRY_NO},
	[REASON_QUOTE_TYPE] = {"quote_type", RETRY_NO},
	[REASON_QUOTE_KEY] = {"quote_key", RETRY_NO},
	[REASON_QUOTE_TOKEN] = {"quote_token", RETRY_NO},
	[REASON_QUOTE_SELECTION] = {"quote_selection", RETRY_NO},
	[REASON_QUOTE_DIGEST] = {"quote_digest", RETRY_NO},
	[REASON_DEBUG_ENABLED] = {"debug_enabled", RETRY_NO},
	[REASON_BOOT_FORM] = {"boot_form", RETRY_NO},
	[REASON_BOOT_ROLLBACK] = {"boot_rollback", RETRY_NO},
	[REASON_BOOT_AHEAD] = {"boot_ahead", RETRY_NO},
	[REASON_BOOT_KEY] = {"boot_key", RETRY_NO},
	[REASON_TIME_MISSING] = {"time_missing", RETRY_NO},
	[REASON_TIME_OUTSIDE] = {"time_outside", RETRY_NO},
	[REASON_MEASUREMENT_MISSING] = {"measurement_missing", RETRY_NO},
	[REASON_MEASUREMENT_MISMATCH] = {"measurement_mismatch", RETRY_NO},
	[REASON_PCR_MISMATCH] = {"pcr_mismatch", RETRY_NO},
	[REASON_FIRMWARE_MISMATCH] = {"firmware_mismatch", RETRY_NO},
	[REASON_EVENT_MISSING] = {"event_missing", RETRY_NO},
	[REASON_EVENT_REPLAY] = {"event_replay", RETRY_NO},
	[REASON_EVENT_MISMATCH] = {"event_mismatch", RETRY_NO},
	[REASON_EVENT_ABSENT] = {"event_absent", RETRY_NO},
	[REASON_RESIDENCY_MISSING] = {"residency_missing", RETRY_NO},
	[REASON_RESIDENCY_MISMATCH] = {"residency_mismatch", RETRY_NO},
	[REASON_INVENTORY_MISSING] = {"inventory_missing", RETRY_NO},
	[REASON_INVENTORY_MISMATCH] = {"inventory_mismatch", RETRY_NO},
	[REASON_PLACE_MISSING] = {"place_missing", RETRY_NO},
	[REASON_PLACE_DENIED] = {"place_denied", RETRY_NO},
	[REASON_PLACE_SOURCE] = {"place_source", RETRY_NO},
	[REASON_PLACE_STALE] = {"place_stale", RETRY_NO},
	[REASON_PLACE_ACCURACY] = {"place_accuracy", RETRY_NO},
	[REASON_TRUST_CLASS] = {"trust_class", RETRY_NO},
	[REASON_CLIENT_VERSION] = {"client_version", RETRY_NO},
	[REASON_REFERENCE_EXPIRED] = {"reference_expired", RETRY_NO},
	[REASON_WINDOW_CLOSED] = {"window_closed", RETRY_LATER},
	[REASON_QUOTA_REACHED] = {"quota_reached", RETRY_LATER},
	[REASON_APPROVAL_REQUIRED] = {"approval_required", RETRY_LATER},
	[REASON_COUNTER_REUSED] = {"counter_reused", RETRY_NO},
};

static const struct reason_row *row(enum reason reason)
{
	size_t index = (size_t)reason;

	return &rows[index < REASON_COUNT_ ? index : REASON_INTERNAL];
}

const char *reason_code(enum reason reason)
{
	return row(reason)->code;
}

enum reason reason_parse(const char *code)
{
	for (size_t i = 0; i < REASON_COUNT_; i++) {
		if (text_equal(code, rows[i].code))
			return (enum reason)i;
	}
	return REASON_INTERNAL;
}

enum retry_hint reason_retry(enum reason reason)
{
	return row(reason)->retry;
}

const char *retry_hint_text(enum retry_hint hint)
{
	switch (hint) {
	case RETRY_NEW_NONCE:
		return "new_nonce";
	case RETRY_LATER:
		return "later";
	case RETRY_NO:
		break;
	}
	return "no";
}
