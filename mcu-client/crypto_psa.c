/* protocol/crypto.h over PSA (mbedTLS 2.28, 3.6; the calls used exist in 4 too). */
#include "protocol/crypto.h"

#include <string.h>

#include <psa/crypto.h>

#include "protocol/scratch.h"

/*
 * What became of a call that failed or gave another length than it must. No memory is told apart:
 * whoever sent the data is not to blame for it.
 */
static enum cv_err failure(psa_status_t s)
{
	return s == PSA_ERROR_INSUFFICIENT_MEMORY ? CV_ERR_MEMORY : CV_ERR_CRYPTO;
}

enum cv_err crypto_init(void)
{
	return psa_crypto_init() == PSA_SUCCESS ? CV_OK : CV_ERR_CRYPTO;
}

enum cv_err crypto_random(void *out, size_t len)
{
	if (psa_generate_random(out, len) == PSA_SUCCESS)
		return CV_OK;
	crypto_wipe(out, len);
	return CV_ERR_RANDOM;
}

void crypto_wipe(void *p, size_t len)
{
	volatile uint8_t *v = p;

	while (len-- > 0)
		*v++ = 0;
}

int crypto_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= (uint8_t)(x[i] ^ y[i]);
	return (int)(((uint32_t)difference - 1) >> 31);
}

enum cv_err crypto_sha256(
	uint8_t out[CV_HASH_BYTES], const struct crypto_part *parts, size_t count)
{
	psa_hash_operation_t op = PSA_HASH_OPERATION_INIT;
	psa_status_t s = psa_hash_setup(&op, PSA_ALG_SHA_256);
	size_t len = 0;

	for (size_t i = 0; i < count && s == PSA_SUCCESS; i++)
		if (parts[i].len > 0)
			s = psa_hash_update(&op, parts[i].data, parts[i].len);
	if (s == PSA_SUCCESS)
		s = psa_hash_finish(&op, out, CV_HASH_BYTES, &len);
	if (s == PSA_SUCCESS)
		return CV_OK;
	(void)psa_hash_abort(&op);
	return failure(s);
}

/* A volatile key for one call; the caller destroys it. */
static psa_status_t key_import(psa_key_id_t *key, psa_key_type_t type, size_t bits,
	psa_key_usage_t usage, psa_algorithm_t alg, const uint8_t *data, size_t len)
{
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	psa_status_t s;

	psa_set_key_type(&a, type);
	psa_set_key_bits(&a, bits);
	psa_set_key_usage_flags(&a, usage);
	psa_set_key_algorithm(&a, alg);
	s = psa_import_key(&a, data, len, key);
	psa_reset_key_attributes(&a);
	return s;
}

enum cv_err crypto_hmac_sha256(uint8_t out[CV_MAC_BYTES], const uint8_t *key, size_t key_len,
	const struct crypto_part *parts, size_t count)
{
	psa_mac_operation_t op = PSA_MAC_OPERATION_INIT;
	psa_key_id_t id = 0;
	size_t len = 0;
	psa_status_t s = key_import(&id, PSA_KEY_TYPE_HMAC, key_len * 8, PSA_KEY_USAGE_SIGN_HASH,
		PSA_ALG_HMAC(PSA_ALG_SHA_256), key, key_len);

	if (s == PSA_SUCCESS)
		s = psa_mac_sign_setup(&op, id, PSA_ALG_HMAC(PSA_ALG_SHA_256));
	for (size_t i = 0; i < count && s == PSA_SUCCESS; i++)
		if (parts[i].len > 0)
			s = psa_mac_update(&op, parts[i].data, parts[i].len);
	if (s == PSA_SUCCESS)
		s = psa_mac_sign_finish(&op, out, CV_MAC_BYTES, &len);
	if (s != PSA_SUCCESS)
		(void)psa_mac_abort(&op);
	(void)psa_destroy_key(id);
	if (s == PSA_SUCCESS)
		return CV_OK;
	crypto_wipe(out, CV_MAC_BYTES);
	return failure(s);
}

static const psa_key_type_t x25519_pair = PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY);
static const psa_key_type_t p256_pair = PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1);
static const psa_key_type_t p256_public = PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1);

/* RFC 7748 section 5; mbedTLS 2.28 refuses to import a scalar that is not clamped. */
static void clamp(uint8_t key[CV_X25519_BYTES])
{
	key[0] &= 248;
	key[31] = (uint8_t)((key[31] & 127) | 64);
}

static psa_status_t x25519_import(
	psa_key_id_t *id, const uint8_t private_key[CV_X25519_BYTES])
{
	uint8_t scalar[CV_X25519_BYTES];
	psa_status_t s;

	memcpy(scalar, private_key, sizeof(scalar));
	clamp(scalar);
	s = key_import(id, x25519_pair, 255, PSA_KEY_USAGE_DERIVE, PSA_ALG_ECDH, scalar,
		sizeof(scalar));
	crypto_wipe(scalar, sizeof(scalar));
	return s;
}

