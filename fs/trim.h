/* Giving the space of free blocks back to what the container lies on. */
#ifndef CONCLAVE_FS_TRIM_H
#define CONCLAVE_FS_TRIM_H

#include "fs/volume.h"

struct volume_trim_report {
	uint64_t bytes;  /* given back, also what was given back before */
	uint64_t ranges; /* runs of blocks */
};

/*
 * Punches holes into the container (BLKDISCARD on a device) where no block is in use; a block that
 * either of the two newest durable trees or the log refers to is never touched. Whoever sees the
 * container sees afterwards which blocks are in use, so a volume that was made full refuses
 * (CV_ERR_ARGUMENT) unless `force`. May run while the volume is in use; the lock is let go between
 * regions of 64 MiB. CV_ERR_NOT_SUPPORTED: the container cannot. Progress counts bytes.
 */
CV_MUST_CHECK enum cv_err volume_trim(struct volume *volume, bool force, volume_progress *progress,
	void *user, struct volume_trim_report *report, struct volume_why *why);

#endif
