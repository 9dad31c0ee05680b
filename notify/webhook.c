#include "notify/webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "protocol/crypto.h"

#define PREFIX "whsec_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

enum cv_err webhook_key_decode(
	uint8_t key[DESTINATION_KEY_MAX], size_t *key_len, const char *secret)
{
	const char *end = NULL;
	size_t len = 0;

	if (strncmp(secret, PREFIX, PREFIX_LEN) != 0 ||
		sodium_base642bin(key, DESTINATION_KEY_MAX, secret + PREFIX_LEN,
			strlen(secret + PREFIX_LEN), NULL, &len, &end,
			sodium_base64_VARIANT_ORIGINAL) != 0 ||
		*end != 0 || len < DESTINATION_KEY_MIN) {
		crypto_wipe(key, DESTINATION_KEY_MAX);
		return CV_ERR_FORMAT;
	}
	*key_len = len;
	return CV_OK;
}

enum cv_err webhook_sign(char out[WEBHOOK_SIGNATURE_TEXT], const uint8_t *key, size_t key_len,
	const char *id, uint64_t timestamp_s, const char *body, size_t body_len)
{
	char stamp[32];
	int stamp_len = snprintf(stamp, sizeof(stamp), ".%" PRIu64 ".", timestamp_s);
	struct crypto_part parts[] = {
		{id, strlen(id)}, {stamp, (size_t)stamp_len}, {body, body_len}};
	uint8_t mac[CV_MAC_BYTES];
	enum cv_err err = crypto_hmac_sha256(mac, key, key_len, parts, 3);

	if (err)
		return err;
	memcpy(out, "v1,", 3);
	sodium_bin2base64(out + 3, WEBHOOK_SIGNATURE_TEXT - 3, mac, sizeof(mac),
		sodium_base64_VARIANT_ORIGINAL);
	return CV_OK;
}
