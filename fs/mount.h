/*
 * A volume behind a FUSE descriptor that is mounted already. Worker threads serve requests until
 * the mount goes away; every request holds the volume's lock while it works.
 *
 * The kernel checks permissions (mount with default_permissions) and may cache without end: nobody
 * else changes a volume. Writeback cache is off.
 */
#ifndef CONCLAVE_FS_MOUNT_H
#define CONCLAVE_FS_MOUNT_H

#include "fs/volume.h"

struct mount;

/*
 * Takes the descriptor over (libfuse's "/dev/fd/N"). Opens files of its own, so it comes before
 * the sandbox; nothing is served yet. CV_ERR_FUSE.
 */
CV_MUST_CHECK enum cv_err mount_new(struct mount **out, int fuse_fd, struct volume_why *why);

/*
 * Starts serving. `ready_fd` (an eventfd) is written to when the kernel's INIT was answered,
 * `ended_fd` when the mount is gone and every worker is about to end. The volume stays the
 * caller's, who must not close it before mount_join.
 */
CV_MUST_CHECK enum cv_err mount_start(
	struct mount *m, struct volume *volume, int ready_fd, int ended_fd);
/* Waits for the workers: call it once ended_fd was signalled. */
void mount_join(struct mount *m);
void mount_free(struct mount *m);

#endif
