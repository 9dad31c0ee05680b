#include "protocol/join.h"

#include <string.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/lp.h"

#define LP_BUF 384
#define GROUPS 8
#define GROUP_BYTES 4

enum cv_err gateway_request_fingerprint(uint8_t out[CV_HASH_BYTES], const char *gateway,
	const uint8_t keeper_key[CV_ES256_PUBLIC_BYTES],
	const uint8_t enrolment_key[CV_X25519_BYTES], const uint8_t *csr_der, size_t csr_len)
{
	struct crypto_part part = {csr_der, csr_len};
	uint8_t csr_hash[CV_HASH_BYTES];
	uint8_t buf[LP_BUF];
	struct lp lp;
	enum cv_err err = crypto_sha256(csr_hash, &part, 1);

	if (err != CV_OK)
		return err;
	lp_begin(&lp, buf, sizeof(buf), "conclave-gateway-req-v1");
	lp_text(&lp, gateway);
	lp_bytes(&lp, keeper_key, CV_ES256_PUBLIC_BYTES);
	lp_bytes(&lp, enrolment_key, CV_X25519_BYTES);
	lp_bytes(&lp, csr_hash, sizeof(csr_hash));
	part.data = buf;
	err = lp_end(&lp, &part.len);
	return err == CV_OK ? crypto_sha256(out, &part, 1) : err;
}

enum cv_err fleet_fingerprint(uint8_t out[CV_HASH_BYTES], const char *fleet,
	const uint8_t root_key[CV_ES256_PUBLIC_BYTES])
{
	uint8_t buf[LP_BUF];
	struct crypto_part part = {buf, 0};
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, buf, sizeof(buf), "conclave-fleet-v1");
	lp_text(&lp, fleet);
	lp_bytes(&lp, root_key, CV_ES256_PUBLIC_BYTES);
	err = lp_end(&lp, &part.len);
	return err == CV_OK ? crypto_sha256(out, &part, 1) : err;
}

void fingerprint_text(char out[FINGERPRINT_BUF], const uint8_t fingerprint[CV_HASH_BYTES])
{
	for (size_t i = 0; i < GROUPS; i++) {
		char *group = out + i * (2 * GROUP_BYTES + 1);

		hex_encode(group, fingerprint + i * GROUP_BYTES, GROUP_BYTES);
		if (i + 1 < GROUPS)
			group[2 * GROUP_BYTES] = '-';
	}
}

enum cv_err fingerprint_parse(uint8_t out[CV_HASH_BYTES], const char *text)
{
	char digits[2 * CV_HASH_BYTES];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		char c = *text;

		if (c == '-' || c == ':' || c == ' ')
			continue;
		if (n == sizeof(digits))
			return CV_ERR_FORMAT;
		digits[n++] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
	}
	return hex_decode(out, CV_HASH_BYTES, digits, n);
}
