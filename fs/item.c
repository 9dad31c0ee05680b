#include "fs/item.h"

#include <sys/stat.h>

#define NSEC_PER_SEC 1000000000u

static void time_encode(uint8_t *sec, uint8_t *nsec, const struct item_time *t)
{
	put_le64(sec, (uint64_t)t->sec);
	put_le32(nsec, t->nsec);
}

static void time_decode(struct item_time *t, const uint8_t *sec, const uint8_t *nsec)
{
	t->sec = (int64_t)le64(sec);
	t->nsec = le32(nsec);
}

void inode_encode(uint8_t out[INODE_BYTES], const struct inode *inode)
{
	memset(out, 0, INODE_BYTES);
	put_le32(out, inode->mode);
	put_le32(out + 4, inode->uid);
	put_le32(out + 8, inode->gid);
	put_le32(out + 12, inode->links);
	put_le64(out + 16, inode->size);
	put_le64(out + 24, inode->rdev);
	put_le64(out + 32, inode->blocks);
	time_encode(out + 40, out + 72, &inode->atime);
	time_encode(out + 48, out + 76, &inode->mtime);
	time_encode(out + 56, out + 80, &inode->ctime);
	time_encode(out + 64, out + 84, &inode->btime);
	put_le64(out + 88, inode->parent);
	put_le64(out + 96, inode->change);
}

void inode_decode(struct inode *inode, const uint8_t in[INODE_BYTES])
{
	inode->mode = le32(in);
	inode->uid = le32(in + 4);
	inode->gid = le32(in + 8);
	inode->links = le32(in + 12);
	inode->size = le64(in + 16);
	inode->rdev = le64(in + 24);
	inode->blocks = le64(in + 32);
	time_decode(&inode->atime, in + 40, in + 72);
	time_decode(&inode->mtime, in + 48, in + 76);
	time_decode(&inode->ctime, in + 56, in + 80);
	time_decode(&inode->btime, in + 64, in + 84);
	inode->parent = le64(in + 88);
	inode->change = le64(in + 96);
}

static bool inode_valid(const uint8_t *value, size_t len)
{
	struct inode i;

	if (len != INODE_BYTES || !all_zero(value + 104, INODE_BYTES - 104))
		return false;
	inode_decode(&i, value);
	if (i.atime.nsec >= NSEC_PER_SEC || i.mtime.nsec >= NSEC_PER_SEC ||
		i.ctime.nsec >= NSEC_PER_SEC || i.btime.nsec >= NSEC_PER_SEC)
		return false;
	if (i.mode & ~(uint32_t)(S_IFMT | 07777))
		return false;
	switch (i.mode & S_IFMT) {
	case S_IFREG:
		return i.size <= FILE_SIZE_MAX && i.parent == 0 && i.blocks <= BLOCK_NUMBER_MAX;
	case S_IFDIR:
		return i.parent != 0 && i.blocks == 0;
	case S_IFLNK:
		return i.size >= 1 && i.size <= SYMLINK_MAX && i.parent == 0 && i.blocks == 0;
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return i.size == 0 && i.parent == 0 && i.blocks == 0;
	default:
		return false;
	}
}

void map_entry_encode(uint8_t out[MAP_ENTRY_BYTES], const struct map_entry *e)
{
	put_le48(out, e->block);
	put_le16(out + 6, e->key);
	memcpy(out + 8, e->nonce, AEAD_NONCE_BYTES);
	memcpy(out + 20, e->tag, AEAD_TAG_BYTES);
}

void map_entry_decode(struct map_entry *e, const uint8_t in[MAP_ENTRY_BYTES])
{
	e->block = le48(in);
	e->key = le16(in + 6);
	memcpy(e->nonce, in + 8, AEAD_NONCE_BYTES);
	memcpy(e->tag, in + 20, AEAD_TAG_BYTES);
}

void map_entry_get(struct map_entry *e, const uint8_t *value, size_t len, unsigned i)
{
	if ((i + 1) * MAP_ENTRY_BYTES > len)
		memset(e, 0, sizeof(*e));
	else
		map_entry_decode(e, value + i * MAP_ENTRY_BYTES);
}

static bool map_valid(const uint8_t *value, size_t len, uint64_t blocks)
{
	if (len == 0 || len > MAP_BLOCKS * MAP_ENTRY_BYTES || len % MAP_ENTRY_BYTES)
		return false;
	if (le48(value + len - MAP_ENTRY_BYTES) == 0)
		return false; /* ends with a mapped block */
	for (size_t at = 0; at < len; at += MAP_ENTRY_BYTES) {
		uint64_t block = le48(value + at);

		if (block == 0 && !all_zero(value + at, MAP_ENTRY_BYTES))
			return false;
		if (block >= blocks || le16(value + at + 6) >= KEYRING_SLOTS)
			return false;
	}
	return true;
}

bool item_name_valid(const uint8_t *name, size_t len)
{
	if (len == 0 || len > NAME_BYTES_MAX)
		return false;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return false;
	return !memchr(name, '/', len) && !memchr(name, 0, len);
}

