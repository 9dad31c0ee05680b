/* Between the parts of salvage: keys, search, the items that were found, and writing them out. */
#ifndef CONCLAVE_FS_SALVAGE_STATE_H
#define CONCLAVE_FS_SALVAGE_STATE_H

#include "fs/header.h"
#include "fs/salvage.h"
#include "fs/state.h"

#define SALVAGE_SUPERS (2 * SUPER_SLOTS) /* of the container and of a backup */
#define SALVAGE_PATH_MAX 4096

/* What the superblocks that open give; secret memory. */
struct salvage_keys {
	struct super super[SALVAGE_SUPERS]; /* newest first */
	struct keyring ring[SALVAGE_SUPERS];
	bool distinct[SALVAGE_SUPERS]; /* its keyring has what no ring before it has */
	unsigned count;
};

/* Keys from `low`, included, to `high`, excluded. */
struct key_range {
	struct item_key low;
	struct item_key high;
};

/* A leaf that the search found. */
struct found_leaf {
	uint64_t generation;
	struct node_pointer ptr;
	unsigned ring;
	struct key_range keys; /* high: the last key, included */
};

struct ranges {
	struct key_range *range;
	size_t count;
	size_t cap;
};

/* Where the items are gathered: a tree over a temporary file under a key of its own. */
struct scratch {
	struct store_file file;
	struct super *super; /* secret memory; for the keyring */
	struct keyring ring;
	struct tree tree;
	uint64_t next_block;
	uint64_t generation;
};

struct link_path {
	uint64_t object;
	char *path;
};

struct salvage {
	const struct volume_salvage_options *options;
	struct volume_salvage_report *report;
	struct volume_why *why;
	int fd; /* container */
	struct store_file file;
	struct header_store header;
	struct store *store; /* that of the volume that opens, or the file */
	struct salvage_keys *keys;
	uint64_t blocks; /* of the volume */
	struct scratch items;
	struct ranges missing; /* places that the walk could not look at */
	struct ranges painted; /* places that newer leaves have spoken for; high is included */
	struct found_leaf *leaf;
	size_t leaf_count;
	size_t leaf_cap;
	bool searched;
	int out_fd; /* the directory written to */
	struct link_path *links;
	size_t link_count;
	size_t link_cap;
	uint8_t cipher[BLOCK_BYTES];
	uint8_t plain[BLOCK_BYTES];
	char path[SALVAGE_PATH_MAX]; /* of what is at hand */
};

/* salvage_keys.c: every superblock that opens. */
CV_MUST_CHECK enum cv_err salvage_keys_gather(struct salvage *s);
void salvage_keys_wipe(struct salvage_keys *k);
/* A data block under whichever keyring opens it, into s->plain. */
CV_MUST_CHECK enum cv_err salvage_open_block(struct salvage *s, const struct map_entry *e);

/* salvage_search.c: fills s->leaf, newest first. */
CV_MUST_CHECK enum cv_err salvage_search(struct salvage *s);
CV_MUST_CHECK enum cv_err salvage_read_leaf(
	struct salvage *s, const struct found_leaf *leaf, struct node *n);

/* salvage_items.c */
CV_MUST_CHECK enum cv_err scratch_open(struct scratch *x, int dir_fd);
void scratch_close(struct scratch *x);
/* Takes the item unless there is one, or it is of no use to a copy. */
CV_MUST_CHECK enum cv_err scratch_add(
	struct scratch *x, const struct item_key *key, const uint8_t *value, size_t len);
bool ranges_hold(const struct ranges *r, const struct item_key *key);
CV_MUST_CHECK enum cv_err ranges_append(struct ranges *r, const struct key_range *range);
/* Keeps r sorted and its ranges (high included) apart. */
CV_MUST_CHECK enum cv_err ranges_paint(struct ranges *r, const struct key_range *range);
bool ranges_painted(const struct ranges *r, const struct item_key *key);
/* An object that needs no more writing: done, or unlinked in the volume itself. */
bool scratch_is_done(struct scratch *x, uint64_t object);
CV_MUST_CHECK enum cv_err scratch_done(struct scratch *x, uint64_t object);
CV_MUST_CHECK enum cv_err scratch_inode(struct scratch *x, uint64_t object, struct inode *inode);

/* salvage_names.c: the tree of names, then what has no name. */
CV_MUST_CHECK enum cv_err salvage_write_all(struct salvage *s);
void salvage_problem(struct salvage *s, uint64_t *counter, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* salvage_files.c: the content of a file; attributes of anything. */
CV_MUST_CHECK enum cv_err salvage_file(struct salvage *s, int dir_fd, const char *name,
	uint64_t object, const struct inode *inode);
void salvage_attributes(struct salvage *s, int dir_fd, const char *name, uint64_t object,
	const struct inode *inode);

#endif
