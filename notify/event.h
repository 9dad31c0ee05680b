/*
 * One alert: what happened, at which gateway, to which device. The keeper makes it, the sender
 * delivers it, and nothing else of a request ever reaches a webhook.
 *
 * Redaction is by construction: an alert has no free text. A reason is a token, a detail is a key
 * of a closed list whose value is a number, an id or a fixed form, so that a place, a secret, a
 * MAC, a token or an address cannot be expressed.
 *
 * Form     docs/alerts.md; JSON of one line, members in a fixed order, at most EVENT_JSON_MAX
 *          bytes. event_decode takes exactly what event_encode writes, byte for byte.
 * Memory   the caller's; no allocation except inside cJSON while decoding.
 * Threads  any, on separate alerts.
 */
#ifndef CONCLAVE_NOTIFY_EVENT_H
#define CONCLAVE_NOTIFY_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define EVENT_JSON_MAX 2048 /* bytes, without a NUL */
#define EVENT_ID_BYTES 16
#define EVENT_ID_TEXT (4 + 2 * EVENT_ID_BYTES + 1) /* "evt_", hex, NUL */
#define EVENT_TOKEN_MAX 63
#define EVENT_DETAILS_MAX 8
#define EVENT_TIME_MAX 253402300799 /* last second of the year 9999 */

enum event_severity {
	EVENT_INFO = 1,
	EVENT_WARNING = 2,
	EVENT_CRITICAL = 3
};

/* name, usual severity */
#define EVENT_TYPES(X) \
	X(BOOT_LOCKED, EVENT_INFO)		/* first request of a new boot */ \
	X(AUTH_OK, EVENT_INFO)			/* a share was released */ \
	X(AUTH_DENIED, EVENT_WARNING)		/* authenticated, refused; reason = verdict */ \
	X(MOUNT_OK, EVENT_INFO) \
	X(MOUNT_FAIL, EVENT_WARNING)		/* reason = why, as the device says */ \
	X(SHARE_INVALID, EVENT_CRITICAL)	/* accused = the gateway whose share failed */ \
	X(REPLAY, EVENT_CRITICAL)		/* a spent nonce came again */ \
	X(DEVICE_REVOKED, EVENT_WARNING) \
	X(DEVICE_ENROLLED, EVENT_INFO) \
	X(DEVICE_QUARANTINED, EVENT_WARNING) \
	X(DEVICE_REINSTATED, EVENT_WARNING) \
	X(POLICY_CHANGED, EVENT_INFO) \
	X(FLEET_FROZEN, EVENT_CRITICAL)		/* nothing is released until it is thawed */ \
	X(FLEET_THAWED, EVENT_WARNING) \
	X(APPROVAL_NEEDED, EVENT_WARNING)	/* detail request, and nothing else */ \
	X(APPROVAL_GIVEN, EVENT_INFO) \
	X(MOUNT_MISSING, EVENT_WARNING)		/* a share was released, and no MOUNT_OK came */ \
	X(HARVEST_SUSPECTED, EVENT_CRITICAL)	/* an operator's tool found it in the audits */ \
	X(OPERATOR_REFUSED, EVENT_CRITICAL)	/* signature, role, expiry or nonce of a command */ \
	X(UNKNOWN_DEVICE, EVENT_WARNING)	/* counted: at most one a minute, detail count */ \
	X(BAD_MAC, EVENT_WARNING)		/* counted as UNKNOWN_DEVICE */ \
	X(NEW_BOOT_KEY, EVENT_WARNING)		/* another X25519 key in the same boot */ \
	X(CLONE_SUSPECTED, EVENT_CRITICAL)	/* boot ids alternate, too many keys in one boot */ \
	X(BOOT_COUNTER_AHEAD, EVENT_WARNING)	/* refused and not stored */ \
	X(ROLLBACK_SUSPECTED, EVENT_CRITICAL)	/* a peer saw a newer store, anchor or counter */ \
	X(CERT_EXPIRED, EVENT_WARNING)		/* reason says whose; tolerated by the devices */ \
	X(CLOCK_UNTRUSTED, EVENT_WARNING) \
	X(STORE_DAMAGED, EVENT_CRITICAL) \
	X(DISK_LOW, EVENT_CRITICAL)		/* a release could not be made durable */ \
	X(ALERTS_DROPPED, EVENT_WARNING)	/* detail count: alerts that did not fit */ \
	X(GATEWAY_STARTED, EVENT_INFO)

