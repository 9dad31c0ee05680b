#include "protocol/crypto.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "host/crypto_openssl.h"

/*
 * Locked heap in which OpenSSL keeps private scalars and, for each thread, the state of its random
 * generators (about 1 KiB): room for several hundred threads. When it is full, signing fails.
 */
#define SECURE_HEAP_BYTES 1048576
#define SECURE_HEAP_MIN 32

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static enum cv_err init_result = CV_ERR_INTERNAL;
static EVP_CIPHER *aes256gcm;
static pthread_key_t cipher_ctx_key;

static void free_cipher_ctx(void *ctx)
{
	EVP_CIPHER_CTX_free(ctx);
}

static void crypto_init_once(void)
{
	if (sodium_init() < 0)
		return;
	/* 1: made and locked; 2: made, but not locked; 0: made before by others, or no memory */
	if (CRYPTO_secure_malloc_initialized() == 0 &&
		CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_HEAP_MIN) != 1) {
		init_result = CV_ERR_MEMORY;
		return;
	}
	aes256gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (aes256gcm == NULL || pthread_key_create(&cipher_ctx_key, free_cipher_ctx) != 0) {
		init_result = CV_ERR_CRYPTO;
		return;
	}
	init_result = crypto_es256_init();
}

enum cv_err crypto_init(void)
{
	if (pthread_once(&init_once, crypto_init_once) != 0)
		return CV_ERR_CRYPTO;
	return init_result;
}

enum cv_err crypto_random(void *out, size_t len)
{
	/* libsodium's generator ends the process when the kernel gives nothing */
	randombytes_buf(out, len);
	return CV_OK;
}

void crypto_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}

int crypto_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

enum cv_err crypto_sha256(
	uint8_t out[CV_HASH_BYTES], const struct crypto_part *parts, size_t count)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < count; i++)
		crypto_hash_sha256_update(&state, parts[i].data, parts[i].len);
	crypto_hash_sha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
	return CV_OK;
}

enum cv_err crypto_hmac_sha256(uint8_t out[CV_MAC_BYTES], const uint8_t *key, size_t key_len,
	const struct crypto_part *parts, size_t count)
{
	crypto_auth_hmacsha256_state state;

	if (key_len < 1 || key_len > 64) {
		memset(out, 0, CV_MAC_BYTES);
		return CV_ERR_ARGUMENT;
	}
	crypto_auth_hmacsha256_init(&state, key, key_len);
	for (size_t i = 0; i < count; i++)
		crypto_auth_hmacsha256_update(&state, parts[i].data, parts[i].len);
	crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
	return CV_OK;
}

enum cv_err crypto_x25519_keypair(
	uint8_t private_key[CV_X25519_BYTES], uint8_t public_key[CV_X25519_BYTES])
{
	randombytes_buf(private_key, CV_X25519_BYTES);
	return crypto_x25519_public(public_key, private_key);
}

enum cv_err crypto_x25519_public(
	uint8_t public_key[CV_X25519_BYTES], const uint8_t private_key[CV_X25519_BYTES])
{
	return crypto_scalarmult_curve25519_base(public_key, private_key) == 0 ? CV_OK :
										 CV_ERR_CRYPTO;
}

enum cv_err crypto_x25519(uint8_t shared[CV_X25519_BYTES],
	const uint8_t private_key[CV_X25519_BYTES], const uint8_t public_key[CV_X25519_BYTES])
{
	/* libsodium refuses the low-order points and an all-zero result */
	if (crypto_scalarmult_curve25519(shared, private_key, public_key) != 0) {
		sodium_memzero(shared, CV_X25519_BYTES);
		return CV_ERR_CRYPTO;
	}
	return CV_OK;
}

/* One context per thread: making one costs more than sealing a short message. */
static EVP_CIPHER_CTX *cipher_ctx(void)
{
	EVP_CIPHER_CTX *ctx = pthread_getspecific(cipher_ctx_key);

	if (ctx == NULL) {
		ctx = EVP_CIPHER_CTX_new();
		if (ctx != NULL && pthread_setspecific(cipher_ctx_key, ctx) != 0) {
			EVP_CIPHER_CTX_free(ctx);
			ctx = NULL;
		}
	}
	return ctx;
}

enum cv_err crypto_aes256gcm_seal(uint8_t *ciphertext, uint8_t tag[CRYPTO_AES_TAG_BYTES],
	const uint8_t key[CRYPTO_AES_KEY_BYTES], const uint8_t nonce[CRYPTO_AES_NONCE_BYTES],
	const uint8_t *aad, size_t aad_len, const uint8_t *plaintext, size_t len)
{
	enum cv_err err = CV_ERR_CRYPTO;
	EVP_CIPHER_CTX *ctx;
	uint8_t rest[16];
	int n = 0;

	if (len > INT_MAX || aad_len > INT_MAX)
		return CV_ERR_TOO_LONG;
	ctx = cipher_ctx();
	if (ctx == NULL)
		return CV_ERR_MEMORY;
	if (EVP_EncryptInit_ex2(ctx, aes256gcm, key, nonce, NULL) == 1 &&
		(aad_len == 0 || EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1) &&
		(len == 0 || EVP_EncryptUpdate(ctx, ciphertext, &n, plaintext, (int)len) == 1) &&
		EVP_EncryptFinal_ex(ctx, rest, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_AES_TAG_BYTES, tag) == 1)
		err = CV_OK;
	EVP_CIPHER_CTX_reset(ctx); /* wipes the key schedule */
	return err;
}

enum cv_err crypto_aes256gcm_open(uint8_t *plaintext, const uint8_t key[CRYPTO_AES_KEY_BYTES],
	const uint8_t nonce[CRYPTO_AES_NONCE_BYTES], const uint8_t *aad, size_t aad_len,
	const uint8_t *ciphertext, size_t len, const uint8_t tag[CRYPTO_AES_TAG_BYTES])
{
	enum cv_err err = CV_ERR_CRYPTO;
	uint8_t expected[CRYPTO_AES_TAG_BYTES];
	EVP_CIPHER_CTX *ctx;
	uint8_t rest[16];
	int n = 0;

	if (len > INT_MAX || aad_len > INT_MAX)
		return CV_ERR_TOO_LONG;
	ctx = cipher_ctx();
	if (ctx == NULL)
		return CV_ERR_MEMORY;
	memcpy(expected, tag, sizeof(expected)); /* the call wants it writable */
	if (EVP_DecryptInit_ex2(ctx, aes256gcm, key, nonce, NULL) == 1 &&
		(aad_len == 0 || EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1) &&
		(len == 0 || EVP_DecryptUpdate(ctx, plaintext, &n, ciphertext, (int)len) == 1) &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_AES_TAG_BYTES, expected) ==
			1)
		err = EVP_DecryptFinal_ex(ctx, rest, &n) == 1 ? CV_OK : CV_ERR_SEAL;
	EVP_CIPHER_CTX_reset(ctx);
	if (err != CV_OK && len > 0)
		sodium_memzero(plaintext, len);
	return err;
}
