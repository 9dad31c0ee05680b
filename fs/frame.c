#include "fs/frame.h"

#include "protocol/crypto.h"
#include "protocol/lp.h"

enum cv_err frame_cipher_init(struct frame_cipher *c, const uint8_t key[AEAD_KEY_BYTES],
	const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	memcpy(c->volume_id, volume_id, CV_VOLUME_ID_BYTES);
	return aead_init(&c->aead, key);
}

void frame_cipher_wipe(struct frame_cipher *c)
{
	aead_wipe(&c->aead);
}

static enum cv_err frame_aad(
	const struct frame_cipher *c, const struct frame_head *h, uint8_t *out, size_t *len)
{
	struct lp lp;

	lp_begin(&lp, out, AEAD_AAD_MAX, "conclave-vol-log-v1");
	lp_bytes(&lp, c->volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, h->seq);
	lp_u64(&lp, h->durable);
	lp_u64(&lp, h->len);
	return lp_end(&lp, len);
}

static void frame_nonce(uint8_t nonce[AEAD_NONCE_BYTES], uint64_t seq)
{
	memset(nonce, 0, AEAD_NONCE_BYTES);
	put_le64(nonce, seq);
}

enum cv_err frame_seal(struct frame_cipher *c, uint64_t seq, uint64_t durable,
	const uint8_t *records, size_t len, uint8_t *out)
{
	struct frame_head h = { .seq = seq, .durable = durable, .len = (uint32_t)len };
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t aad[AEAD_AAD_MAX];
	size_t aad_len;

	frame_nonce(nonce, seq);
	err = frame_aad(c, &h, aad, &aad_len);
	if (!err)
		err = aead_seal(&c->aead, nonce, aad, aad_len, records, len,
			out + FRAME_HEAD_BYTES, h.tag);
	if (err)
		return err;
	put_le64(out, seq);
	put_le64(out + 8, durable);
	put_le32(out + 16, h.len);
	put_le32(out + 20, 0);
	memcpy(out + 24, h.tag, sizeof(h.tag));
	memset(out + FRAME_HEAD_BYTES + len, 0, frame_bytes(len) - FRAME_HEAD_BYTES - len);
	return CV_OK;
}

bool frame_head_decode(struct frame_head *h, const uint8_t in[FRAME_HEAD_BYTES])
{
	h->seq = le64(in);
	h->durable = le64(in + 8);
	h->len = le32(in + 16);
	memcpy(h->tag, in + 24, sizeof(h->tag));
	return h->seq != 0 && h->durable < h->seq && h->len > 0 && h->len <= FRAME_RECORDS_MAX &&
	       le32(in + 20) == 0;
}

enum cv_err frame_open(struct frame_cipher *c, const struct frame_head *h, const uint8_t *cipher,
	uint8_t *records)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t aad[AEAD_AAD_MAX];
	size_t aad_len;

	frame_nonce(nonce, h->seq);
	err = frame_aad(c, h, aad, &aad_len);
	if (!err)
		err = aead_open(&c->aead, nonce, aad, aad_len, cipher, h->len, h->tag, records);
	return err;
}