enum event_type {
	EVENT_NONE = 0,
#define EVENT_ENUM(name, severity) EVENT_##name,
	EVENT_TYPES(EVENT_ENUM)
#undef EVENT_ENUM
	EVENT_TYPE_COUNT_
};

/*
 * key, kind of value: N a number up to CV_JSON_INTEGER_MAX; H 32 lower-case hex digits; I an id
 * ([a-z0-9][a-z0-9-]{0,62}); C tpm, microcontroller or software; V a version
 * ([0-9A-Za-z.+~-]{1,63})
 */
#define EVENT_DETAIL_KEYS(X) \
	X(request, N)		/* number of a request for approval */ \
	X(count, N)		/* how many this alert stands for */ \
	X(epoch, N) \
	X(counter, N)		/* of the device's event, or its boot counter */ \
	X(generation, N)	/* of the volume */ \
	X(boot_keys, N)		/* X25519 keys seen in this boot */ \
	X(lease_seconds, N) \
	X(policy_version, N) \
	X(store_revision, N) \
	X(not_after, N)		/* seconds since 1970 */ \
	X(volume, H) \
	X(boot_id, H) \
	X(accused, I)		/* a gateway's id */ \
	X(operator, I)		/* an operator's id */ \
	X(group, I)		/* a group of devices */ \
	X(trust_class, C) \
	X(version, V)		/* of our software */

enum event_key {
#define EVENT_ENUM(name, kind) EVENT_KEY_##name,
	EVENT_DETAIL_KEYS(EVENT_ENUM)
#undef EVENT_ENUM
	EVENT_KEY_COUNT_
};

struct event_detail {
	enum event_key key;
	uint64_t number;
	char token[EVENT_TOKEN_MAX + 1];
};

struct event_alert {
	uint8_t id[EVENT_ID_BYTES];
	uint64_t time_s; /* seconds since 1970 by the gateway's clock, trusted or not */
	enum event_type type;
	enum event_severity severity;
	char gateway[CV_ID_BUF];
	char device[CV_ID_BUF];		   /* "" when there is none */
	char reason[EVENT_TOKEN_MAX + 1]; /* [a-z_-]{1,63}, or "" */
	struct event_detail details[EVENT_DETAILS_MAX];
	size_t detail_count;
};

/*
 * A fresh alert: random id, the type's usual severity, no details. `device` may be NULL.
 * CV_ERR_ARGUMENT if an id has a wrong form or the type does not exist; CV_ERR_RANDOM.
 */
CV_MUST_CHECK enum cv_err event_init(struct event_alert *alert, enum event_type type,
	const char *gateway, const char *device, uint64_t time_s);
/* Each keeps the alert as it was and returns CV_ERR_ARGUMENT if the value has a wrong form. */
CV_MUST_CHECK enum cv_err event_set_reason(struct event_alert *alert, const char *token);
CV_MUST_CHECK enum cv_err event_add_number(
	struct event_alert *alert, enum event_key key, uint64_t number);
CV_MUST_CHECK enum cv_err event_add_token(
	struct event_alert *alert, enum event_key key, const char *token);
/* Hex of 16 raw bytes, for volume and boot_id. */
CV_MUST_CHECK enum cv_err event_add_hex(
	struct event_alert *alert, enum event_key key, const uint8_t bytes[16]);

/* Writes one line without newline and with a NUL; *len does not count the NUL. */
CV_MUST_CHECK enum cv_err event_encode(
	char out[EVENT_JSON_MAX + 1], size_t *len, const struct event_alert *alert);
/* CV_ERR_TOO_LONG, CV_ERR_FORMAT, CV_ERR_TYPE; `alert` is untouched on failure. */
CV_MUST_CHECK enum cv_err event_decode(struct event_alert *alert, const char *json, size_t len);

/* "evt_" and 32 hex digits: the webhook-id, the same in every attempt. */
void event_id_text(char out[EVENT_ID_TEXT], const uint8_t id[EVENT_ID_BYTES]);

/* Static storage, never NULL ("UNKNOWN" for a value outside the enum). */
const char *event_type_name(enum event_type type);
const char *event_severity_name(enum event_severity severity);
const char *event_key_name(enum event_key key);
/* EVENT_NONE if there is no such name. */
enum event_type event_type_by_name(const char *name);
/* 0 if there is no such name. */
int event_severity_by_name(const char *name);

#endif
