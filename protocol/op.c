#include "protocol/op.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/line.h"
#include "protocol/lp.h"

#define COMMAND_BUF 384
#define REPLY_BUF 192
#define LENGTH_BYTES 4

enum cv_err op_command_hash(uint8_t out[CV_HASH_BYTES], const struct op_command *command)
{
	struct crypto_part part = {command->body, command->body_len};
	uint8_t body_hash[CV_HASH_BYTES];
	uint8_t buf[COMMAND_BUF];
	struct lp lp;
	enum cv_err err = crypto_sha256(body_hash, &part, 1);

	if (err != CV_OK)
		return err;
	lp_begin(&lp, buf, sizeof(buf), "conclave-op-v1");
	lp_bytes(&lp, command->keeper_key, CV_ES256_PUBLIC_BYTES);
	lp_bytes(&lp, command->nonce, command->nonce_len);
	lp_text(&lp, command->method);
	lp_text(&lp, command->target);
	lp_bytes(&lp, body_hash, sizeof(body_hash));
	part.data = buf;
	err = lp_end(&lp, &part.len);
	return err == CV_OK ? crypto_sha256(out, &part, 1) : err;
}

enum cv_err op_reply_hash(uint8_t out[CV_HASH_BYTES], const uint8_t command_hash[CV_HASH_BYTES],
	const struct op_reply *reply)
{
	uint8_t buf[REPLY_BUF];
	uint8_t length[LENGTH_BYTES];
	struct crypto_part parts[] = {
		{buf, 0}, {length, sizeof(length)}, {reply->body, reply->body_len}};
	struct lp lp;
	enum cv_err err;

	if (reply->body_len > UINT32_MAX)
		return CV_ERR_TOO_LONG;
	lp_begin(&lp, buf, sizeof(buf), "conclave-op-reply-v1");
	lp_bytes(&lp, command_hash, CV_HASH_BYTES);
	lp_u64(&lp, reply->status);
	lp_u64(&lp, reply->store_revision);
	lp_u64(&lp, reply->audit_seq);
	lp_bytes(&lp, reply->audit_head, sizeof(reply->audit_head));
	err = lp_end(&lp, &parts[0].len);
	/* the body is the last field; it is too long to be copied behind the others */
	for (size_t i = 0; i < LENGTH_BYTES; i++)
		length[i] = (uint8_t)(reply->body_len >> (8 * (LENGTH_BYTES - 1 - i)));
	return err == CV_OK ? crypto_sha256(out, parts, 3) : err;
}

enum cv_err op_header(char out[OP_HEADER_BUF], const uint8_t nonce[CV_NONCE_BYTES],
	const uint8_t sig[CV_ES256_SIG_BYTES])
{
	struct line l;

	line_begin(&l, out, OP_HEADER_BUF);
	line_text(&l, "v1 nonce=");
	line_base64url(&l, nonce, CV_NONCE_BYTES);
	line_text(&l, " sig=");
	line_base64url(&l, sig, CV_ES256_SIG_BYTES);
	return line_end(&l);
}

enum cv_err op_header_parse(const char *value, size_t len, uint8_t nonce[CV_NONCE_BYTES],
	uint8_t sig[CV_ES256_SIG_BYTES])
{
	uint8_t nonce_found[CV_NONCE_BYTES];
	uint8_t sig_found[CV_ES256_SIG_BYTES];
	struct line_reader r;
	enum cv_err err;

	line_read_begin(&r, value, len);
	line_read_literal(&r, "v1 nonce=");
	line_read_base64url(&r, nonce_found, sizeof(nonce_found));
	line_read_literal(&r, " sig=");
	line_read_base64url(&r, sig_found, sizeof(sig_found));
	err = line_read_end(&r);
	if (err == CV_OK) {
		memcpy(nonce, nonce_found, sizeof(nonce_found));
		memcpy(sig, sig_found, sizeof(sig_found));
	}
	return err;
}

enum cv_err op_reply_header(char out[OP_REPLY_HEADER_BUF], const struct op_reply *reply,
	const uint8_t sig[CV_ES256_SIG_BYTES])
{
	struct line l;

	if (reply->store_revision > CV_JSON_INTEGER_MAX || reply->audit_seq > CV_JSON_INTEGER_MAX)
		return CV_ERR_RANGE;
	line_begin(&l, out, OP_REPLY_HEADER_BUF);
	line_text(&l, "v1 revision=");
	line_u64(&l, reply->store_revision);
	line_text(&l, " seq=");
	line_u64(&l, reply->audit_seq);
	line_text(&l, " head=");
	line_hex(&l, reply->audit_head, sizeof(reply->audit_head));
	line_text(&l, " sig=");
	line_base64url(&l, sig, CV_ES256_SIG_BYTES);
	return line_end(&l);
}

enum cv_err op_reply_header_parse(
	const char *value, size_t len, struct op_reply *reply, uint8_t sig[CV_ES256_SIG_BYTES])
{
	uint8_t head[CV_HASH_BYTES];
	uint8_t sig_found[CV_ES256_SIG_BYTES];
	struct line_reader r;
	uint64_t revision;
	uint64_t seq;
	enum cv_err err;

	line_read_begin(&r, value, len);
	line_read_literal(&r, "v1 revision=");
	revision = line_read_u64(&r);
	line_read_literal(&r, " seq=");
	seq = line_read_u64(&r);
	line_read_literal(&r, " head=");
	line_read_hex(&r, head, sizeof(head));
	line_read_literal(&r, " sig=");
	line_read_base64url(&r, sig_found, sizeof(sig_found));
	err = line_read_end(&r);
	if (err == CV_OK) {
		reply->store_revision = revision;
		reply->audit_seq = seq;
		memcpy(reply->audit_head, head, sizeof(head));
		memcpy(sig, sig_found, sizeof(sig_found));
	}
	return err;
}
