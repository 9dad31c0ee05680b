/*
 * The crypto that the portable core asks for. Two implementations of this header exist:
 * host/crypto_host.c (libsodium, OpenSSL libcrypto) and mcu-client/crypto_psa.c (PSA through
 * mbedTLS); HKDF and HPKE are written once over it (hkdf.h, hpke.h).
 *
 * Sources  FIPS 180-4 (SHA-256), RFC 2104 (HMAC), RFC 7748 (X25519), SP 800-38D (AES-GCM),
 *          FIPS 186-4 and RFC 7518 section 3.4 (ES256, signature as r || s of 64 bytes).
 * Threads  every call may be made from any thread after crypto_init returned CV_OK.
 * Timing   secret inputs do not steer branches or addresses, as far as the library promises it.
 * Errors   CV_ERR_CRYPTO: the library failed; CV_ERR_RANDOM: no entropy; others are named below.
 *          Secret outputs are zeroed on failure.
 */
#ifndef CONCLAVE_PROTOCOL_CRYPTO_H
#define CONCLAVE_PROTOCOL_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define CRYPTO_AES_KEY_BYTES 32
#define CRYPTO_AES_NONCE_BYTES 12
#define CRYPTO_AES_TAG_BYTES 16

/* A borrowed run of bytes, for calls that take several parts as one message. */
struct crypto_part {
	const void *data;
	size_t len;
};

/* Idempotent; must succeed before any other call. */
CV_MUST_CHECK enum cv_err crypto_init(void);

CV_MUST_CHECK enum cv_err crypto_random(void *out, size_t len);
/* Overwrites in a way the compiler keeps. */
void crypto_wipe(void *p, size_t len);
/* 1 if equal; time depends on len only. */
int crypto_equal(const void *a, const void *b, size_t len);

CV_MUST_CHECK enum cv_err crypto_sha256(
	uint8_t out[CV_HASH_BYTES], const struct crypto_part *parts, size_t count);
/* key_len is 1 .. 64. */
CV_MUST_CHECK enum cv_err crypto_hmac_sha256(uint8_t out[CV_MAC_BYTES], const uint8_t *key,
	size_t key_len, const struct crypto_part *parts, size_t count);

CV_MUST_CHECK enum cv_err crypto_x25519_keypair(
	uint8_t private_key[CV_X25519_BYTES], uint8_t public_key[CV_X25519_BYTES]);
CV_MUST_CHECK enum cv_err crypto_x25519_public(
	uint8_t public_key[CV_X25519_BYTES], const uint8_t private_key[CV_X25519_BYTES]);
/* An all-zero result (a low-order point, RFC 7748 section 6.1) is CV_ERR_CRYPTO. */
CV_MUST_CHECK enum cv_err crypto_x25519(uint8_t shared[CV_X25519_BYTES],
	const uint8_t private_key[CV_X25519_BYTES], const uint8_t public_key[CV_X25519_BYTES]);

/* ciphertext and plaintext may be the same buffer. */
CV_MUST_CHECK enum cv_err crypto_aes256gcm_seal(uint8_t *ciphertext,
	uint8_t tag[CRYPTO_AES_TAG_BYTES], const uint8_t key[CRYPTO_AES_KEY_BYTES],
	const uint8_t nonce[CRYPTO_AES_NONCE_BYTES], const uint8_t *aad, size_t aad_len,
	const uint8_t *plaintext, size_t len);
/* CV_ERR_SEAL if the tag does not hold; plaintext is then zeroed. */
CV_MUST_CHECK enum cv_err crypto_aes256gcm_open(uint8_t *plaintext,
	const uint8_t key[CRYPTO_AES_KEY_BYTES], const uint8_t nonce[CRYPTO_AES_NONCE_BYTES],
	const uint8_t *aad, size_t aad_len, const uint8_t *ciphertext, size_t len,
	const uint8_t tag[CRYPTO_AES_TAG_BYTES]);

CV_MUST_CHECK enum cv_err crypto_es256_keypair(uint8_t private_key[CV_ES256_PRIVATE_BYTES],
	uint8_t public_key[CV_ES256_PUBLIC_BYTES]);
CV_MUST_CHECK enum cv_err crypto_es256_public(uint8_t public_key[CV_ES256_PUBLIC_BYTES],
	const uint8_t private_key[CV_ES256_PRIVATE_BYTES]);
CV_MUST_CHECK enum cv_err crypto_es256_sign(uint8_t sig[CV_ES256_SIG_BYTES],
	const uint8_t private_key[CV_ES256_PRIVATE_BYTES], const uint8_t hash[CV_HASH_BYTES]);
/* CV_ERR_SIGNATURE if it does not hold or the key is not a point of P-256. */
CV_MUST_CHECK enum cv_err crypto_es256_verify(const uint8_t public_key[CV_ES256_PUBLIC_BYTES],
	const uint8_t hash[CV_HASH_BYTES], const uint8_t sig[CV_ES256_SIG_BYTES]);

#endif
