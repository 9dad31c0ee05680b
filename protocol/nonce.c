#include "protocol/nonce.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/lp.h"

#define RANDOM_BYTES 16
#define ISSUED_BYTES 8
#define TAG_BYTES 16
#define TAG_OFFSET (RANDOM_BYTES + ISSUED_BYTES)
#define SCOPE_BUF 256

static enum cv_err tag_of(uint8_t mac[CV_MAC_BYTES], const uint8_t key[CV_MAC_KEY_BYTES],
	const struct nonce_scope *scope, const uint8_t random[RANDOM_BYTES], uint64_t issued_ms)
{
	uint8_t buf[SCOPE_BUF];
	struct crypto_part part = {buf, 0};
	struct lp lp;
	enum cv_err err;

	if (scope->device != NULL) {
		lp_begin(&lp, buf, sizeof(buf), "conclave-nonce-v1");
		lp_text(&lp, scope->gateway);
		lp_text(&lp, scope->device);
		lp_bytes(&lp, scope->volume_id, CV_VOLUME_ID_BYTES);
		lp_u64(&lp, scope->epoch);
	} else {
		lp_begin(&lp, buf, sizeof(buf), "conclave-op-nonce-v1");
		lp_text(&lp, scope->gateway);
	}
	lp_bytes(&lp, random, RANDOM_BYTES);
	lp_u64(&lp, issued_ms);
	err = lp_end(&lp, &part.len);
	if (err == CV_OK)
		err = crypto_hmac_sha256(mac, key, CV_MAC_KEY_BYTES, &part, 1);
	return err;
}

enum cv_err nonce_make(uint8_t out[CV_NONCE_BYTES], const uint8_t key[CV_MAC_KEY_BYTES],
	const struct nonce_scope *scope, const uint8_t random[16], uint64_t now_ms)
{
	uint8_t mac[CV_MAC_BYTES];
	enum cv_err err = tag_of(mac, key, scope, random, now_ms);

	if (err != CV_OK)
		return err;
	memcpy(out, random, RANDOM_BYTES);
	for (size_t i = 0; i < ISSUED_BYTES; i++)
		out[RANDOM_BYTES + i] = (uint8_t)(now_ms >> (8 * (ISSUED_BYTES - 1 - i)));
	memcpy(out + TAG_OFFSET, mac, TAG_BYTES);
	return CV_OK;
}

enum cv_err nonce_check(const uint8_t nonce[CV_NONCE_BYTES], const uint8_t key[CV_MAC_KEY_BYTES],
	const struct nonce_scope *scope, uint64_t now_ms, uint64_t ttl_ms)
{
	uint8_t mac[CV_MAC_BYTES];
	uint64_t issued_ms = 0;
	enum cv_err err;

	for (size_t i = 0; i < ISSUED_BYTES; i++)
		issued_ms = issued_ms << 8 | nonce[RANDOM_BYTES + i];
	err = tag_of(mac, key, scope, nonce, issued_ms);
	if (err != CV_OK)
		return err;
	if (!crypto_equal(mac, nonce + TAG_OFFSET, TAG_BYTES))
		return CV_ERR_NONCE_FOREIGN;
	if (issued_ms > now_ms || now_ms - issued_ms > ttl_ms)
		return CV_ERR_NONCE_EXPIRED;
	return CV_OK;
}
