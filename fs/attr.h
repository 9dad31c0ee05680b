/*
 * Changes of attributes: those of the inode, and what hangs on them (the access list follows the
 * mode). Volume lock held.
 */
#ifndef CONCLAVE_FS_ATTR_H
#define CONCLAVE_FS_ATTR_H

#include "fs/inode.h"

enum attr_set {
	ATTR_SET_MODE = 1,
	ATTR_SET_UID = 2,
	ATTR_SET_GID = 4,
	ATTR_SET_ATIME = 8,
	ATTR_SET_MTIME = 16,
	ATTR_SET_CTIME = 32
};

/* Fields of `from` that `set` (enum attr_set) names. */
struct attr_change {
	unsigned set;
	struct inode from;
};

/*
 * Puts the change into `inode`, which the caller puts into the same transaction; ctime is now
 * unless it is among the fields.
 */
CV_MUST_CHECK enum cv_err attr_stage(struct volume *v, struct txn *t, uint64_t object,
	struct inode *inode, const struct attr_change *change);
/* As one transaction. CV_ERR_NOT_FOUND if there is no such object. */
CV_MUST_CHECK enum cv_err attr_set(
	struct volume *v, uint64_t object, const struct attr_change *change);

#endif
