/*
 * Stateless nonces (docs/protocol.md section 7): random 16 | issued-at 8 | tag 16. Remembering the
 * spent ones is the gateway's part; the keys live in RAM and die with the process.
 */
#ifndef CONCLAVE_PROTOCOL_NONCE_H
#define CONCLAVE_PROTOCOL_NONCE_H

#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

struct nonce_scope {
	const char *gateway;
	const char *device;	  /* NULL for an operator's nonce: label conclave-op-nonce-v1 */
	const uint8_t *volume_id; /* CV_VOLUME_ID_BYTES; unused for operators */
	uint32_t epoch;		  /* unused for operators */
};

CV_MUST_CHECK enum cv_err nonce_make(uint8_t out[CV_NONCE_BYTES],
	const uint8_t key[CV_MAC_KEY_BYTES], const struct nonce_scope *scope,
	const uint8_t random[16], uint64_t now_ms);
/*
 * CV_ERR_NONCE_FOREIGN if the tag does not hold for this scope, CV_ERR_NONCE_EXPIRED if it is older
 * than ttl_ms or from the future.
 */
CV_MUST_CHECK enum cv_err nonce_check(const uint8_t nonce[CV_NONCE_BYTES],
	const uint8_t key[CV_MAC_KEY_BYTES], const struct nonce_scope *scope, uint64_t now_ms,
	uint64_t ttl_ms);

#endif
