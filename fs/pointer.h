/* A node pointer: where a node is and under what exactly it opens. 48 bytes on disk. */
#ifndef CONCLAVE_FS_POINTER_H
#define CONCLAVE_FS_POINTER_H

#include "fs/layout.h"

#define POINTER_BYTES 48

struct node_pointer {
	uint64_t block;
	uint64_t generation;
	uint16_t key;
	uint8_t level;
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t tag[AEAD_TAG_BYTES];
};

static inline void pointer_encode(uint8_t out[POINTER_BYTES], const struct node_pointer *p)
{
	put_le48(out, p->block);
	put_le16(out + 6, p->key);
	put_le64(out + 8, p->generation);
	memcpy(out + 16, p->nonce, AEAD_NONCE_BYTES);
	memcpy(out + 28, p->tag, AEAD_TAG_BYTES);
	out[44] = p->level;
	memset(out + 45, 0, 3);
}

/* Takes the bytes apart; pointer_valid judges them. */
static inline void pointer_decode(struct node_pointer *p, const uint8_t in[POINTER_BYTES])
{
	p->block = le48(in);
	p->key = le16(in + 6);
	p->generation = le64(in + 8);
	memcpy(p->nonce, in + 16, AEAD_NONCE_BYTES);
	memcpy(p->tag, in + 28, AEAD_TAG_BYTES);
	p->level = in[44];
}

/* In form: inside a volume of `blocks`, aligned, a key id that exists, reserved bytes zero. */
static inline bool pointer_valid(const uint8_t in[POINTER_BYTES], uint64_t blocks)
{
	uint64_t block = le48(in);

	return block != 0 && block % NODE_BLOCKS == 0 && block <= BLOCK_NUMBER_MAX &&
	       block + NODE_BLOCKS <= blocks && le16(in + 6) < KEYRING_SLOTS &&
	       all_zero(in + 45, 3);
}

#endif
