/*
 * What the kernel may keep of files that are open for writing.
 *
 * With writeback cache it has the say over their size and times and may hold bytes that have not
 * come here. Three things would be untrue then, and are seen to: blocks of a file that has none yet,
 * where holes are (op_lseek), and that there is room. A write(2) into the cache asks for the
 * attributes of its file when they are not known for sure, and only such a question names an open
 * file: in a full volume it gets ENOSPC for an answer, and so does the write.
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
/* There is no room for what is about to be written into the cache; lock held. */
bool mount_full(struct mount *m);

#endif
