/*
 * Fingerprints shown to people when a gateway joins a fleet (docs/protocol.md sections 3 and 11).
 */
#ifndef CONCLAVE_PROTOCOL_JOIN_H
#define CONCLAVE_PROTOCOL_JOIN_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define FINGERPRINT_BUF 72 /* 8 groups of 8 hex digits, 7 separators "-", NUL */

CV_MUST_CHECK enum cv_err gateway_request_fingerprint(uint8_t out[CV_HASH_BYTES],
	const char *gateway, const uint8_t keeper_key[CV_ES256_PUBLIC_BYTES],
	const uint8_t enrolment_key[CV_X25519_BYTES], const uint8_t *csr_der, size_t csr_len);
CV_MUST_CHECK enum cv_err fleet_fingerprint(uint8_t out[CV_HASH_BYTES], const char *fleet,
	const uint8_t root_key[CV_ES256_PUBLIC_BYTES]);

void fingerprint_text(char out[FINGERPRINT_BUF], const uint8_t fingerprint[CV_HASH_BYTES]);
/* Accepts lower or upper case, with or without "-", ":" or spaces between digits. */
CV_MUST_CHECK enum cv_err fingerprint_parse(uint8_t out[CV_HASH_BYTES], const char *text);

#endif
