/*
 * One DIRENT item as a buffer: the names of a directory that share a hash. Nearly always it is one
 * name; every operation works on the whole item, so that shared hashes need no case of their own.
 */
#ifndef CONCLAVE_FS_DIRENT_ITEM_H
#define CONCLAVE_FS_DIRENT_ITEM_H

#include "fs/state.h"
#include "fs/txn.h"

struct dir_name {
	const char *bytes; /* not NUL-terminated */
	size_t len;
};

struct dirent_item {
	struct item_key key;
	size_t len;
	unsigned names;
	uint8_t value[DIRENT_NAMES_MAX * (DIRENT_HEAD_BYTES + NAME_BYTES_MAX)];
};

/* CV_ERR_NAME_LONG over 255 bytes, CV_ERR_ARGUMENT for "", ".", "..", '/' or NUL inside. */
CV_MUST_CHECK enum cv_err dir_name_check(const struct dir_name *name);
/* SipHash-2-4 under the volume's name key, its upper 62 bits. */
uint64_t dir_name_hash(const struct volume *v, const struct dir_name *name);

/* The item in which `name` is or would be; empty if there is none. */
CV_MUST_CHECK enum cv_err dirent_item_load(
	struct volume *v, uint64_t dir, const struct dir_name *name, struct dirent_item *item);
/* CV_ERR_NOT_FOUND. d->name points into the item. */
CV_MUST_CHECK enum cv_err dirent_item_find(
	const struct dirent_item *item, const struct dir_name *name, struct name_entry *d);
/* The name must be there. */
void dirent_item_remove(struct dirent_item *item, const struct dir_name *name);
/* CV_ERR_FULL if DIRENT_NAMES_MAX names have this hash already. */
CV_MUST_CHECK enum cv_err dirent_item_add(
	struct dirent_item *item, const struct dir_name *name, uint64_t object, uint32_t mode);
/* The name keeps its place and names another object. */
void dirent_item_point(
	struct dirent_item *item, const struct dir_name *name, uint64_t object, uint32_t mode);
void dirent_item_store(struct txn *t, const struct dirent_item *item);

#endif
