/*
 * Extended attributes. Those of one object whose names share a hash are one item, so a name and
 * its value fit into ITEM_VALUE_MAX bytes together; all of an object into XATTR_SPACE_MAX, so that
 * a list fits what listxattr(2) can return. Every call: volume lock held.
 *
 * Errors   CV_ERR_NOT_FOUND (no such attribute), CV_ERR_EXISTS, CV_ERR_TOO_LONG (value over the
 *          limit), CV_ERR_FULL (no space in the volume or for this object), CV_ERR_ARGUMENT (name),
 *          CV_ERR_RANGE (name over 255 bytes), CV_ERR_READ_ONLY and those of the tree.
 */
#ifndef CONCLAVE_FS_XATTR_H
#define CONCLAVE_FS_XATTR_H

#include "fs/dirent_item.h"
#include "fs/inode.h"

#define XATTR_VALUE_MAX (ITEM_VALUE_MAX - XATTR_HEAD_BYTES - 1)

/* The values of setxattr(2). */
enum xattr_flags { XATTR_ONLY_NEW = 1, XATTR_ONLY_OLD = 2 };

static inline struct dir_name xattr_name(const char *text)
{
	return (struct dir_name){ text, strlen(text) };
}

/* The value into `out` of XATTR_VALUE_MAX bytes. */
CV_MUST_CHECK enum cv_err xattr_get(struct volume *v, uint64_t object, const struct dir_name *name,
	uint8_t *out, size_t *len);
/* One transaction that also sets ctime. */
CV_MUST_CHECK enum cv_err xattr_set(struct volume *v, uint64_t object, const struct dir_name *name,
	const uint8_t *value, size_t len, unsigned flags);
CV_MUST_CHECK enum cv_err xattr_remove(
	struct volume *v, uint64_t object, const struct dir_name *name);
/* All names, each with a NUL behind it, into `out` of XATTR_SPACE_MAX bytes. */
CV_MUST_CHECK enum cv_err xattr_list(struct volume *v, uint64_t object, char *out, size_t *len);

/*
 * Adds the change to a transaction; value NULL removes it (CV_ERR_NOT_FOUND if it is not there).
 * One transaction changes a name once.
 */
CV_MUST_CHECK enum cv_err xattr_stage(struct volume *v, struct txn *t, uint64_t object,
	const struct dir_name *name, const uint8_t *value, size_t len);
/* Commits it with the inode, whose ctime is set. */
CV_MUST_CHECK enum cv_err xattr_commit(struct volume *v, struct txn *t, uint64_t object,
	struct inode *inode, enum txn_class class);

#endif
