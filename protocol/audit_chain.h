/* The audit's hash chain and its signed head (docs/protocol.md section 10). */
#ifndef CONCLAVE_PROTOCOL_AUDIT_CHAIN_H
#define CONCLAVE_PROTOCOL_AUDIT_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define AUDIT_TEXT_MAX 4096 /* one record, JSON text */

/* head (in: of seq - 1, out: of seq) moves on by one record. */
CV_MUST_CHECK enum cv_err audit_chain_next(uint8_t head[CV_HASH_BYTES], const char *gateway,
	uint64_t seq, const char *text, size_t len);
/* What the keeper signs for a head. */
CV_MUST_CHECK enum cv_err audit_head_hash(uint8_t out[CV_HASH_BYTES], const char *gateway,
	uint64_t seq, const uint8_t head[CV_HASH_BYTES], uint64_t time_s);

#endif
