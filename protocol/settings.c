#include "protocol/settings.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/hkdf.h"
#include "protocol/lp.h"

#define MAGIC_BYTES 8
#define NONCE_AT MAGIC_BYTES
#define TEXT_AT (NONCE_AT + CRYPTO_AES_NONCE_BYTES)
#define SCOPE_MAX 256

static const uint8_t magic[MAGIC_BYTES] = {'C', 'V', 'S', 'E', 'T', '1', 0, 0};

/* lp(label, fleet, device, volume id, epoch): the KDF's info and, under its own label, the AAD. */
static enum cv_err scope_encode(
	uint8_t out[SCOPE_MAX], size_t *len, const char *label, const struct share_set *set)
{
	struct lp lp;

	lp_begin(&lp, out, SCOPE_MAX, label);
	lp_text(&lp, set->fleet);
	lp_text(&lp, set->device);
	lp_bytes(&lp, set->volume_id, sizeof(set->volume_id));
	lp_u64(&lp, set->epoch);
	return lp_end(&lp, len);
}

static enum cv_err key_derive(uint8_t key[CRYPTO_AES_KEY_BYTES], const struct share_set *set,
	const uint8_t secret[CV_SECRET_BYTES])
{
	uint8_t info[SCOPE_MAX];
	size_t info_len = 0;
	enum cv_err err = scope_encode(info, &info_len, "conclave-sealed-settings-v1", set);

	if (err != CV_OK)
		return err;
	return hkdf(key, CRYPTO_AES_KEY_BYTES, NULL, 0, secret, CV_SECRET_BYTES, info, info_len);
}

enum cv_err settings_seal(uint8_t *blob, const struct share_set *set,
	const uint8_t secret[CV_SECRET_BYTES], const uint8_t *plain, size_t len)
{
	uint8_t key[CRYPTO_AES_KEY_BYTES], aad[SCOPE_MAX];
	size_t aad_len = 0;
	enum cv_err err = CV_ERR_INTERNAL;

	if (len > SETTINGS_PLAIN_MAX)
		return CV_ERR_TOO_LONG;
	err = key_derive(key, set, secret);
	if (err != CV_OK)
		goto out;
	err = scope_encode(aad, &aad_len, "conclave-sealed-settings-aad-v1", set);
	if (err != CV_OK)
		goto out;
	memcpy(blob, magic, MAGIC_BYTES);
	err = crypto_random(blob + NONCE_AT, CRYPTO_AES_NONCE_BYTES);
	if (err != CV_OK)
		goto out;
	err = crypto_aes256gcm_seal(blob + TEXT_AT, blob + TEXT_AT + len, key, blob + NONCE_AT, aad,
		aad_len, plain, len);
out:
	crypto_wipe(key, sizeof(key));
	return err;
}

enum cv_err settings_open(uint8_t *plain, const struct share_set *set,
	const uint8_t secret[CV_SECRET_BYTES], const uint8_t *blob, size_t blob_len)
{
	uint8_t key[CRYPTO_AES_KEY_BYTES], aad[SCOPE_MAX];
	size_t aad_len = 0, len;
	enum cv_err err = CV_ERR_INTERNAL;

	if (blob_len < SETTINGS_OVERHEAD || memcmp(blob, magic, MAGIC_BYTES) != 0)
		return CV_ERR_FORMAT;
	if (blob_len > SETTINGS_BLOB_MAX)
		return CV_ERR_TOO_LONG;
	len = blob_len - SETTINGS_OVERHEAD;
	err = key_derive(key, set, secret);
	if (err != CV_OK)
		goto out;
	err = scope_encode(aad, &aad_len, "conclave-sealed-settings-aad-v1", set);
	if (err != CV_OK)
		goto out;
	err = crypto_aes256gcm_open(plain, key, blob + NONCE_AT, aad, aad_len, blob + TEXT_AT, len,
		blob + TEXT_AT + len);
out:
	crypto_wipe(key, sizeof(key));
	return err;
}
