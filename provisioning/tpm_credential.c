#include "provisioning/tpm_credential.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "protocol/crypto.h"
#include "provisioning/ek_key.h"

#define COORDINATE 32
#define AES_KEY_BYTES 16
#define IDENTITY "IDENTITY" /* with its NUL, as everywhere in the TPM's KDFs */

static const uint8_t first_block[] = {0, 0, 0, 1};

/* One block of SP 800-108 counter mode; enough for 256 bits. */
static enum cv_err kdfa(uint8_t out[CV_HASH_BYTES], const uint8_t seed[TPM_SEED_BYTES],
	const char *label, const uint8_t *context, size_t context_len, unsigned int bits)
{
	const uint8_t wanted[] = {0, 0, (uint8_t)(bits >> 8), (uint8_t)bits};
	const struct crypto_part parts[] = {{first_block, sizeof(first_block)},
		{label, strlen(label) + 1}, {context, context_len}, {wanted, sizeof(wanted)}};

	return crypto_hmac_sha256(out, seed, TPM_SEED_BYTES, parts, 4);
}

enum cv_err tpm_credential_ecc_seed(uint8_t seed[TPM_SEED_BYTES], const uint8_t z[32],
	const uint8_t ephemeral_x[32], const uint8_t ek_x[32])
{
	const struct crypto_part parts[] = {{first_block, sizeof(first_block)}, {z, COORDINATE},
		{IDENTITY, sizeof(IDENTITY)}, {ephemeral_x, COORDINATE}, {ek_x, COORDINATE}};

	return crypto_sha256(seed, parts, 5);
}

/* AES-128-CFB under a key that is used once, so with a zero IV. */
static enum cv_err encrypt(
	uint8_t *out, const uint8_t key[AES_KEY_BYTES], const uint8_t *in, size_t len)
{
	static const uint8_t iv[16];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;
	enum cv_err err = CV_ERR_CRYPTO;

	if (ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_128_cfb128(), NULL, key, iv) == 1 &&
		EVP_EncryptUpdate(ctx, out, &n, in, (int)len) == 1 && (size_t)n == len)
		err = CV_OK;
	EVP_CIPHER_CTX_free(ctx);
	return err;
}

enum cv_err tpm_credential_wrap(struct enrol_tpm_challenge *c,
	const uint8_t seed[TPM_SEED_BYTES], const uint8_t ak_name[TPM_NAME_BYTES],
	const uint8_t secret[ENROL_TPM_SECRET_BYTES])
{
	uint8_t key[CV_HASH_BYTES], plain[2 + ENROL_TPM_SECRET_BYTES];
	uint8_t *encrypted = c->credential + 2 + CV_HASH_BYTES;
	const struct crypto_part parts[] = {
		{encrypted, sizeof(plain)}, {ak_name, TPM_NAME_BYTES}};
	enum cv_err err;

	plain[0] = 0;
	plain[1] = ENROL_TPM_SECRET_BYTES;
	memcpy(plain + 2, secret, ENROL_TPM_SECRET_BYTES);
	err = kdfa(key, seed, "STORAGE", ak_name, TPM_NAME_BYTES, 8 * AES_KEY_BYTES);
	if (err == CV_OK)
		err = encrypt(encrypted, key, plain, sizeof(plain));
	if (err == CV_OK)
		err = kdfa(key, seed, "INTEGRITY", NULL, 0, 8 * CV_HASH_BYTES);
	c->credential[0] = 0;
	c->credential[1] = CV_HASH_BYTES;
	if (err == CV_OK)
		err = crypto_hmac_sha256(c->credential + 2, key, sizeof(key), parts, 2);
	c->credential_len = 2 + CV_HASH_BYTES + sizeof(plain);
	crypto_wipe(key, sizeof(key));
	crypto_wipe(plain, sizeof(plain));
	return err;
}

