/*
 * One frame of the log: a head that is clear and authenticated, and sealed records
 * (docs/volume-format.md, 10). The nonce is the sequence number, under a key that only one session
 * has ever sealed with.
 *
 * Threads  a struct frame_cipher is used by one thread at a time.
 */
#ifndef CONCLAVE_FS_FRAME_H
#define CONCLAVE_FS_FRAME_H

#include "fs/aead.h"

#define FRAME_HEAD_BYTES 40
#define FRAME_ALIGN 16
#define FRAME_RECORDS_MAX ((size_t)256 << 10)
#define FRAME_BYTES_MAX (FRAME_HEAD_BYTES + FRAME_RECORDS_MAX)

struct frame_head {
	uint64_t seq;     /* from 1; the key's nonce */
	uint64_t durable; /* every frame up to this one was durable when this one was made */
	uint32_t len;     /* bytes of records */
	uint8_t tag[AEAD_TAG_BYTES];
};

struct frame_cipher {
	struct aead aead;
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
};

CV_MUST_CHECK enum cv_err frame_cipher_init(struct frame_cipher *c,
	const uint8_t key[AEAD_KEY_BYTES], const uint8_t volume_id[CV_VOLUME_ID_BYTES]);
void frame_cipher_wipe(struct frame_cipher *c);

/* Bytes in the ring of a frame with `len` bytes of records. */
static inline size_t frame_bytes(size_t len)
{
	return (FRAME_HEAD_BYTES + len + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
}

/* Writes frame_bytes(len) bytes. */
CV_MUST_CHECK enum cv_err frame_seal(struct frame_cipher *c, uint64_t seq, uint64_t durable,
	const uint8_t *records, size_t len, uint8_t *out);

/* False if no frame can have such a head. */
bool frame_head_decode(struct frame_head *h, const uint8_t in[FRAME_HEAD_BYTES]);
/* CV_ERR_SEAL if it is no frame of this session. `cipher` is what follows the head. */
CV_MUST_CHECK enum cv_err frame_open(struct frame_cipher *c, const struct frame_head *h,
	const uint8_t *cipher, uint8_t *records);

#endif
