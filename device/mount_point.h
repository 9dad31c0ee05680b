/*
 * The kernel's half of the mount: /dev/fuse opened and mounted before the volume process starts,
 * so that this process needs no power. As root by mount(2); for others through fusermount3.
 */
#ifndef CONCLAVE_DEVICE_MOUNT_POINT_H
#define CONCLAVE_DEVICE_MOUNT_POINT_H

#include <stdbool.h>

#include "protocol/err.h"

struct mount_options {
	bool read_only;
	bool allow_other; /* root's mounts are for everybody, under the volume's modes */
	unsigned long flags; /* of mount(2), without MS_RDONLY */
	const char *source;  /* what the table of mounts shows: the container */
};

/* What can be known before: the directory is there, and FUSE. Prints. */
CV_MUST_CHECK enum cv_err mount_point_check(const char *path);
/* *fd is the mounted /dev/fuse. CV_ERR_FUSE, CV_ERR_NOT_FOUND (no such directory); prints. */
CV_MUST_CHECK enum cv_err mount_point_attach(
	int *fd, const char *path, const struct mount_options *options);
/* True if a mount is there with nobody behind it. */
bool mount_point_is_dead(const char *path);
/*
 * Unmounts. Returns after the kernel has written everything to the volume process. CV_ERR_BUSY:
 * in use, nothing changed. `lazy` takes it out of sight at once and ends it with its last user.
 */
CV_MUST_CHECK enum cv_err mount_point_detach(const char *path, bool lazy);

#endif
