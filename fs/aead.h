/*
 * AES-256-GCM for blocks and nodes, and the key derivations of the volume.
 *
 * Source   SP 800-38D, RFC 5869 (HKDF-SHA-256), OpenSSL EVP. Labels: docs/volume-format.md, 4.
 * Threads  one struct aead per thread and key: a context is not shared.
 * Timing   OpenSSL's AES-GCM is constant-time in software and in hardware.
 */
#ifndef CONCLAVE_FS_AEAD_H
#define CONCLAVE_FS_AEAD_H

#include <openssl/evp.h>

#include "fs/layout.h"
#include "protocol/err.h"
#include "protocol/limits.h"

#define AEAD_AAD_MAX 128

struct aead {
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
};

/* The AAD of a run of blocks: the label and the volume id stay, the block number changes. */
struct aead_aad {
	uint8_t bytes[AEAD_AAD_MAX];
	size_t len;
};

struct aead_random {
	uint8_t bytes[AEAD_NONCE_BYTES * 256];
	size_t used;
};

/* The key schedule is made once. */
CV_MUST_CHECK enum cv_err aead_init(struct aead *a, const uint8_t key[AEAD_KEY_BYTES]);
void aead_wipe(struct aead *a);

/* plain and cipher may be the same buffer. */
CV_MUST_CHECK enum cv_err aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_BYTES],
	const uint8_t *aad, size_t aad_len, const uint8_t *plain, size_t len, uint8_t *cipher,
	uint8_t tag[AEAD_TAG_BYTES]);
/* CV_ERR_SEAL if the tag does not hold; plain is then zeroed. */
CV_MUST_CHECK enum cv_err aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_BYTES],
	const uint8_t *aad, size_t aad_len, const uint8_t *cipher, size_t len,
	const uint8_t tag[AEAD_TAG_BYTES], uint8_t *plain);

/* A fresh random nonce out of a buffer of them; the buffer is filled when r->used is at its end. */
CV_MUST_CHECK enum cv_err aead_nonce(struct aead_random *r, uint8_t nonce[AEAD_NONCE_BYTES]);
void aead_random_init(struct aead_random *r);

/* lp(label, volume id, block); label is one of the two below. */
#define AEAD_LABEL_NODE "conclave-vol-node-v1"
#define AEAD_LABEL_DATA "conclave-vol-data-v1"
CV_MUST_CHECK enum cv_err aead_aad_init(
	struct aead_aad *aad, const char *label, const uint8_t volume_id[CV_VOLUME_ID_BYTES]);
void aead_aad_block(struct aead_aad *aad, uint64_t block);

/* KEK of a key slot: HKDF(secret, salt = volume id, lp(label, volume id, kind, epoch)). */
CV_MUST_CHECK enum cv_err aead_slot_key(uint8_t kek[AEAD_KEY_BYTES],
	const uint8_t secret[CV_SECRET_BYTES], const uint8_t volume_id[CV_VOLUME_ID_BYTES],
	uint32_t kind, uint32_t epoch);
/* Key of the sealed half of a superblock: HKDF(volume key, salt, lp(label, volume id)). */
CV_MUST_CHECK enum cv_err aead_super_key(uint8_t key[AEAD_KEY_BYTES],
	const uint8_t volume_key[AEAD_KEY_BYTES], const uint8_t salt[32],
	const uint8_t volume_id[CV_VOLUME_ID_BYTES]);

#endif
