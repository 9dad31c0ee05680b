/*
 * POSIX access control lists in the form that the kernel hands over and asks for: version 2 (u32),
 * then entries of tag u16, permissions u16, id u32. They are stored as the extended attributes
 * system.posix_acl_access and system.posix_acl_default. The kernel checks access by them; to keep
 * mode and list in step, and to hand lists on to new objects, is done here.
 * Every call with a volume: lock held. CV_ERR_ARGUMENT: not a well-formed list.
 */
#ifndef CONCLAVE_FS_ACL_H
#define CONCLAVE_FS_ACL_H

#include "fs/xattr.h"

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

bool acl_valid(const uint8_t *list, size_t len);
/* The permission bits (0777) that a valid list stands for. */
uint32_t acl_mode(const uint8_t *list, size_t len);

/*
 * Sets a list, and with the access list the mode, in one transaction; `len` 0 removes it.
 * keep_setgid is false for a caller who may not keep that bit.
 */
CV_MUST_CHECK enum cv_err acl_set(struct volume *v, uint64_t object, bool is_default,
	const uint8_t *list, size_t len, bool keep_setgid);

/* A change of mode: the access list, if there is one, follows within the transaction. */
CV_MUST_CHECK enum cv_err acl_stage_mode(
	struct volume *v, struct txn *t, uint64_t object, uint32_t mode);

/*
 * A new object in `dir`: inode->mode is masked by the default list of the directory, which it
 * inherits, or by `umask` if there is none.
 */
CV_MUST_CHECK enum cv_err acl_stage_new(struct volume *v, struct txn *t, uint64_t dir,
	uint64_t object, struct inode *inode, uint32_t umask);

#endif
