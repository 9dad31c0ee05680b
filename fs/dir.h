/*
 * Directories and names. Permissions are the kernel's part (default_permissions); this layer keeps
 * the tree whole. Every call: volume lock held; one transaction each.
 *
 * Errors   CV_ERR_NOT_FOUND, CV_ERR_EXISTS, CV_ERR_NOT_DIR, CV_ERR_IS_DIR, CV_ERR_NOT_EMPTY,
 *          CV_ERR_NAME_LONG, CV_ERR_LINKS, CV_ERR_ARGUMENT, CV_ERR_FULL, CV_ERR_READ_ONLY and those
 *          of the tree.
 */
#ifndef CONCLAVE_FS_DIR_H
#define CONCLAVE_FS_DIR_H

#include "fs/dirent_item.h"
#include "fs/inode.h"

#define LINKS_MAX 0x7fffffffu

struct dir_new {
	uint32_t mode; /* with the file type */
	uint32_t uid;
	uint32_t gid;
	uint64_t rdev;
	uint32_t umask; /* taken from the mode if no default access list says more */
	const char *target; /* of a symlink: 1 .. 4095 bytes, NUL-terminated */
};

enum dir_rename_flags { DIR_RENAME_NOREPLACE = 1, DIR_RENAME_EXCHANGE = 2 };

CV_MUST_CHECK enum cv_err dir_lookup(
	struct volume *v, uint64_t dir, const struct dir_name *name, uint64_t *object);
CV_MUST_CHECK enum cv_err dir_create(struct volume *v, uint64_t dir, const struct dir_name *name,
	const struct dir_new *new, uint64_t *object);
CV_MUST_CHECK enum cv_err dir_link(
	struct volume *v, uint64_t object, uint64_t dir, const struct dir_name *name);

/*
 * *gone is the object if that was its last name, else 0: its ORPHAN item is there, and reap_object
 * frees it once nobody uses it.
 */
CV_MUST_CHECK enum cv_err dir_unlink(
	struct volume *v, uint64_t dir, const struct dir_name *name, uint64_t *gone);
CV_MUST_CHECK enum cv_err dir_rmdir(
	struct volume *v, uint64_t dir, const struct dir_name *name, uint64_t *gone);
/* *gone: what the new name stood for before, as above. */
CV_MUST_CHECK enum cv_err dir_rename(struct volume *v, uint64_t dir, const struct dir_name *name,
	uint64_t to_dir, const struct dir_name *to_name, unsigned flags, uint64_t *gone);

/* The target, NUL-terminated, into out of SYMLINK_MAX + 1 bytes. */
CV_MUST_CHECK enum cv_err dir_readlink(struct volume *v, uint64_t object, char *out);

/*
 * Names from `cookie` on (0: from the start) in a fixed order that changes elsewhere do not
 * disturb;
 * "." and ".." come first. `index` counts the names that share one cookie `next`: all of them or
 * none may be handed on. A result other than 0 stops. It may look things up, but change nothing.
 */
typedef int dir_entry(void *user, const struct dir_name *name, uint64_t object, uint32_t type,
	uint64_t next, unsigned index);
CV_MUST_CHECK enum cv_err dir_read(
	struct volume *v, uint64_t dir, uint64_t cookie, dir_entry *entry, void *user);

/* Used by dir.c and dir_rename.c: loads a directory that still has a name. */
CV_MUST_CHECK enum cv_err dir_get(struct volume *v, uint64_t dir, struct inode *inode);
/* Takes one name off an inode: counts, and the ORPHAN item if it was the last. */
void dir_drop_link(struct txn *t, uint64_t object, struct inode *inode, uint64_t *gone);

#endif
