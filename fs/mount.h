/*
 * A volume behind a FUSE descriptor that is mounted already. Worker threads serve requests until
 * the mount goes away; every request holds the volume's lock while it works on the tree.
 *
 * The kernel checks permissions (mount with default_permissions) and may cache without end: nobody
 * else changes a volume. With writeback cache writes are gathered there, too: the kernel then has
 * the say over size and times of open files (mount_file.c).
 */
#ifndef CONCLAVE_FS_MOUNT_H
#define CONCLAVE_FS_MOUNT_H

#include "fs/volume.h"

struct mount;
struct counters;

struct mount_options {
	bool no_writeback; /* each write(2) is a request of its own */
	bool atime;	/* keep access times, as relatime does */
	bool save_power; /* requests may take longer */
	bool log_paths; /* a log line names a file by its path, not by its inode alone */
};

/*
 * Takes the descriptor over (libfuse's "/dev/fd/N"). Opens files of its own, so it comes before
 * the sandbox; nothing is served yet. `point` is where it is mounted, NULL if that is not known.
 * CV_ERR_FUSE.
 */
CV_MUST_CHECK enum cv_err mount_new(struct mount **out, int fuse_fd, const char *point,
	const struct mount_options *options, struct volume_why *why);

/*
 * Starts serving. `ready_fd` (an eventfd) is written to when the kernel's INIT was answered,
 * `ended_fd` when the mount is gone and every worker is about to end. The volume stays the
 * caller's, who must not close it before mount_join.
 */
CV_MUST_CHECK enum cv_err mount_start(
	struct mount *m, struct volume *volume, int ready_fd, int ended_fd);
/* Waits for the workers: call it once ended_fd was signalled. */
void mount_join(struct mount *m);
/*
 * Once nobody can enter the mount any more: lets the workers serve what the kernel still has for
 * them, at most patience_ms long, and end. False if requests kept coming; the workers go on then.
 */
bool mount_drain(struct mount *m, uint64_t patience_ms);
/*
 * Before mount_drain, while the workers run: from now on no content is read, and what the kernel
 * has cached of files that programs hold open is taken from it. Names and attributes it may keep.
 */
void mount_hide(struct mount *m);
/* What was done so far; lives as long as the mount. */
struct counters *mount_counters(struct mount *m);
/* The last EIO as one line with the path of the file, "" if there was none. Takes the lock. */
#define MOUNT_ERROR_MAX 512
void mount_last_error(struct mount *m, char out[MOUNT_ERROR_MAX]);
void mount_free(struct mount *m);

#endif
