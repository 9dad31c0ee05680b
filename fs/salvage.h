/*
 * Copying out of a damaged container whatever is intact (docs/volume-format.md, 14).
 *
 * If the volume opens, its tree is walked, with what the log holds. For what cannot be reached, or
 * if there is no root at all, every place of the container where a node may lie is opened under every
 * data key that a superblock or a header backup gives; of each item the newest is taken, unless a
 * newer leaf that covers its place is without it.
 *
 * Memory   128 bytes for each leaf that a search finds, 40 for each file with several names, and a
 *          cache of 32 MiB; the items themselves are in a temporary file beside the copies, sealed
 *          under a key that is never written.
 */
#ifndef CONCLAVE_FS_SALVAGE_H
#define CONCLAVE_FS_SALVAGE_H

#include "fs/volume.h"

struct volume_salvage_options {
	const uint8_t *secret; /* CV_SECRET_BYTES, borrowed */
	const char *header;    /* a header backup, or NULL */
	bool partial;          /* write NAME.partial and NAME.partial.holes for a damaged file */
	volume_progress *progress;
	void *user; /* of both */
	/* One line for each thing that is not intact; path is as in the volume, or lost+found/N. */
	void (*problem)(void *user, const char *path, const char *what);
};

struct volume_salvage_report {
	uint64_t generation; /* of the tree that was walked; 0: none could be */
	bool searched;       /* the container was searched for nodes */
	uint64_t leaves;     /* that the search found */
	uint64_t files;      /* written whole */
	uint64_t dirs;
	uint64_t symlinks;
	uint64_t links; /* further names */
	uint64_t specials;
	uint64_t bytes;
	uint64_t lost_found; /* objects without a name that is left */
	uint64_t partial;    /* files written in part */
	uint64_t damaged;    /* files, names and directories that are lost or not whole */
	uint64_t skipped;    /* not written: the name was taken, or the host refused */
};

/*
 * Copies into the directory `dir`, which is made if it is not there. Never overwrites: what exists is
 * left as it is and counted; directories are joined. The container is only read. CV_OK: everything
 * that the volume had came out; CV_ERR_TAMPERED: the report says what did not. Other errors: nothing
 * could be done, or not the rest (`why`). CV_ERR_WRONG_KEY, CV_ERR_NOT_VOLUME (also: no superblock is
 * left, and no header backup was given), CV_ERR_BUSY.
 */
CV_MUST_CHECK enum cv_err volume_salvage(const char *path, const char *dir,
	const struct volume_salvage_options *options, struct volume_salvage_report *report,
	struct volume_why *why);

#endif