enum cv_err crypto_x25519_public(
	uint8_t public_key[CV_X25519_BYTES], const uint8_t private_key[CV_X25519_BYTES])
{
	psa_key_id_t id = 0;
	size_t len = 0;
	psa_status_t s = x25519_import(&id, private_key);

	if (s == PSA_SUCCESS)
		s = psa_export_public_key(id, public_key, CV_X25519_BYTES, &len);
	(void)psa_destroy_key(id);
	return s == PSA_SUCCESS && len == CV_X25519_BYTES ? CV_OK : failure(s);
}

enum cv_err crypto_x25519_keypair(
	uint8_t private_key[CV_X25519_BYTES], uint8_t public_key[CV_X25519_BYTES])
{
	enum cv_err err = crypto_random(private_key, CV_X25519_BYTES);

	if (err != CV_OK)
		return err;
	clamp(private_key);
	err = crypto_x25519_public(public_key, private_key);
	if (err != CV_OK)
		crypto_wipe(private_key, CV_X25519_BYTES);
	return err;
}

enum cv_err crypto_x25519(uint8_t shared[CV_X25519_BYTES],
	const uint8_t private_key[CV_X25519_BYTES], const uint8_t public_key[CV_X25519_BYTES])
{
	static const uint8_t zero[CV_X25519_BYTES];
	psa_key_id_t id = 0;
	size_t len = 0;
	psa_status_t s = x25519_import(&id, private_key);

	if (s == PSA_SUCCESS)
		s = psa_raw_key_agreement(PSA_ALG_ECDH, id, public_key, CV_X25519_BYTES, shared,
			CV_X25519_BYTES, &len);
	(void)psa_destroy_key(id);
	if (s == PSA_SUCCESS && len == CV_X25519_BYTES && !crypto_equal(shared, zero, sizeof(zero)))
		return CV_OK;
	crypto_wipe(shared, CV_X25519_BYTES);
	return failure(s);
}

/*
 * PSA writes ciphertext and tag as one run, and the multi-part AEAD calls are not in mbedTLS 2.28's
 * software driver: the message goes through short-lived memory, in place.
 */
#define GCM_TEXT_MAX 2304

enum cv_err crypto_aes256gcm_seal(uint8_t *ciphertext, uint8_t tag[CRYPTO_AES_TAG_BYTES],
	const uint8_t key[CRYPTO_AES_KEY_BYTES], const uint8_t nonce[CRYPTO_AES_NONCE_BYTES],
	const uint8_t *aad, size_t aad_len, const uint8_t *plaintext, size_t len)
{
	psa_key_id_t id = 0;
	size_t done = 0;
	psa_status_t s;
	uint8_t *work;

	if (len > GCM_TEXT_MAX)
		return CV_ERR_TOO_LONG;
	work = scratch_alloc(len + CRYPTO_AES_TAG_BYTES);
	if (work == NULL)
		return CV_ERR_MEMORY;
	if (len > 0)
		memcpy(work, plaintext, len);
	s = key_import(&id, PSA_KEY_TYPE_AES, 256, PSA_KEY_USAGE_ENCRYPT, PSA_ALG_GCM, key,
		CRYPTO_AES_KEY_BYTES);
	if (s == PSA_SUCCESS)
		s = psa_aead_encrypt(id, PSA_ALG_GCM, nonce, CRYPTO_AES_NONCE_BYTES, aad, aad_len,
			work, len, work, len + CRYPTO_AES_TAG_BYTES, &done);
	(void)psa_destroy_key(id);
	if (s == PSA_SUCCESS && done == len + CRYPTO_AES_TAG_BYTES) {
		memcpy(ciphertext, work, len);
		memcpy(tag, work + len, CRYPTO_AES_TAG_BYTES);
	}
	scratch_free(work, len + CRYPTO_AES_TAG_BYTES);
	return s == PSA_SUCCESS && done == len + CRYPTO_AES_TAG_BYTES ? CV_OK : failure(s);
}

