#include "fs/log.h"

#include "fs/noise.h"
#include "protocol/crypto.h"

#define LOG_FIRST_BLOCK ((SUPER_SLOTS - 1) * SUPER_STRIDE_BLOCKS + NODE_BLOCKS)

void log_place(struct log_descriptor *log, uint64_t blocks)
{
	uint64_t len = blocks / 64;

	if (len < LOG_BYTES_MIN / BLOCK_BYTES)
		len = LOG_BYTES_MIN / BLOCK_BYTES;
	if (len > LOG_BYTES_MAX / BLOCK_BYTES)
		len = LOG_BYTES_MAX / BLOCK_BYTES;
	log->ring = LOG_FIRST_BLOCK;
	log->blocks = len - len % NODE_BLOCKS;
}

enum cv_err log_renew(struct log_descriptor *log)
{
	log->tail = 0;
	log->seq = 1;
	return crypto_random(log->key, sizeof(log->key));
}

enum cv_err log_fill(const struct log_descriptor *log, struct store *store)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct noise noise;

	err = noise_init(&noise);
	if (err)
		return err;
	err = noise_write(&noise, store, log->ring, log->blocks);
	noise_wipe(&noise);
	return err;
}

void log_encode(uint8_t out[LOG_DESCRIPTOR_BYTES], const struct log_descriptor *log)
{
	put_le64(out, log->ring);
	put_le64(out + 8, log->blocks);
	put_le64(out + 16, log->tail);
	put_le64(out + 24, log->seq);
	memcpy(out + 32, log->key, sizeof(log->key));
}

void log_decode(struct log_descriptor *log, const uint8_t in[LOG_DESCRIPTOR_BYTES])
{
	log->ring = le64(in);
	log->blocks = le64(in + 8);
	log->tail = le64(in + 16);
	log->seq = le64(in + 24);
	memcpy(log->key, in + 32, sizeof(log->key));
}

bool log_valid(const struct log_descriptor *log, uint64_t blocks)
{
	uint64_t last_slot = (uint64_t)(SUPER_SLOTS - 1) * SUPER_STRIDE_BLOCKS;

	return log->ring > last_slot && log->blocks >= LOG_BYTES_MIN / BLOCK_BYTES &&
	       log->ring < blocks && log->blocks <= blocks - log->ring && log->tail < log->blocks &&
	       log->seq != 0;
}
