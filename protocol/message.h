/*
 * The bodies of the exchange (docs/protocol.md section 7), encode and decode side by side.
 *
 * Encoders write JSON into the caller's buffer with a NUL after *len bytes. Decoders take raw bytes
 * (scanned inside), refuse unknown members in requests, ignore them in answers, and set outputs on
 * success only. Errors: CV_ERR_FORMAT, CV_ERR_TYPE, CV_ERR_RANGE, CV_ERR_TOO_LONG.
 */
#ifndef CONCLAVE_PROTOCOL_MESSAGE_H
#define CONCLAVE_PROTOCOL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/hpke.h"
#include "protocol/limits.h"
#include "protocol/reason.h"
#include "protocol/tpm_quote.h"

#define MESSAGE_TARGET_NONCE "/v1/nonce"
#define MESSAGE_TARGET_AUTHORIZE "/v1/authorize"
#define MESSAGE_TARGET_CHECK "/v1/check"
#define MESSAGE_TARGET_EVENTS "/v1/events"
#define MESSAGE_TARGET_STATUS "/v1/status"

#define MESSAGE_SEALED_SHARE_BYTES (CV_SECRET_BYTES + HPKE_OVERHEAD)
#define MESSAGE_ANCHOR_MAX 128

struct nonce_request {
	uint8_t request_id[CV_REQUEST_ID_BYTES];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t epoch;
	uint8_t boot_id[CV_BOOT_ID_BYTES];
};

struct nonce_answer {
	uint8_t nonce[CV_NONCE_BYTES];
	uint32_t expires_in_s;
};

struct authorize_request { /* also /v1/check */
	uint8_t request_id[CV_REQUEST_ID_BYTES];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t epoch;
	uint8_t nonce[CV_NONCE_BYTES];
	const char *evidence; /* borrowed: the caller's buffer */
	size_t evidence_len;
	const struct tpm_quote *quote; /* borrowed; NULL: none */
};

struct authorize_answer {
	uint8_t sealed_share[MESSAGE_SEALED_SHARE_BYTES];
	uint8_t session[CV_SESSION_BYTES];
	uint32_t lease_s;
	uint64_t policy_version;
	uint64_t store_revision;
	char anchor[MESSAGE_ANCHOR_MAX + 1]; /* "" = absent */
};

struct check_answer {
	uint8_t would_release;
	uint32_t lease_s;
	uint64_t policy_version;
	uint64_t store_revision;
};

enum device_event {
	DEVICE_EVENT_MOUNT_OK = 1,
	DEVICE_EVENT_MOUNT_FAIL,
	DEVICE_EVENT_SHARE_INVALID,
	DEVICE_EVENT_CHECKPOINT /* a newer anchor, nothing else: no alert, no audit record */
};

struct event_request {
	uint8_t request_id[CV_REQUEST_ID_BYTES];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t epoch;
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	uint64_t counter;
	enum device_event event;
	uint8_t has_session;
	uint8_t session[CV_SESSION_BYTES];
	char reason[33];	   /* "" = absent */
	char gateway[CV_ID_BUF];   /* "" = absent */
	uint64_t store_revision;   /* 0 = absent */
	char anchor[MESSAGE_ANCHOR_MAX + 1];
};

struct status_request {
	uint8_t request_id[CV_REQUEST_ID_BYTES];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
};

enum device_state {
	DEVICE_ACTIVE = 1,
	DEVICE_QUARANTINED,
	DEVICE_REVOKED
};

struct status_answer {
	enum device_state state;
	uint64_t policy_version;
	uint32_t lease_s;
	uint64_t store_revision;
};

struct refusal {
	unsigned int status;
	enum retry_hint retry;
	uint32_t retry_after_s; /* 0 = absent */
	uint8_t has_reason;
	enum reason reason;
};

#define MESSAGE_ENCODE(name, type) \
	CV_MUST_CHECK enum cv_err name(char *out, size_t cap, size_t *len, const struct type *m)
#define MESSAGE_DECODE(name, type) \
	CV_MUST_CHECK enum cv_err name(struct type *m, const char *body, size_t len)

struct cJSON;
struct json_writer;

/* The member `quote` of an object that is open, and of one that was parsed: its form only. */
CV_MUST_CHECK enum cv_err tpm_quote_put(struct json_writer *w, const struct tpm_quote *q);
CV_MUST_CHECK enum cv_err tpm_quote_get(const struct cJSON *tree, struct tpm_quote *q);

MESSAGE_ENCODE(nonce_request_encode, nonce_request);
MESSAGE_DECODE(nonce_request_decode, nonce_request);
MESSAGE_ENCODE(nonce_answer_encode, nonce_answer);
MESSAGE_DECODE(nonce_answer_decode, nonce_answer);
MESSAGE_ENCODE(authorize_request_encode, authorize_request);
/* m->evidence points to `evidence` afterwards, and m->quote to `quote` if there was one. */
CV_MUST_CHECK enum cv_err authorize_request_decode(struct authorize_request *m, const char *body,
	size_t len, char evidence[CV_EVIDENCE_MAX + 1], struct tpm_quote *quote);
/* Padded to exactly CV_AUTHORIZE_REPLY_BYTES. */
MESSAGE_ENCODE(authorize_answer_encode, authorize_answer);
MESSAGE_DECODE(authorize_answer_decode, authorize_answer);
MESSAGE_ENCODE(check_answer_encode, check_answer);
MESSAGE_DECODE(check_answer_decode, check_answer);
MESSAGE_ENCODE(event_request_encode, event_request);
MESSAGE_DECODE(event_request_decode, event_request);
MESSAGE_ENCODE(event_answer_encode, event_request); /* {"accepted":true}; m is unused */
MESSAGE_ENCODE(status_request_encode, status_request);
MESSAGE_DECODE(status_request_decode, status_request);
MESSAGE_ENCODE(status_answer_encode, status_answer);
MESSAGE_DECODE(status_answer_decode, status_answer);
/* pad_to: 0, or the exact length wanted. */
CV_MUST_CHECK enum cv_err refusal_encode(
	char *out, size_t cap, size_t *len, const struct refusal *m, size_t pad_to);
/*
 * `status` is the HTTP status the body came with; it must be the same inside (CV_ERR_MISMATCH).
 * retry_after_s is cut to CV_RETRY_AFTER_MAX_S; a reason that is not in reason.h counts as absent.
 */
CV_MUST_CHECK enum cv_err refusal_decode(
	struct refusal *m, unsigned int status, const char *body, size_t len);

/* 1 for "" or up to MESSAGE_ANCHOR_MAX characters of printable ASCII without space. */
int message_anchor_valid(const char *anchor);
const char *device_event_name(enum device_event event);
const char *device_state_name(enum device_state state);

#endif
