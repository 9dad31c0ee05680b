/*
 * Inodes as items, and the attributes that a program sees.
 * Every call: volume lock held; CV_ERR_NOT_FOUND if there is no such object.
 */
#ifndef CONCLAVE_FS_INODE_H
#define CONCLAVE_FS_INODE_H

#include <sys/stat.h>

#include "fs/state.h"
#include "fs/txn.h"

void inode_now(struct item_time *t);
CV_MUST_CHECK enum cv_err inode_get(struct volume *v, uint64_t object, struct inode *inode);
/* A change of content: mtime, ctime and the change counter. */
void inode_modified(struct inode *inode);
/* A change of attributes: ctime and the change counter. */
void inode_changed(struct inode *inode);

void inode_stat(struct stat *st, uint64_t object, const struct inode *inode);

#endif
