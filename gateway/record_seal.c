#include "gateway/record_seal.h"

#include <string.h>

#include <sodium.h>

#include "protocol/crypto.h"
#include "protocol/hkdf.h"
#include "protocol/lp.h"

#define AAD_MAX 256
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(NONCE_BYTES + TAG_BYTES == SEAL_OVERHEAD, "overhead of a sealed blob");

static enum cv_err derive(
	uint8_t out[STORE_KEY_BYTES], const uint8_t store_key[STORE_KEY_BYTES], const char *use)
{
	uint8_t info[64];
	size_t len;
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, info, sizeof(info), "conclave-store-key-v1");
	lp_text(&lp, use);
	err = lp_end(&lp, &len);
	if (err != CV_OK)
		return err;
	return hkdf(out, STORE_KEY_BYTES, NULL, 0, store_key, STORE_KEY_BYTES, info, len);
}

enum cv_err seal_keys_derive(struct seal_keys *keys, const uint8_t store_key[STORE_KEY_BYTES])
{
	enum cv_err err = derive(keys->record, store_key, "record");

	if (err == CV_OK)
		err = derive(keys->header, store_key, "header");
	if (err == CV_OK)
		err = derive(keys->sum, store_key, "sum");
	return err;
}

static enum cv_err record_aad(uint8_t aad[AAD_MAX], size_t *len, const struct seal_place *place)
{
	struct lp lp;

	lp_begin(&lp, aad, AAD_MAX, "conclave-record-v1");
	lp_text(&lp, place->gateway);
	lp_text(&lp, place->table);
	lp_text(&lp, place->name);
	lp_text(&lp, "");
	lp_u64(&lp, place->revision);
	return lp_end(&lp, len);
}

static enum cv_err header_aad(uint8_t aad[AAD_MAX], size_t *len, const char *gateway)
{
	struct lp lp;

	lp_begin(&lp, aad, AAD_MAX, "conclave-header-v1");
	lp_text(&lp, gateway);
	return lp_end(&lp, len);
}

static enum cv_err seal(uint8_t *out, const uint8_t key[STORE_KEY_BYTES], const uint8_t *aad,
	size_t aad_len, const uint8_t *plain, size_t len)
{
	enum cv_err err = crypto_random(out, NONCE_BYTES);

	if (err != CV_OK)
		return err;
	if (crypto_aead_xchacha20poly1305_ietf_encrypt(
		    out + NONCE_BYTES, NULL, plain, len, aad, aad_len, NULL, out, key) != 0)
		return CV_ERR_CRYPTO;
	return CV_OK;
}

static enum cv_err open_sealed(uint8_t *plain, size_t cap, size_t *plain_len,
	const uint8_t key[STORE_KEY_BYTES], const uint8_t *aad, size_t aad_len,
	const uint8_t *sealed, size_t len)
{
	if (len < SEAL_OVERHEAD || len - SEAL_OVERHEAD > cap)
		return CV_ERR_SEAL;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed + NONCE_BYTES,
		    len - NONCE_BYTES, aad, aad_len, sealed, key) != 0) {
		crypto_wipe(plain, len - SEAL_OVERHEAD);
		return CV_ERR_SEAL;
	}
	*plain_len = len - SEAL_OVERHEAD;
	return CV_OK;
}

enum cv_err seal_record(uint8_t *out, const struct seal_keys *keys, const struct seal_place *place,
	const uint8_t *plain, size_t len)
{
	uint8_t aad[AAD_MAX];
	size_t aad_len;
	enum cv_err err = record_aad(aad, &aad_len, place);

	return err != CV_OK ? err : seal(out, keys->record, aad, aad_len, plain, len);
}

enum cv_err open_record(uint8_t *plain, size_t cap, size_t *plain_len,
	const struct seal_keys *keys, const struct seal_place *place, const uint8_t *sealed,
	size_t len)
{
	uint8_t aad[AAD_MAX];
	size_t aad_len;
	enum cv_err err = record_aad(aad, &aad_len, place);

	if (err != CV_OK)
		return err;
	return open_sealed(plain, cap, plain_len, keys->record, aad, aad_len, sealed, len);
}

enum cv_err seal_header(uint8_t *out, const struct seal_keys *keys, const char *gateway,
	const uint8_t *plain, size_t len)
{
	uint8_t aad[AAD_MAX];
	size_t aad_len;
	enum cv_err err = header_aad(aad, &aad_len, gateway);

	return err != CV_OK ? err : seal(out, keys->header, aad, aad_len, plain, len);
}

enum cv_err open_header(uint8_t *plain, size_t cap, size_t *plain_len,
	const struct seal_keys *keys, const char *gateway, const uint8_t *sealed, size_t len)
{
	uint8_t aad[AAD_MAX];
	size_t aad_len;
	enum cv_err err = header_aad(aad, &aad_len, gateway);

	if (err != CV_OK)
		return err;
	return open_sealed(plain, cap, plain_len, keys->header, aad, aad_len, sealed, len);
}

static enum cv_err sum_item(
	uint8_t out[SUM_BYTES], const struct seal_keys *keys, const struct seal_place *place)
{
	uint8_t text[AAD_MAX];
	struct crypto_part part = { text, 0 };
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, text, sizeof(text), "conclave-record-sum-v1");
	lp_text(&lp, place->table);
	lp_text(&lp, place->name);
	lp_u64(&lp, place->revision);
	err = lp_end(&lp, &part.len);
	if (err != CV_OK)
		return err;
	return crypto_hmac_sha256(out, keys->sum, sizeof(keys->sum), &part, 1);
}

enum cv_err sum_add(
	uint8_t sum[SUM_BYTES], const struct seal_keys *keys, const struct seal_place *place)
{
	uint8_t item[SUM_BYTES];
	enum cv_err err = sum_item(item, keys, place);

	if (err == CV_OK)
		sodium_add(sum, item, SUM_BYTES);
	return err;
}

enum cv_err sum_remove(
	uint8_t sum[SUM_BYTES], const struct seal_keys *keys, const struct seal_place *place)
{
	uint8_t item[SUM_BYTES];
	enum cv_err err = sum_item(item, keys, place);

	if (err == CV_OK)
		sodium_sub(sum, item, SUM_BYTES);
	return err;
}
