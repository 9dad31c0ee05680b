/* Between check.c (the walk) and check_names.c (names against inodes). */
#ifndef CONCLAVE_FS_CHECK_STATE_H
#define CONCLAVE_FS_CHECK_STATE_H

#include "fs/state.h"

struct check_inode {
	uint64_t object;
	struct inode inode;
	uint64_t mapped;        /* blocks in MAP items */
	uint64_t last_mapped;   /* one behind the last of them; 0 if none */
	uint64_t xattr_bytes;   /* as XATTR_SPACE_MAX counts */
	uint64_t symlink_bytes; /* of the SYMLINK item */
	uint64_t entries;       /* names in this directory */
	uint64_t names;         /* names of this object */
	uint64_t subdirs;
	uint8_t orphan; /* enum orphan_kind, or 0 */
};

struct check_name {
	uint64_t dir;
	uint64_t object;
	uint8_t type;
};

struct check {
	struct volume *v;
	volume_progress *progress;
	void *user;
	struct volume_check_report *report;
	uint64_t seen_blocks;
	uint64_t *used;             /* a bit per block that something refers to */
	struct check_inode *inodes; /* ascending */
	size_t inode_count;
	size_t inode_cap;
	struct check_name *names;
	size_t name_count;
	size_t name_cap;
	uint64_t *orphans; /* pairs: object, kind; ascending */
	size_t orphan_count;
	size_t orphan_cap;
	uint8_t *block;
};

__attribute__((format(printf, 2, 3))) void check_problem(struct check *c, const char *format, ...);
/* Grows an array to hold one more; CV_ERR_MEMORY. */
CV_MUST_CHECK enum cv_err check_grow(void **array, size_t *cap, size_t count, size_t item);

/* An INODE, DIRENT, SYMLINK or ORPHAN item of the walk, in key order. */
CV_MUST_CHECK enum cv_err check_item(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len);
/* The inode that items of this object belong to, the walk being in key order; NULL: problem. */
struct check_inode *check_owner(struct check *c, uint64_t object);
/* After the walk: link counts, directories, sizes. */
void check_names(struct check *c);

#endif
