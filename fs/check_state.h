/* Between check.c (the walk), check_items.c, check_names.c and check_space.c. */
#ifndef CONCLAVE_FS_CHECK_STATE_H
#define CONCLAVE_FS_CHECK_STATE_H

#include "fs/check.h"
#include "fs/state.h"

/* What is remembered of every object: ascending by number. */
struct check_object {
	uint64_t object;
	uint64_t parent; /* of a directory */
	uint32_t links;
	uint32_t names; /* found so far */
	uint8_t type;   /* of the mode, >> 12 */
	uint8_t orphan; /* enum orphan_kind, or 0 */
};

/* The object whose items the walk is passing. */
struct check_current {
	bool known; /* it has an inode */
	uint64_t object;
	struct inode inode;
	uint64_t mapped;        /* blocks in MAP items */
	uint64_t last_mapped;   /* one behind the last of them; 0 if none */
	uint64_t xattr_bytes;   /* as XATTR_SPACE_MAX counts */
	uint64_t symlink_bytes; /* of the SYMLINK item */
	uint64_t entries;       /* names in this directory */
	uint64_t subdirs;
};

struct check_listed {
	uint64_t object;
	uint64_t block;
	uint64_t dir; /* where its name is, once found */
	uint8_t name_len;
	char name[NAME_BYTES_MAX];
	char text[160];
};

/* Objects whose items may lie below a node that does not open: `to` is included. */
struct check_gap {
	uint64_t from;
	uint64_t to;
};

struct check {
	struct volume *v;
	const struct volume_check_options *options;
	struct volume_check_report *report;
	uint64_t seen_blocks;
	uint64_t **used; /* by region, a bit per block that something refers to; NULL: none */
	struct check_object *objects;
	size_t object_count;
	size_t object_cap;
	struct check_current now;
	struct check_gap *gaps;
	size_t gap_count;
	size_t gap_cap;
	uint64_t *orphans; /* pairs: object, kind; ascending */
	size_t orphan_count;
	size_t orphan_cap;
	struct check_listed *listed;
	size_t listed_count;
	uint8_t *block; /* MAP_BLOCKS blocks */
};

/* object 0: the volume; block 0: none. */
__attribute__((format(printf, 4, 5))) void check_problem(
	struct check *c, uint64_t object, uint64_t block, const char *format, ...);
/* Grows an array to hold one more; CV_ERR_MEMORY. */
CV_MUST_CHECK enum cv_err check_grow(void **array, size_t *cap, size_t count, size_t item);
/* Items of the object may be lost with a node: what is missing of it is no news. */
bool check_in_gap(const struct check *c, uint64_t object);

/* check_space.c: something refers to these blocks; CV_ERR_TIMEOUT if the caller stops it. */
CV_MUST_CHECK enum cv_err check_refer(
	struct check *c, uint64_t object, uint64_t first, uint64_t count, const char *what);
/* The stored bits against what the walk has seen. */
CV_MUST_CHECK enum cv_err check_space(struct check *c);

/* check_items.c: the items of a leaf, in key order; and the end of an object. */
CV_MUST_CHECK enum cv_err check_item(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len);
void check_end_object(struct check *c);
/* check_content.c */
CV_MUST_CHECK enum cv_err check_map(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len);

/* check_names.c: after the walk: every name against its object, and links against names. */
CV_MUST_CHECK enum cv_err check_names(struct check *c);
/* Tells what was listed, with paths. */
CV_MUST_CHECK enum cv_err check_tell(struct check *c);

#endif
