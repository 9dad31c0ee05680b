#include "fs/log_read.h"

#include <stdlib.h>

#include "protocol/crypto.h"

#define WINDOW_BYTES ((size_t)512 << 10)

enum cv_err log_reader_init(struct log_reader *r, struct store *store,
	const struct log_descriptor *d, const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	memset(r, 0, sizeof(*r));
	r->store = store;
	r->ring = d->ring * BLOCK_BYTES;
	r->bytes = d->blocks * BLOCK_BYTES;
	r->tail = d->tail * BLOCK_BYTES;
	r->first = d->seq;
	log_reader_rewind(r);
	r->window = malloc(WINDOW_BYTES);
	r->records = malloc(FRAME_RECORDS_MAX);
	if (!r->window || !r->records)
		return CV_ERR_MEMORY;
	return frame_cipher_init(&r->cipher, d->key, volume_id);
}

void log_reader_wipe(struct log_reader *r)
{
	frame_cipher_wipe(&r->cipher);
	if (r->records)
		crypto_wipe(r->records, FRAME_RECORDS_MAX);
	free(r->records);
	free(r->window);
	memset(r, 0, sizeof(*r));
}

void log_reader_rewind(struct log_reader *r)
{
	r->at = r->tail;
	r->seq = r->first;
}

/* Blocks of the ring from a position on; a block that cannot be read is zeros, so no frame. */
static void read_blocks(struct log_reader *r, uint64_t position, uint8_t *buf, size_t len)
{
	while (len) {
		uint64_t at = position % r->bytes;
		size_t part = r->bytes - at < len ? (size_t)(r->bytes - at) : len;

		if (store_read(r->store, r->ring + at, buf, part)) {
			part = BLOCK_BYTES;
			if (store_read(r->store, r->ring + at, buf, part)) {
				memset(buf, 0, part);
				r->unreadable++;
			}
		}
		position += part;
		buf += part;
		len -= part;
	}
}

/* `len` bytes (a frame at most) at a position, which lies within one turn of the ring. */
static const uint8_t *bytes_at(struct log_reader *r, uint64_t position, size_t len)
{
	if (position < r->window_at || position + len > r->window_at + r->window_len) {
		r->window_at = position - position % BLOCK_BYTES;
		r->window_len = r->bytes < WINDOW_BYTES ? (size_t)r->bytes : WINDOW_BYTES;
		read_blocks(r, r->window_at, r->window, r->window_len);
	}
	return r->window + (position - r->window_at);
}

/* The frame at a position, if it is one of this session and lies before the tail comes again. */
static enum cv_err frame_at(struct log_reader *r, uint64_t position, struct frame_head *h)
{
	uint64_t end = r->tail + r->bytes;

	if (position + FRAME_HEAD_BYTES > end ||
		!frame_head_decode(h, bytes_at(r, position, FRAME_HEAD_BYTES)) ||
		position + frame_bytes(h->len) > end)
		return CV_ERR_SEAL;
	return frame_open(&r->cipher, h,
		bytes_at(r, position, frame_bytes(h->len)) + FRAME_HEAD_BYTES, r->records);
}

static uint64_t block_up(uint64_t position)
{
	return (position + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

enum cv_err log_reader_next(struct log_reader *r, struct frame_head *h)
{
	/* behind the last one, or in the next block if there was a flush in between */
	const uint64_t places[] = { r->at, block_up(r->at) };

	for (int i = 0; i < 2; i++) {
		enum cv_err err = CV_ERR_INTERNAL;

		err = frame_at(r, places[i], h);
		if (!err && h->seq != r->seq)
			err = CV_ERR_SEAL;
		if (err == CV_ERR_SEAL)
			continue;
		if (err)
			return err;
		r->at = places[i] + frame_bytes(h->len);
		r->seq++;
		return CV_OK;
	}
	return CV_ERR_NOT_FOUND;
}

enum cv_err log_reader_search(struct log_reader *r, bool *proof, uint64_t *found)
{
	uint64_t end = r->tail + r->bytes;
	uint64_t seq_max = r->seq + r->bytes / FRAME_HEAD_BYTES;
	uint64_t budget = 4 * r->bytes;

	*proof = false;
	*found = 0;
	for (uint64_t at = r->at; at + FRAME_HEAD_BYTES <= end; at += FRAME_ALIGN) {
		enum cv_err err = CV_ERR_INTERNAL;
		struct frame_head h;

		if (!frame_head_decode(&h, bytes_at(r, at, FRAME_HEAD_BYTES)) || h.seq > seq_max ||
			h.durable < r->seq)
			continue;
		if (budget < h.len) {
			*proof = true;
			return CV_OK;
		}
		budget -= h.len;
		err = frame_at(r, at, &h);
		if (err && err != CV_ERR_SEAL)
			return err;
		*proof = err == CV_OK;
		if (*proof) {
			*found = h.seq;
			return CV_OK;
		}
	}
	return CV_OK;
}
