/*
 * The items of the tree: their keys, the bytes of their values, and the rules that both keep
 * (docs/volume-format.md, 7). Everything read from a node has been through item_valid.
 */
#ifndef CONCLAVE_FS_ITEM_H
#define CONCLAVE_FS_ITEM_H

#include "fs/layout.h"

enum item_type {
	ITEM_INODE = 1,
	ITEM_DIRENT = 2,
	ITEM_XATTR = 3,
	ITEM_SYMLINK = 4,
	ITEM_MAP = 5,
	ITEM_ORPHAN = 6,
	ITEM_BITMAP = 7
};

struct item_key {
	uint64_t object;
	uint64_t offset;
	uint8_t type;
};

#define ITEM_VALUE_MAX 4096
#define INODE_BYTES 128
#define ORPHAN_BYTES 16
#define DIRENT_HEAD_BYTES 10
#define DIRENT_NAMES_MAX 4 /* names with one hash */
#define DIRENT_HASH_BITS 62
#define XATTR_HEAD_BYTES 4
#define XATTR_NAME_BYTES_MAX 255
#define XATTR_SPACE_MAX 65536 /* all entries of one object, each counted with XATTR_COST_BYTES */
#define XATTR_COST_BYTES 28   /* of an entry, beside its name and value */

struct item_time {
	int64_t sec;
	uint32_t nsec;
};

struct inode {
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t links;
	uint64_t size; /* of a directory: names in it */
	uint64_t rdev;
	uint64_t blocks; /* mapped blocks of 4096 */
	struct item_time atime, mtime, ctime, btime;
	uint64_t parent; /* directories only, else 0 */
	uint64_t change; /* goes up with each change of the inode or its content */
};

struct map_entry {
	uint64_t block; /* 0: hole */
	uint16_t key;
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t tag[AEAD_TAG_BYTES];
};

struct name_entry {
	uint64_t object;
	uint8_t type; /* file type bits of the mode, >> 12 */
	uint8_t name_len;
	const uint8_t *name; /* points into the item */
};

struct xattr_entry {
	const uint8_t *name; /* both point into the item */
	const uint8_t *value;
	size_t name_len;
	size_t value_len;
};

enum orphan_kind {
	ORPHAN_UNLINKED = 1, /* no name is left: free everything */
	ORPHAN_TRUNCATED = 2 /* free what is mapped from block `from` on */
};

static inline int item_key_compare(const struct item_key *a, const struct item_key *b)
{
	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return 0;
}

/* A value of `type` follows every rule; `blocks` is the size of the volume. */
bool item_valid(const struct item_key *key, const uint8_t *value, size_t len, uint64_t blocks);

void inode_encode(uint8_t out[INODE_BYTES], const struct inode *inode);
void inode_decode(struct inode *inode, const uint8_t in[INODE_BYTES]);

void map_entry_encode(uint8_t out[MAP_ENTRY_BYTES], const struct map_entry *e);
void map_entry_decode(struct map_entry *e, const uint8_t in[MAP_ENTRY_BYTES]);
/* Entry i of a map value, which may end before it (then a hole). */
void map_entry_get(struct map_entry *e, const uint8_t *value, size_t len, unsigned i);

/* Takes the next name at *at; false at the end. */
bool dirent_next(struct name_entry *d, const uint8_t *value, size_t len, size_t *at);
/* Writes one name at out and returns its length. */
size_t dirent_encode(uint8_t *out, const struct name_entry *d);
static inline size_t dirent_bytes(size_t name_len)
{
	return DIRENT_HEAD_BYTES + name_len;
}

/* Takes the next extended attribute at *at; false at the end or where the form is broken. */
bool xattr_next(struct xattr_entry *x, const uint8_t *value, size_t len, size_t *at);
/* Writes one at out and returns its length. */
size_t xattr_encode(uint8_t *out, const struct xattr_entry *x);
static inline size_t xattr_bytes(const struct xattr_entry *x)
{
	return XATTR_HEAD_BYTES + x->name_len + x->value_len;
}

void orphan_encode(uint8_t out[ORPHAN_BYTES], enum orphan_kind kind, uint64_t from);
void orphan_decode(const uint8_t in[ORPHAN_BYTES], enum orphan_kind *kind, uint64_t *from);

/* 1 .. 255 bytes, no '/' or NUL, not "." or "..". */
bool item_name_valid(const uint8_t *name, size_t len);

#endif
