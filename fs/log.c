#include "fs/log.h"

#include <stdlib.h>

#include "fs/noise.h"
#include "protocol/crypto.h"

#define LOG_FIRST_BLOCK ((SUPER_SLOTS - 1) * SUPER_STRIDE_BLOCKS + NODE_BLOCKS)
#define BUF_BYTES (BLOCK_BYTES + FRAME_BYTES_MAX + FRAME_ALIGN + BLOCK_BYTES)

void log_place(struct log_descriptor *d, uint64_t blocks)
{
	uint64_t len = blocks / 64;

	if (len < LOG_BYTES_MIN / BLOCK_BYTES)
		len = LOG_BYTES_MIN / BLOCK_BYTES;
	if (len > LOG_BYTES_MAX / BLOCK_BYTES)
		len = LOG_BYTES_MAX / BLOCK_BYTES;
	d->ring = LOG_FIRST_BLOCK;
	d->blocks = len - len % NODE_BLOCKS;
}

enum cv_err log_fill(const struct log_descriptor *d, struct store *store)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct noise noise;

	err = noise_init(&noise);
	if (err)
		return err;
	err = noise_write(&noise, store, d->ring, d->blocks);
	noise_wipe(&noise);
	return err;
}

void log_encode(uint8_t out[LOG_DESCRIPTOR_BYTES], const struct log_descriptor *d)
{
	put_le64(out, d->ring);
	put_le64(out + 8, d->blocks);
	put_le64(out + 16, d->tail);
	put_le64(out + 24, d->seq);
	memcpy(out + 32, d->key, sizeof(d->key));
}

void log_decode(struct log_descriptor *d, const uint8_t in[LOG_DESCRIPTOR_BYTES])
{
	d->ring = le64(in);
	d->blocks = le64(in + 8);
	d->tail = le64(in + 16);
	d->seq = le64(in + 24);
	memcpy(d->key, in + 32, sizeof(d->key));
}

bool log_valid(const struct log_descriptor *d, uint64_t blocks)
{
	uint64_t last_slot = (uint64_t)(SUPER_SLOTS - 1) * SUPER_STRIDE_BLOCKS;

	return d->ring > last_slot && d->blocks >= LOG_BYTES_MIN / BLOCK_BYTES &&
	       d->ring < blocks && d->blocks <= blocks - d->ring && d->tail < d->blocks &&
	       d->seq != 0 && d->seq <= UINT64_MAX / 2;
}

void log_attach(struct log *l, struct store *store, const struct log_descriptor *d)
{
	l->store = store;
	l->ring = d->ring * BLOCK_BYTES;
	l->bytes = d->blocks * BLOCK_BYTES;
	l->head = d->tail * BLOCK_BYTES;
	l->tail = l->head;
	l->tail_before = l->head;
	l->next = d->seq;
	l->durable = d->seq - 1;
}

enum cv_err log_renew(struct log *l, struct log_descriptor *d)
{
	l->next = 1;
	l->durable = 0;
	return crypto_random(d->key, sizeof(d->key));
}

enum cv_err log_start(struct log *l, const struct log_descriptor *d,
	const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;

	l->buf = malloc(BUF_BYTES);
	if (!l->buf)
		return CV_ERR_MEMORY;
	err = frame_cipher_init(&l->cipher, d->key, volume_id);
	l->active = err == CV_OK;
	return err;
}

enum cv_err log_restart(struct log *l, const struct log_descriptor *d,
	const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	l->active = false;
	frame_cipher_wipe(&l->cipher);
	free(l->buf);
	l->buf = NULL;
	return log_start(l, d, volume_id);
}

void log_wipe(struct log *l)
{
	frame_cipher_wipe(&l->cipher);
	free(l->buf);
	memset(l, 0, sizeof(*l));
}

bool log_has_room(const struct log *l, size_t len)
{
	return l->head + frame_bytes(len) <= l->tail_before + l->bytes;
}

/* Whole blocks from a position on, in two pieces where the ring ends between them. */
static enum cv_err ring_write(struct log *l, uint64_t position, const uint8_t *buf, size_t len)
{
	enum cv_err err = CV_OK;
	uint64_t at = position % l->bytes;
	size_t first = l->bytes - at < len ? (size_t)(l->bytes - at) : len;

	err = store_write(l->store, l->ring + at, buf, first);
	if (!err && first < len)
		err = store_write(l->store, l->ring, buf + first, len - first);
	return err;
}

enum cv_err log_append(struct log *l, const uint8_t *records, size_t len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	size_t begun = (size_t)(l->head % BLOCK_BYTES);
	size_t end = begun + frame_bytes(len);
	size_t whole = (end + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;

	/* the number is spent whatever comes: a nonce is never used again */
	err = frame_seal(&l->cipher, l->next++, l->durable, records, len, l->buf + begun);
	if (err)
		return err;
	memset(l->buf + end, 0, whole - end);
	err = ring_write(l, l->head - begun, l->buf, whole);
	if (err)
		return err;
	l->head += end - begun;
	if (end % BLOCK_BYTES && end > BLOCK_BYTES)
		memcpy(l->buf, l->buf + end - end % BLOCK_BYTES, end % BLOCK_BYTES);
	return CV_OK;
}

void log_round(struct log *l)
{
	l->head = (l->head + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}
