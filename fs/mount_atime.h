/*
 * Access times, for those who ask for them (-o atime): as relatime, so a read moves the time only
 * if it is not after the last change, or a day old. Without the option nothing here does anything.
 */
#ifndef CONCLAVE_FS_MOUNT_ATIME_H
#define CONCLAVE_FS_MOUNT_ATIME_H

#include "fs/mount_ops.h"

/* The file was read through a descriptor with these flags. Volume lock held. */
void mount_atime(struct mount *m, uint64_t object, int flags);

/*
 * At an open: a read would move the time. Then the kernel must not answer it from its cache, or
 * nobody here would see it. Takes the lock.
 */
bool mount_atime_due(fuse_req_t req, uint64_t object, int flags);

#endif
