/* The file or block device that a volume is in. */
#ifndef CONCLAVE_FS_CONTAINER_H
#define CONCLAVE_FS_CONTAINER_H

#include <stdbool.h>

#include "fs/volume.h"

/*
 * Opens and locks a container that exists: flock LOCK_SH for read_only, else LOCK_EX, without
 * waiting; a block device that is to be written is claimed, too. The errors are those of volume.h;
 * `why` names the container.
 */
CV_MUST_CHECK enum cv_err container_open(
	int *out, const char *path, bool read_only, struct volume_why *why);

#endif
