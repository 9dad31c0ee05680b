/*
 * What the kernel may keep of files that are open for writing.
 *
 * With writeback cache it has the say over their size and times and may hold bytes that have not
 * come here. Three things would be untrue then, and are seen to: blocks of a file that has none yet,
 * where holes are (op_lseek), and that there is room. A write(2) into the cache asks for the
 * attributes of its file when they are in doubt, and such a question names the descriptor: after
 * cached bytes of the file found no room it gets ENOSPC for an answer, once, and so does the write.
 * (A read of the last bytes through the same descriptor asks, too.)
 */
#ifndef CONCLAVE_FS_MOUNT_CACHE_H
#define CONCLAVE_FS_MOUNT_CACHE_H

#include "fs/mount_ops.h"

/* The descriptor may write. */
bool mount_may_write(const struct fuse_file_info *fi);
/* Counts a writer and says how the kernel may cache what is read and written; lock held. */
void mount_opened(struct mount *m, uint64_t object, struct fuse_file_info *fi);
/* The attributes as the kernel shall have them, and for how long; lock held. */
void mount_stat(struct mount *m, uint64_t object, const struct inode *inode, struct stat *st,
	double *timeout);
/*
 * The attributes are asked for by a descriptor that may write (`fi`, else NULL), and cached bytes
 * found no room since it was asked last; lock held.
 */
bool mount_failed(struct mount *m, uint64_t object, const struct fuse_file_info *fi);

#endif
