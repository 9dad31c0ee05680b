#include "seal.h"

#include <string.h>

#include <sdkconfig.h>

#include "protocol/crypto.h"
#include "protocol/lp.h"

#ifdef CONFIG_CONCLAVE_SEAL_KEYS
#include <esp_efuse.h>
#include <esp_hmac.h>

#define BLOCK ((esp_efuse_block_t)(EFUSE_BLK_KEY0 + CONFIG_CONCLAVE_SEAL_KEY_BLOCK))
#define SCOPE_MAX 64

int seal_available(void)
{
	return 1;
}

static enum cv_err key_derive(uint8_t key[CRYPTO_AES_KEY_BYTES], const char *name)
{
	uint8_t scope[SCOPE_MAX];
	struct lp lp;
	size_t len = 0;
	enum cv_err err;

	/*
	 * A key block with another purpose would be used wrongly without a word by some revisions.
	 */
	if (esp_efuse_get_key_purpose(BLOCK) != ESP_EFUSE_KEY_PURPOSE_HMAC_UP)
		return CV_ERR_CONFIG;
	lp_begin(&lp, scope, sizeof(scope), "conclave-esp-seal-v1");
	lp_text(&lp, name);
	err = lp_end(&lp, &len);
	if (err == CV_OK && esp_hmac_calculate((hmac_key_id_t)CONFIG_CONCLAVE_SEAL_KEY_BLOCK, scope,
				    len, key) != ESP_OK)
		err = CV_ERR_CRYPTO;
	return err;
}

enum cv_err seal_close(uint8_t *out, size_t cap, size_t *len, const char *name,
	const uint8_t *plain, size_t plain_len)
{
	uint8_t key[CRYPTO_AES_KEY_BYTES] = {0};
	uint8_t *text = out + CRYPTO_AES_NONCE_BYTES;
	enum cv_err err = CV_ERR_INTERNAL;

	if (plain_len > SEAL_PLAIN_MAX || cap < plain_len + SEAL_OVERHEAD)
		return CV_ERR_TOO_LONG;
	err = crypto_random(out, CRYPTO_AES_NONCE_BYTES);
	if (err == CV_OK)
		err = key_derive(key, name);
	if (err == CV_OK)
		err = crypto_aes256gcm_seal(
			text, text + plain_len, key, out, NULL, 0, plain, plain_len);
	if (err == CV_OK)
		*len = plain_len + SEAL_OVERHEAD;
	crypto_wipe(key, sizeof(key));
	return err;
}

enum cv_err seal_open(uint8_t *out, size_t cap, size_t *len, const char *name,
	const uint8_t *sealed, size_t sealed_len)
{
	uint8_t key[CRYPTO_AES_KEY_BYTES] = {0};
	const uint8_t *text = sealed + CRYPTO_AES_NONCE_BYTES;
	size_t plain_len;
	enum cv_err err = CV_ERR_INTERNAL;

	if (sealed_len < SEAL_OVERHEAD)
		return CV_ERR_SEAL;
	plain_len = sealed_len - SEAL_OVERHEAD;
	if (plain_len > cap)
		return CV_ERR_TOO_LONG;
	err = key_derive(key, name);
	if (err == CV_OK)
		err = crypto_aes256gcm_open(
			out, key, sealed, NULL, 0, text, plain_len, text + plain_len);
	if (err == CV_OK)
		*len = plain_len;
	crypto_wipe(key, sizeof(key));
	return err;
}

#else

int seal_available(void)
{
	return 0;
}

enum cv_err seal_close(uint8_t *out, size_t cap, size_t *len, const char *name,
	const uint8_t *plain, size_t plain_len)
{
	(void)out, (void)cap, (void)len, (void)name, (void)plain, (void)plain_len;
	return CV_ERR_NOT_BUILT;
}

enum cv_err seal_open(uint8_t *out, size_t cap, size_t *len, const char *name,
	const uint8_t *sealed, size_t sealed_len)
{
	(void)out, (void)cap, (void)len, (void)name, (void)sealed, (void)sealed_len;
	return CV_ERR_NOT_BUILT;
}

#endif
