/*
 * New keys for a whole volume, in use or not (docs/volume-format.md, 13).
 *
 * A rekey begins with one checkpoint: a fresh data key becomes the active one and, if the secrets
 * of the key slots are at hand, a fresh volume key replaces the old. From then on everything is
 * sealed under the new key; slices read what is under an older one and write it anew. Where the
 * work stands is in the tree itself, so it goes on after a crash where it was. Once nothing is under
 * an older key, those are dropped.
 *
 * What the old keys opened is gone from the volume's tree then, but not from free blocks of the
 * container: an attacker who had the old keys and copies the container may find old ciphertext there
 * until it is overwritten or trimmed.
 */
#ifndef CONCLAVE_FS_REKEY_H
#define CONCLAVE_FS_REKEY_H

#include "fs/rewrite.h"

struct volume_rekey_options {
	/* CV_SECRET_BYTES each, borrowed: one for each key slot; 0 of them: data keys only */
	const uint8_t *secrets[VOLUME_KEY_SLOTS];
	unsigned secret_count;
	bool drop_others; /* key slots that none of the secrets opens are dropped */
};

struct volume_rekey_report {
	unsigned kept;	      /* key slots that open the new volume key; 0: it was not changed */
	unsigned dropped;     /* key slots that are gone */
	uint64_t blocks;      /* data blocks sealed anew by this call */
	uint64_t nodes;	      /* nodes that had to be written for their own sake */
	uint64_t damaged;     /* blocks that do not open: they keep the old keys alive */
	unsigned keys_dropped;
};

/* Passes over the tree; kept by whoever runs the slices. */
struct rekey {
	struct rewrite pass;
	uint64_t seen_before; /* pass.seen when this pass began */
	bool done;
	struct volume_rekey_report *report;
};

/* True from volume_rekey_begin on until the old keys are dropped, over crashes. */
bool volume_rekey_runs(struct volume *volume);

/*
 * Begins. With secrets nobody else may be at work on the volume. CV_ERR_BUSY: one is under way.
 * CV_ERR_ARGUMENT: a key slot would be lost and drop_others is not set, or no slot would be left;
 * `why` names the slots. CV_ERR_READ_ONLY: no free place for a key.
 */
CV_MUST_CHECK enum cv_err volume_rekey_begin(struct volume *volume,
	const struct volume_rekey_options *options, struct volume_rekey_report *report,
	struct volume_why *why);

/*
 * Works on the rekey that was begun until it is done. rate: bytes a second, 0 = as fast as it goes;
 * the lock is let go between slices. Progress counts blocks of one pass; stopped or failed, the
 * next call goes on. CV_ERR_TAMPERED: it cannot end because blocks are damaged. CV_ERR_FULL: there
 * is no free space to write to.
 */
CV_MUST_CHECK enum cv_err volume_rekey_run(struct volume *volume, uint64_t rate,
	volume_progress *progress, void *user, struct volume_rekey_report *report,
	struct volume_why *why);

/* One slice (rewrite.h), volume lock held. *blocks: how many were written. */
CV_MUST_CHECK enum cv_err rekey_slice(struct volume *v, struct rekey *r, uint64_t *blocks);

#endif
