/*
 * The superblock: clear half (also the AAD), key slots, sealed half (docs/volume-format.md, 5).
 *
 * struct super holds every key of the volume: it lives in secret_alloc memory only.
 * Errors   CV_ERR_NOT_VOLUME (no magic), CV_ERR_VERSION (version, suite or feature bit not known),
 *          CV_ERR_SEAL (the sealed half does not open), CV_ERR_TAMPERED (it opened, but breaks a
 *          rule), CV_ERR_WRONG_KEY (no key slot opens).
 */
#ifndef CONCLAVE_FS_SUPER_H
#define CONCLAVE_FS_SUPER_H

#include "fs/log.h"
#include "fs/pointer.h"
#include "protocol/err.h"
#include "protocol/limits.h"

#define SUPER_SALT_BYTES 32
#define SUPER_CLEAR_BYTES 1024
#define SUPER_SEALED_BYTES (BLOCK_BYTES - SUPER_CLEAR_BYTES - AEAD_TAG_BYTES)
#define SUPER_NAME_KEY_BYTES 16

enum super_state {
	SUPER_OPEN = 0,
	SUPER_CLEAN = 1 /* written by a clean unmount: nothing follows in the log */
};

enum super_flag {
	SUPER_FULL = 1 /* made full of random bytes: nobody is to see what is in use */
};

enum key_state { KEY_EMPTY = 0, KEY_ACTIVE = 1, KEY_RETIRED = 2 };

struct key_slot {
	uint32_t kind; /* enum volume_slot_kind */
	uint32_t epoch;
	uint8_t share_set_hash[CV_HASH_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t wrapped[AEAD_KEY_BYTES];
	uint8_t tag[AEAD_TAG_BYTES];
};

struct data_key {
	uint32_t state; /* enum key_state */
	uint64_t seals;
	uint64_t born; /* generation that first had it */
	uint8_t key[AEAD_KEY_BYTES];
};

struct super_clear {
	uint32_t version;
	uint32_t suite;
	uint64_t features;           /* unknown bit: refuse */
	uint64_t features_read_only; /* unknown bit: refuse to write */
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint64_t generation;
	uint64_t blocks;
	uint8_t salt[SUPER_SALT_BYTES];
	struct key_slot slots[KEY_SLOTS];
};

struct super {
	struct super_clear clear;
	struct node_pointer root;
	struct log_descriptor log;
	uint8_t name_key[SUPER_NAME_KEY_BYTES];
	uint64_t next_object;
	uint64_t objects;     /* INODE items */
	uint64_t orphans;     /* ORPHAN items */
	uint64_t used_blocks; /* bits set in the bitmap */
	uint64_t used_groups; /* aligned groups of 4 with a bit set */
	uint64_t node_cursor; /* hints where to look for space */
	uint64_t data_cursor;
	uint32_t state; /* enum super_state */
	uint32_t active_key;
	uint64_t rekey_born; /* keys born before this generation are being replaced; 0: none */
	uint64_t flags;      /* enum super_flag */
	struct data_key keyring[KEYRING_SLOTS];
};

/* Where slot i of 4 is, in blocks. */
static inline uint64_t super_slot_block(unsigned i)
{
	return (uint64_t)i * SUPER_STRIDE_BLOCKS;
}

/* Reads the clear half; needs no key and proves nothing. */
CV_MUST_CHECK enum cv_err super_peek(struct super_clear *out, const uint8_t block[BLOCK_BYTES]);

/* Draws a fresh salt into s->clear.salt, encodes and seals. */
CV_MUST_CHECK enum cv_err super_seal(
	uint8_t block[BLOCK_BYTES], struct super *s, const uint8_t volume_key[AEAD_KEY_BYTES]);
CV_MUST_CHECK enum cv_err super_open(struct super *s, const uint8_t block[BLOCK_BYTES],
	const uint8_t volume_key[AEAD_KEY_BYTES]);
/* The plaintext of the sealed half into s, s->clear being set; everything is checked. */
CV_MUST_CHECK enum cv_err super_decode(struct super *s, const uint8_t plain[SUPER_SEALED_BYTES]);

/* Wraps the volume key under the secret into a slot; kind, epoch and hash are set by the caller. */
CV_MUST_CHECK enum cv_err super_slot_seal(struct key_slot *slot,
	const uint8_t volume_id[CV_VOLUME_ID_BYTES], const uint8_t secret[CV_SECRET_BYTES],
	const uint8_t volume_key[AEAD_KEY_BYTES]);
/* Tries every slot in turn; *index is the one that opened. Zeroes volume_key on failure. */
CV_MUST_CHECK enum cv_err super_slot_open(const struct super_clear *clear,
	const uint8_t secret[CV_SECRET_BYTES], uint8_t volume_key[AEAD_KEY_BYTES], unsigned *index);

#endif
