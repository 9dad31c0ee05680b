#include "protocol/hkdf.h"

#include <string.h>

#include "protocol/crypto.h"

#define SALT_MAX 64
#define BLOCKS_MAX 255

enum cv_err hkdf_extract(uint8_t prk[CV_HASH_BYTES], const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len)
{
	static const uint8_t no_salt[CV_HASH_BYTES];
	struct crypto_part part = {ikm, ikm_len};

	if (salt_len > SALT_MAX) {
		crypto_wipe(prk, CV_HASH_BYTES);
		return CV_ERR_ARGUMENT;
	}
	if (salt_len == 0) {
		salt = no_salt;
		salt_len = sizeof(no_salt);
	}
	return crypto_hmac_sha256(prk, salt, salt_len, &part, 1);
}

enum cv_err hkdf_expand(uint8_t *out, size_t len, const uint8_t prk[CV_HASH_BYTES],
	const uint8_t *info, size_t info_len)
{
	enum cv_err err = CV_OK;
	uint8_t block[CV_HASH_BYTES];
	size_t done = 0;

	if (len > BLOCKS_MAX * (size_t)CV_HASH_BYTES)
		return CV_ERR_ARGUMENT;
	for (uint8_t counter = 1; done < len; counter++) {
		struct crypto_part parts[] = {{block, counter == 1 ? 0 : sizeof(block)},
			{info, info_len}, {&counter, 1}};
		size_t n = len - done < sizeof(block) ? len - done : sizeof(block);

		err = crypto_hmac_sha256(block, prk, CV_HASH_BYTES, parts, 3);
		if (err != CV_OK)
			break;
		memcpy(out + done, block, n);
		done += n;
	}
	if (err != CV_OK)
		crypto_wipe(out, len);
	crypto_wipe(block, sizeof(block));
	return err;
}

enum cv_err hkdf(uint8_t *out, size_t len, const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len)
{
	uint8_t prk[CV_HASH_BYTES];
	enum cv_err err = hkdf_extract(prk, salt, salt_len, ikm, ikm_len);

	if (err == CV_OK)
		err = hkdf_expand(out, len, prk, info, info_len);
	else
		crypto_wipe(out, len);
	crypto_wipe(prk, sizeof(prk));
	return err;
}
