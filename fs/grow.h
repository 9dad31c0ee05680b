/* Making a volume larger, while it is in use or not. */
#ifndef CONCLAVE_FS_GROW_H
#define CONCLAVE_FS_GROW_H

#include "fs/volume.h"

/*
 * The volume gets `size_bytes` (rounded down to 16384; 0: the size that its container has now). A
 * container that is a file is made longer if it must be; a device must have grown before. What is
 * added to a volume that was made full is filled with random bytes first. Durable on CV_OK; after
 * an error or a power cut the volume has its old size or the new one, and everything in it.
 * CV_ERR_RANGE: smaller than it is, beyond 64 TiB or beyond the device. Progress counts bytes.
 */
CV_MUST_CHECK enum cv_err volume_grow(struct volume *volume, uint64_t size_bytes,
	volume_progress *progress, void *user, struct volume_why *why);

uint64_t volume_size(const struct volume *volume);

#endif