static void put_point(struct enrol_tpm_challenge *c, const uint8_t *point)
{
	for (size_t i = 0; i < 2; i++) {
		uint8_t *out = c->seed + i * (2 + COORDINATE);

		out[0] = 0;
		out[1] = COORDINATE;
		memcpy(out + 2, point + 1 + i * COORDINATE, COORDINATE);
	}
	c->seed_len = (size_t)2 * (2 + COORDINATE);
}

/* z = x-coordinate of ephemeral private times peer. */
static enum cv_err agree(uint8_t z[COORDINATE], EVP_PKEY *ephemeral, EVP_PKEY *peer)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ephemeral, NULL);
	size_t len = COORDINATE;
	enum cv_err err = CV_ERR_CRYPTO;

	if (ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
		EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, z, &len) == 1 &&
		len == COORDINATE)
		err = CV_OK;
	EVP_PKEY_CTX_free(ctx);
	return err;
}

static enum cv_err share_by_ecc(struct enrol_tpm_challenge *c,
	uint8_t seed[TPM_SEED_BYTES], const struct tpm_ek *ek, EVP_PKEY *peer)
{
	EVP_PKEY *ephemeral = EVP_EC_gen("P-256");
	uint8_t point[CV_ES256_PUBLIC_BYTES], z[COORDINATE];
	size_t len = 0;
	enum cv_err err = CV_ERR_CRYPTO;

	if (ephemeral != NULL &&
		EVP_PKEY_get_octet_string_param(ephemeral, OSSL_PKEY_PARAM_PUB_KEY, point,
			sizeof(point), &len) == 1 &&
		len == sizeof(point))
		err = agree(z, ephemeral, peer);
	if (err == CV_OK)
		err = tpm_credential_ecc_seed(seed, z, point + 1, ek->key + 1);
	if (err == CV_OK)
		put_point(c, point);
	crypto_wipe(z, sizeof(z));
	EVP_PKEY_free(ephemeral);
	return err;
}

static enum cv_err share_by_rsa(
	struct enrol_tpm_challenge *c, uint8_t seed[TPM_SEED_BYTES], EVP_PKEY *peer)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(peer, NULL);
	void *label = OPENSSL_memdup(IDENTITY, sizeof(IDENTITY));
	enum cv_err err = crypto_random(seed, TPM_SEED_BYTES);

	c->seed_len = sizeof(c->seed);
	if (err == CV_OK &&
		(ctx == NULL || label == NULL || EVP_PKEY_encrypt_init(ctx) != 1 ||
			EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
			EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) != 1 ||
			EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) != 1))
		err = CV_ERR_CRYPTO;
	if (err == CV_OK) {
		if (EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, sizeof(IDENTITY)) != 1)
			err = CV_ERR_CRYPTO;
		else
			label = NULL; /* the context's now */
	}
	if (err == CV_OK &&
		EVP_PKEY_encrypt(ctx, c->seed, &c->seed_len, seed, TPM_SEED_BYTES) != 1)
		err = CV_ERR_CRYPTO;
	OPENSSL_free(label);
	EVP_PKEY_CTX_free(ctx);
	return err;
}

enum cv_err tpm_credential_make(struct enrol_tpm_challenge *c, const struct tpm_ek *ek,
	const uint8_t ak_name[TPM_NAME_BYTES], const uint8_t secret[ENROL_TPM_SECRET_BYTES])
{
	uint8_t seed[TPM_SEED_BYTES];
	EVP_PKEY *peer = NULL;
	enum cv_err err = ek_key_open(&peer, ek);

	if (err == CV_OK)
		err = ek->kind == TPM_EK_ECC ? share_by_ecc(c, seed, ek, peer)
					     : share_by_rsa(c, seed, peer);
	if (err == CV_OK)
		err = tpm_credential_wrap(c, seed, ak_name, secret);
	crypto_wipe(seed, sizeof(seed));
	EVP_PKEY_free(peer);
	return err;
}
