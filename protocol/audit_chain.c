#include "protocol/audit_chain.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/lp.h"

#define LP_BUF 256

enum cv_err audit_chain_next(uint8_t head[CV_HASH_BYTES], const char *gateway, uint64_t seq,
	const char *text, size_t len)
{
	struct crypto_part part = {text, len};
	uint8_t text_hash[CV_HASH_BYTES];
	uint8_t next[CV_HASH_BYTES];
	uint8_t buf[LP_BUF];
	struct lp lp;
	enum cv_err err;

	if (len > AUDIT_TEXT_MAX)
		return CV_ERR_TOO_LONG;
	err = crypto_sha256(text_hash, &part, 1);
	if (err != CV_OK)
		return err;
	lp_begin(&lp, buf, sizeof(buf), "conclave-audit-v1");
	lp_text(&lp, gateway);
	lp_u64(&lp, seq);
	lp_bytes(&lp, head, CV_HASH_BYTES);
	lp_bytes(&lp, text_hash, sizeof(text_hash));
	part.data = buf;
	err = lp_end(&lp, &part.len);
	if (err == CV_OK)
		err = crypto_sha256(next, &part, 1);
	if (err == CV_OK)
		memcpy(head, next, sizeof(next));
	return err;
}

enum cv_err audit_head_hash(uint8_t out[CV_HASH_BYTES], const char *gateway, uint64_t seq,
	const uint8_t head[CV_HASH_BYTES], uint64_t time_s)
{
	uint8_t buf[LP_BUF];
	struct crypto_part part = {buf, 0};
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, buf, sizeof(buf), "conclave-audit-head-v1");
	lp_text(&lp, gateway);
	lp_u64(&lp, seq);
	lp_bytes(&lp, head, CV_HASH_BYTES);
	lp_u64(&lp, time_s);
	err = lp_end(&lp, &part.len);
	return err == CV_OK ? crypto_sha256(out, &part, 1) : err;
}
