/*
 * Copies of the superblocks (docs/volume-format.md, 11): made, looked through, written back.
 */
#ifndef CONCLAVE_FS_HEADER_H
#define CONCLAVE_FS_HEADER_H

#include "fs/slots.h"

#define HEADER_BYTES (SUPER_SLOTS * BLOCK_BYTES)

/* A container whose superblocks come from a backup and which cannot be written. */
struct header_store {
	struct store store;
	struct store *below;
	uint8_t slot[SUPER_SLOTS][BLOCK_BYTES];
};

/* Reads a backup of HEADER_BYTES; CV_ERR_NOT_VOLUME if the file is none. `below` is borrowed. */
CV_MUST_CHECK enum cv_err header_load(
	struct header_store *h, struct store *below, const char *backup, struct volume_why *why);

struct volume_restore_options {
	const uint8_t *secret; /* CV_SECRET_BYTES, borrowed: opens the backup */
	bool accept_older;     /* go back to the backup's generation, losing what came after it */
};

struct volume_restore_report {
	uint64_t generation; /* of the backup, now that of the volume */
	uint64_t lost;	     /* newest generation that the container showed before; 0: none */
};

/*
 * Writes the backup over the superblocks of the container. Refused, with nothing written:
 *   CV_ERR_MISMATCH   the container shows the id of another volume
 *   CV_ERR_TOO_OLD    the container shows a newer generation (unless accept_older)
 *   CV_ERR_TAMPERED   the tree that the backup names is not in the container
 *   CV_ERR_WRONG_KEY, CV_ERR_BUSY and the others of volume.h
 * Cut off half-way it may leave superblocks that do not fit each other: run it again.
 */
CV_MUST_CHECK enum cv_err volume_header_restore(const char *backup, const char *path,
	const struct volume_restore_options *options, struct volume_restore_report *report,
	struct volume_why *why);

#endif
