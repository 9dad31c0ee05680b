/*
 * The four superblock slots as one: which of them counts (docs/volume-format.md, 9).
 *
 * Checkpoint g writes slot g mod 2, flushes, writes the same bytes to slot 2 + g mod 2, flushes. So
 * a power cut leaves at most one unreadable slot and few patterns of generations; any other pattern
 * is damage.
 */
#ifndef CONCLAVE_FS_SLOTS_H
#define CONCLAVE_FS_SLOTS_H

#include "fs/store.h"
#include "fs/super.h"
#include "fs/volume.h"

struct slots {
	uint8_t block[SUPER_SLOTS][BLOCK_BYTES];
	enum cv_err peek[SUPER_SLOTS]; /* CV_OK: form and version are known */
	struct super_clear clear[SUPER_SLOTS];
	bool opened[SUPER_SLOTS]; /* the sealed half opened, too */
	unsigned newest;          /* index of the slot that counts */
	bool repair;              /* the slots of the newest pair differ */
};

/* Reads and peeks. CV_ERR_NOT_VOLUME, CV_ERR_VERSION if no slot is one that this version knows. */
CV_MUST_CHECK enum cv_err slots_read(struct slots *s, struct store *store, struct volume_why *why);
/* The slot with the highest generation among those that peek well, without any key. */
unsigned slots_newest_unproven(const struct slots *s);

/*
 * Opens with a secret: the volume key, the superblock that counts and the key slot that opened.
 * *notice (may stay empty) says what was odd. CV_ERR_WRONG_KEY, CV_ERR_TAMPERED.
 */
CV_MUST_CHECK enum cv_err slots_open(struct slots *s, const uint8_t secret[CV_SECRET_BYTES],
	bool accept_older, struct super *super, uint8_t volume_key[AEAD_KEY_BYTES],
	unsigned *key_slot, struct volume_why *why, struct volume_why *notice);

#endif
