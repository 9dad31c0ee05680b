/*
 * HPKE, base mode, single shot (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 * Checked with the RFC's vectors (appendix A.1's KEM; suite 0x0020 0x0001 0x0002 from the test
 * vector file that the RFC names).
 *
 * sealed = enc (32) || ciphertext || tag (16): HPKE_OVERHEAD bytes longer than the plaintext.
 */
#ifndef CONCLAVE_PROTOCOL_HPKE_H
#define CONCLAVE_PROTOCOL_HPKE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define HPKE_ENC_BYTES 32
#define HPKE_TAG_BYTES 16
#define HPKE_OVERHEAD (HPKE_ENC_BYTES + HPKE_TAG_BYTES)

struct hpke_context_info {
	const uint8_t *info;
	size_t info_len;
	const uint8_t *aad;
	size_t aad_len;
};

CV_MUST_CHECK enum cv_err hpke_seal(uint8_t *sealed,
	const uint8_t recipient_public[CV_X25519_BYTES], const struct hpke_context_info *ci,
	const uint8_t *plaintext, size_t len);
/* As hpke_seal with the ephemeral private key given; for known-answer tests only. */
CV_MUST_CHECK enum cv_err hpke_seal_with(uint8_t *sealed,
	const uint8_t ephemeral_private[CV_X25519_BYTES],
	const uint8_t recipient_public[CV_X25519_BYTES], const struct hpke_context_info *ci,
	const uint8_t *plaintext, size_t len);
/*
 * plaintext gets sealed_len - HPKE_OVERHEAD bytes; CV_ERR_SEAL, and zeroed, on failure. With a
 * public key that does not belong to the private one nothing opens: CV_ERR_SEAL.
 */
CV_MUST_CHECK enum cv_err hpke_open_with(uint8_t *plaintext,
	const uint8_t recipient_private[CV_X25519_BYTES],
	const uint8_t recipient_public[CV_X25519_BYTES], const struct hpke_context_info *ci,
	const uint8_t *sealed, size_t sealed_len);
/* As hpke_open_with for who does not keep the public key: one X25519 step more. */
CV_MUST_CHECK enum cv_err hpke_open(uint8_t *plaintext,
	const uint8_t recipient_private[CV_X25519_BYTES], const struct hpke_context_info *ci,
	const uint8_t *sealed, size_t sealed_len);

#endif
