#include "fs/aead.h"

#include "protocol/crypto.h"
#include "protocol/hkdf.h"
#include "protocol/lp.h"

#define INFO_MAX 128

enum cv_err aead_init(struct aead *a, const uint8_t key[AEAD_KEY_BYTES])
{
	a->seal = EVP_CIPHER_CTX_new();
	a->open = EVP_CIPHER_CTX_new();
	if (!a->seal || !a->open) {
		aead_wipe(a);
		return CV_ERR_MEMORY;
	}
	if (EVP_EncryptInit_ex(a->seal, EVP_aes_256_gcm(), NULL, key, NULL) != 1 ||
		EVP_DecryptInit_ex(a->open, EVP_aes_256_gcm(), NULL, key, NULL) != 1) {
		aead_wipe(a);
		return CV_ERR_CRYPTO;
	}
	return CV_OK;
}

void aead_wipe(struct aead *a)
{
	EVP_CIPHER_CTX_free(a->seal);
	EVP_CIPHER_CTX_free(a->open);
	a->seal = NULL;
	a->open = NULL;
}

enum cv_err aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *aad,
	size_t aad_len, const uint8_t *plain, size_t len, uint8_t *cipher,
	uint8_t tag[AEAD_TAG_BYTES])
{
	int n = 0;

	if (EVP_EncryptInit_ex(a->seal, NULL, NULL, NULL, nonce) != 1 ||
		EVP_EncryptUpdate(a->seal, NULL, &n, aad, (int)aad_len) != 1 ||
		EVP_EncryptUpdate(a->seal, cipher, &n, plain, (int)len) != 1 || n != (int)len ||
		EVP_EncryptFinal_ex(a->seal, cipher + len, &n) != 1 ||
		EVP_CIPHER_CTX_ctrl(a->seal, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, tag) != 1)
		return CV_ERR_CRYPTO;
	return CV_OK;
}

enum cv_err aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *aad,
	size_t aad_len, const uint8_t *cipher, size_t len, const uint8_t tag[AEAD_TAG_BYTES],
	uint8_t *plain)
{
	enum cv_err err = CV_ERR_CRYPTO;
	uint8_t expected[AEAD_TAG_BYTES];
	int n = 0;

	memcpy(expected, tag, sizeof(expected));
	if (EVP_DecryptInit_ex(a->open, NULL, NULL, NULL, nonce) != 1 ||
		EVP_DecryptUpdate(a->open, NULL, &n, aad, (int)aad_len) != 1 ||
		EVP_DecryptUpdate(a->open, plain, &n, cipher, (int)len) != 1 || n != (int)len ||
		EVP_CIPHER_CTX_ctrl(a->open, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, expected) != 1)
		goto out;
	err = EVP_DecryptFinal_ex(a->open, plain + len, &n) == 1 ? CV_OK : CV_ERR_SEAL;
out:
	if (err)
		crypto_wipe(plain, len);
	return err;
}

void aead_random_init(struct aead_random *r)
{
	r->used = sizeof(r->bytes);
}

enum cv_err aead_nonce(struct aead_random *r, uint8_t nonce[AEAD_NONCE_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;

	if (r->used == sizeof(r->bytes)) {
		err = crypto_random(r->bytes, sizeof(r->bytes));
		if (err)
			return err;
		r->used = 0;
	}
	memcpy(nonce, r->bytes + r->used, AEAD_NONCE_BYTES);
	r->used += AEAD_NONCE_BYTES;
	return CV_OK;
}

enum cv_err aead_aad_init(
	struct aead_aad *aad, const char *label, const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	struct lp lp;

	lp_begin(&lp, aad->bytes, sizeof(aad->bytes), label);
	lp_bytes(&lp, volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, 0);
	return lp_end(&lp, &aad->len);
}

void aead_aad_block(struct aead_aad *aad, uint64_t block)
{
	uint8_t *p = aad->bytes + aad->len - 8;

	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(block >> (56 - 8 * i));
}

enum cv_err aead_slot_key(uint8_t kek[AEAD_KEY_BYTES], const uint8_t secret[CV_SECRET_BYTES],
	const uint8_t volume_id[CV_VOLUME_ID_BYTES], uint32_t kind, uint32_t epoch)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t info[INFO_MAX];
	struct lp lp;
	size_t len;

	lp_begin(&lp, info, sizeof(info), "conclave-vol-slot-key-v1");
	lp_bytes(&lp, volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, kind);
	lp_u64(&lp, epoch);
	err = lp_end(&lp, &len);
	if (err)
		return err;
	return hkdf(kek, AEAD_KEY_BYTES, volume_id, CV_VOLUME_ID_BYTES, secret, CV_SECRET_BYTES,
		info, len);
}

enum cv_err aead_super_key(uint8_t key[AEAD_KEY_BYTES], const uint8_t volume_key[AEAD_KEY_BYTES],
	const uint8_t salt[32], const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t info[INFO_MAX];
	struct lp lp;
	size_t len;

	lp_begin(&lp, info, sizeof(info), "conclave-vol-super-key-v1");
	lp_bytes(&lp, volume_id, CV_VOLUME_ID_BYTES);
	err = lp_end(&lp, &len);
	if (err)
		return err;
	return hkdf(key, AEAD_KEY_BYTES, salt, 32, volume_key, AEAD_KEY_BYTES, info, len);
}
