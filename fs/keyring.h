/*
 * Sealing and opening of nodes and data blocks under the data keys of a volume. A data key is
 * replaced by a fresh one after KEYRING_SEALS_MAX seals (random 96-bit nonces: the chance of a
 * repeat stays below 2^-35), but only by a checkpoint: no frame of the log may name a key that a
 * superblock does not have. Some of the 16 places are kept for a rekey of the whole volume
 * (rekey.h); with the others used up nothing can be sealed before that: CV_ERR_READ_ONLY.
 *
 * Threads  the volume's lock covers it. A struct keyring_user is one thread's own: with its keys made
 *          ready under the lock it seals and opens without.
 */
#ifndef CONCLAVE_FS_KEYRING_H
#define CONCLAVE_FS_KEYRING_H

#include "fs/aead.h"
#include "fs/item.h"
#include "fs/super.h"

#define KEYRING_SEALS_MAX ((uint64_t)1 << 31)
/* Seals that a session may have made without counting them durably; added after a crash. */
#define KEYRING_SEALS_LOST ((uint64_t)1 << 20)

struct keyring_user {
	struct aead aead[KEYRING_SLOTS];
	bool ready[KEYRING_SLOTS];
	uint64_t born[KEYRING_SLOTS]; /* a slot may get another key later */
	struct aead_random random;
	struct aead_aad data_aad;
};

struct keyring {
	struct super *super; /* borrowed: the keys and their counts are there */
	struct keyring_user own;
	struct aead_aad node_aad;
	uint64_t next_generation; /* `born` of a new key */
};

CV_MUST_CHECK enum cv_err keyring_init(struct keyring *k, struct super *super);
/* A fresh active key if it is time for one: at the beginning of a checkpoint. */
CV_MUST_CHECK enum cv_err keyring_refresh(struct keyring *k);
void keyring_wipe(struct keyring *k);

/* A fresh active key now; `rekey` may use the places that are kept. CV_ERR_READ_ONLY: none free. */
CV_MUST_CHECK enum cv_err keyring_replace(struct keyring *k, bool rekey);
/* The key `id` is needed no more. */
void keyring_forget(struct keyring *k, unsigned id);
/* What the active key may still seal is left for checkpoints: no new change may begin. */
bool keyring_full(const struct keyring *k);

CV_MUST_CHECK enum cv_err keyring_user_init(struct keyring_user *u, const struct keyring *k);
void keyring_user_wipe(struct keyring_user *u);
/* Makes key `id` ready. CV_ERR_TAMPERED if the keyring does not hold it. */
CV_MUST_CHECK enum cv_err keyring_user_ready(struct keyring_user *u, struct keyring *k, unsigned id);
/* Counts `seals` under one key, and names it. */
CV_MUST_CHECK enum cv_err keyring_reserve(struct keyring *k, uint64_t seals, uint16_t *id);
/* As the two for data below, under a key that was reserved and made ready: entry->key is set. */
CV_MUST_CHECK enum cv_err keyring_user_seal(struct keyring_user *u, struct map_entry *entry,
	const uint8_t plain[BLOCK_BYTES], uint8_t cipher[BLOCK_BYTES]);
CV_MUST_CHECK enum cv_err keyring_user_open(struct keyring_user *u, const struct map_entry *entry,
	const uint8_t cipher[BLOCK_BYTES], uint8_t plain[BLOCK_BYTES]);

/* Sets key, nonce and tag of the entry; entry->block is the caller's. */
CV_MUST_CHECK enum cv_err keyring_seal_data(struct keyring *k, struct map_entry *entry,
	const uint8_t plain[BLOCK_BYTES], uint8_t cipher[BLOCK_BYTES]);
/* CV_ERR_TAMPERED if the block is not exactly the one that the entry names. In place is allowed. */
CV_MUST_CHECK enum cv_err keyring_open_data(struct keyring *k, const struct map_entry *entry,
	const uint8_t cipher[BLOCK_BYTES], uint8_t plain[BLOCK_BYTES]);

/* Nonce, tag and ciphertext into `out`; sets key, nonce and tag of the pointer. */
CV_MUST_CHECK enum cv_err keyring_seal_node(struct keyring *k, struct node_pointer *p,
	const uint8_t page[NODE_PAGE_BYTES], uint8_t out[NODE_BYTES]);
CV_MUST_CHECK enum cv_err keyring_open_node(struct keyring *k, const struct node_pointer *p,
	const uint8_t in[NODE_BYTES], uint8_t page[NODE_PAGE_BYTES]);

#endif