bool dirent_next(struct name_entry *d, const uint8_t *value, size_t len, size_t *at)
{
	const uint8_t *p = value + *at;
	size_t left = len - *at;

	if (left < DIRENT_HEAD_BYTES || left - DIRENT_HEAD_BYTES < p[9])
		return false;
	d->object = le64(p);
	d->type = p[8];
	d->name_len = p[9];
	d->name = p + DIRENT_HEAD_BYTES;
	*at += DIRENT_HEAD_BYTES + d->name_len;
	return true;
}

size_t dirent_encode(uint8_t *out, const struct name_entry *d)
{
	put_le64(out, d->object);
	out[8] = d->type;
	out[9] = d->name_len;
	memcpy(out + DIRENT_HEAD_BYTES, d->name, d->name_len);
	return DIRENT_HEAD_BYTES + d->name_len;
}

static bool dirent_valid(const struct item_key *key, const uint8_t *value, size_t len)
{
	struct name_entry d;
	size_t at = 0;
	unsigned names = 0;

	if (key->offset >> DIRENT_HASH_BITS)
		return false;
	while (dirent_next(&d, value, len, &at)) {
		if (d.object < OBJECT_FIRST_FREE || !item_name_valid(d.name, d.name_len))
			return false;
		if (d.type != (S_IFREG >> 12) && d.type != (S_IFDIR >> 12) &&
			d.type != (S_IFLNK >> 12) && d.type != (S_IFIFO >> 12) &&
			d.type != (S_IFSOCK >> 12) && d.type != (S_IFCHR >> 12) &&
			d.type != (S_IFBLK >> 12))
			return false;
		names++;
	}
	return at == len && names >= 1 && names <= DIRENT_NAMES_MAX;
}

bool xattr_next(struct xattr_entry *x, const uint8_t *value, size_t len, size_t *at)
{
	const uint8_t *p = value + *at;
	size_t left = len - *at;

	if (left < XATTR_HEAD_BYTES)
		return false;
	x->name_len = p[0];
	x->value_len = le16(p + 2);
	if (left < xattr_bytes(x))
		return false;
	x->name = p + XATTR_HEAD_BYTES;
	x->value = x->name + x->name_len;
	*at += xattr_bytes(x);
	return true;
}

size_t xattr_encode(uint8_t *out, const struct xattr_entry *x)
{
	out[0] = (uint8_t)x->name_len;
	out[1] = 0;
	put_le16(out + 2, (uint16_t)x->value_len);
	memcpy(out + XATTR_HEAD_BYTES, x->name, x->name_len);
	if (x->value_len)
		memcpy(out + XATTR_HEAD_BYTES + x->name_len, x->value, x->value_len);
	return xattr_bytes(x);
}

static bool xattr_valid(const struct item_key *key, const uint8_t *value, size_t len)
{
	struct xattr_entry x;
	size_t start = 0;
	size_t at = 0;

	if (key->offset >> DIRENT_HASH_BITS || len == 0)
		return false;
	while (xattr_next(&x, value, len, &at)) {
		if (x.name_len == 0 || value[start + 1] != 0 || memchr(x.name, 0, x.name_len))
			return false;
		start = at;
	}
	return at == len;
}

void orphan_encode(uint8_t out[ORPHAN_BYTES], enum orphan_kind kind, uint64_t from)
{
	memset(out, 0, ORPHAN_BYTES);
	put_le32(out, kind);
	put_le64(out + 8, from);
}

void orphan_decode(const uint8_t in[ORPHAN_BYTES], enum orphan_kind *kind, uint64_t *from)
{
	*kind = le32(in) == ORPHAN_UNLINKED ? ORPHAN_UNLINKED : ORPHAN_TRUNCATED;
	*from = le64(in + 8);
}

static bool orphan_valid(const uint8_t *value, size_t len)
{
	if (len != ORPHAN_BYTES || le32(value + 4) != 0)
		return false;
	if (le32(value) == ORPHAN_UNLINKED)
		return le64(value + 8) == 0;
	return le32(value) == ORPHAN_TRUNCATED && le64(value + 8) <= FILE_SIZE_MAX / BLOCK_BYTES;
}

bool item_valid(const struct item_key *key, const uint8_t *value, size_t len, uint64_t blocks)
{
	bool of_volume = key->type == ITEM_ORPHAN || key->type == ITEM_BITMAP;

	if (of_volume != (key->object == OBJECT_VOLUME) || len > ITEM_VALUE_MAX)
		return false;
	switch (key->type) {
	case ITEM_INODE:
		return key->offset == 0 && inode_valid(value, len);
	case ITEM_DIRENT:
		return dirent_valid(key, value, len);
	case ITEM_XATTR:
		return xattr_valid(key, value, len);
	case ITEM_SYMLINK:
		return key->offset == 0 && len >= 1 && len <= SYMLINK_MAX && !memchr(value, 0, len);
	case ITEM_MAP:
		return key->offset < FILE_SIZE_MAX / BLOCK_BYTES / MAP_BLOCKS &&
		       map_valid(value, len, blocks);
	case ITEM_ORPHAN:
		return key->offset > OBJECT_ROOT && orphan_valid(value, len);
	case ITEM_BITMAP:
		return len == REGION_BYTES && key->offset <= (blocks - 1) / REGION_BLOCKS;
	default:
		return false;
	}
}
