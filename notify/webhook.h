/*
 * Webhooks signed as the Standard Webhooks specification 1.0.0 says: the headers webhook-id,
 * webhook-timestamp and webhook-signature, the last "v1," and base64 of HMAC-SHA-256 over
 * "id.timestamp.body", keyed with the bytes behind whsec_.
 */
#ifndef CONCLAVE_NOTIFY_WEBHOOK_H
#define CONCLAVE_NOTIFY_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>

#include "notify/destination.h"

#define WEBHOOK_SIGNATURE_TEXT (3 + 44 + 1) /* "v1,", base64 of 32 bytes, NUL */

/*
 * "whsec_" and base64 (with padding) of DESTINATION_KEY_MIN .. DESTINATION_KEY_MAX bytes;
 * CV_ERR_FORMAT otherwise, and `key` is zeroed. Timing does not depend on the key.
 */
CV_MUST_CHECK enum cv_err webhook_key_decode(
	uint8_t key[DESTINATION_KEY_MAX], size_t *key_len, const char *secret);

CV_MUST_CHECK enum cv_err webhook_sign(char out[WEBHOOK_SIGNATURE_TEXT], const uint8_t *key,
	size_t key_len, const char *id, uint64_t timestamp_s, const char *body, size_t body_len);

#endif