enum cv_err crypto_aes256gcm_open(uint8_t *plaintext, const uint8_t key[CRYPTO_AES_KEY_BYTES],
	const uint8_t nonce[CRYPTO_AES_NONCE_BYTES], const uint8_t *aad, size_t aad_len,
	const uint8_t *ciphertext, size_t len, const uint8_t tag[CRYPTO_AES_TAG_BYTES])
{
	psa_key_id_t id = 0;
	size_t done = 0;
	psa_status_t s;
	uint8_t *work;

	if (len > GCM_TEXT_MAX)
		return CV_ERR_TOO_LONG;
	work = scratch_alloc(len + CRYPTO_AES_TAG_BYTES);
	if (work == NULL) {
		crypto_wipe(plaintext, len);
		return CV_ERR_MEMORY;
	}
	memcpy(work, ciphertext, len);
	memcpy(work + len, tag, CRYPTO_AES_TAG_BYTES);
	s = key_import(&id, PSA_KEY_TYPE_AES, 256, PSA_KEY_USAGE_DECRYPT, PSA_ALG_GCM, key,
		CRYPTO_AES_KEY_BYTES);
	if (s == PSA_SUCCESS)
		s = psa_aead_decrypt(id, PSA_ALG_GCM, nonce, CRYPTO_AES_NONCE_BYTES, aad, aad_len,
			work, len + CRYPTO_AES_TAG_BYTES, work, len + CRYPTO_AES_TAG_BYTES, &done);
	(void)psa_destroy_key(id);
	if (s == PSA_SUCCESS && done == len)
		memcpy(plaintext, work, len);
	else
		crypto_wipe(plaintext, len);
	scratch_free(work, len + CRYPTO_AES_TAG_BYTES);
	if (s == PSA_ERROR_INVALID_SIGNATURE)
		return CV_ERR_SEAL;
	return s == PSA_SUCCESS && done == len ? CV_OK : failure(s);
}

enum cv_err crypto_es256_public(uint8_t public_key[CV_ES256_PUBLIC_BYTES],
	const uint8_t private_key[CV_ES256_PRIVATE_BYTES])
{
	psa_key_id_t id = 0;
	size_t len = 0;
	psa_status_t s = key_import(&id, p256_pair, 256, PSA_KEY_USAGE_SIGN_HASH,
		PSA_ALG_ECDSA(PSA_ALG_SHA_256), private_key, CV_ES256_PRIVATE_BYTES);

	if (s == PSA_SUCCESS)
		s = psa_export_public_key(id, public_key, CV_ES256_PUBLIC_BYTES, &len);
	(void)psa_destroy_key(id);
	return s == PSA_SUCCESS && len == CV_ES256_PUBLIC_BYTES ? CV_OK : failure(s);
}

enum cv_err crypto_es256_keypair(uint8_t private_key[CV_ES256_PRIVATE_BYTES],
	uint8_t public_key[CV_ES256_PUBLIC_BYTES])
{
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id = 0;
	size_t len = 0, public_len = 0;
	psa_status_t s;

	psa_set_key_type(&a, p256_pair);
	psa_set_key_bits(&a, 256);
	psa_set_key_usage_flags(&a, PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_EXPORT);
	psa_set_key_algorithm(&a, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
	s = psa_generate_key(&a, &id);
	if (s == PSA_SUCCESS)
		s = psa_export_key(id, private_key, CV_ES256_PRIVATE_BYTES, &len);
	if (s == PSA_SUCCESS)
		s = psa_export_public_key(id, public_key, CV_ES256_PUBLIC_BYTES, &public_len);
	(void)psa_destroy_key(id);
	if (s == PSA_SUCCESS && len == CV_ES256_PRIVATE_BYTES &&
		public_len == CV_ES256_PUBLIC_BYTES)
		return CV_OK;
	crypto_wipe(private_key, CV_ES256_PRIVATE_BYTES);
	return failure(s);
}

enum cv_err crypto_es256_sign(uint8_t sig[CV_ES256_SIG_BYTES],
	const uint8_t private_key[CV_ES256_PRIVATE_BYTES], const uint8_t hash[CV_HASH_BYTES])
{
	psa_key_id_t id = 0;
	size_t len = 0;
	psa_status_t s = key_import(&id, p256_pair, 256, PSA_KEY_USAGE_SIGN_HASH,
		PSA_ALG_ECDSA(PSA_ALG_SHA_256), private_key, CV_ES256_PRIVATE_BYTES);

	if (s == PSA_SUCCESS)
		s = psa_sign_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, CV_HASH_BYTES, sig,
			CV_ES256_SIG_BYTES, &len);
	(void)psa_destroy_key(id);
	return s == PSA_SUCCESS && len == CV_ES256_SIG_BYTES ? CV_OK : failure(s);
}

enum cv_err crypto_es256_verify(const uint8_t public_key[CV_ES256_PUBLIC_BYTES],
	const uint8_t hash[CV_HASH_BYTES], const uint8_t sig[CV_ES256_SIG_BYTES])
{
	psa_key_id_t id = 0;
	psa_status_t s = key_import(&id, p256_public, 256, PSA_KEY_USAGE_VERIFY_HASH,
		PSA_ALG_ECDSA(PSA_ALG_SHA_256), public_key, CV_ES256_PUBLIC_BYTES);

	if (s == PSA_ERROR_INVALID_ARGUMENT || s == PSA_ERROR_NOT_SUPPORTED)
		return CV_ERR_SIGNATURE;
	if (s == PSA_SUCCESS)
		s = psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, CV_HASH_BYTES, sig,
			CV_ES256_SIG_BYTES);
	(void)psa_destroy_key(id);
	if (s == PSA_ERROR_INVALID_SIGNATURE)
		return CV_ERR_SIGNATURE;
	return s == PSA_SUCCESS ? CV_OK : failure(s);
}
