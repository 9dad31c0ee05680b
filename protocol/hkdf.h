/* HKDF with SHA-256 (RFC 5869), over crypto.h's HMAC. */
#ifndef CONCLAVE_PROTOCOL_HKDF_H
#define CONCLAVE_PROTOCOL_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

/* An empty salt (NULL, 0) is the string of 32 zero bytes, as the RFC says; salt_len <= 64. */
CV_MUST_CHECK enum cv_err hkdf_extract(uint8_t prk[CV_HASH_BYTES], const uint8_t *salt,
	size_t salt_len, const uint8_t *ikm, size_t ikm_len);
/* len is at most 255 * 32; CV_ERR_ARGUMENT otherwise. */
CV_MUST_CHECK enum cv_err hkdf_expand(uint8_t *out, size_t len,
	const uint8_t prk[CV_HASH_BYTES], const uint8_t *info, size_t info_len);
/* Extract with the given salt, then expand. */
CV_MUST_CHECK enum cv_err hkdf(uint8_t *out, size_t len, const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len);

#endif
