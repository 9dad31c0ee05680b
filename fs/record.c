#include "fs/record.h"

#define OBJECT_MAX (((uint64_t)1 << 63) - 1)

void record_head_encode(
	uint8_t out[RECORD_HEAD_BYTES], enum record_type type, const struct item_key *key, size_t len)
{
	memset(out, 0, RECORD_HEAD_BYTES);
	out[0] = (uint8_t)type;
	out[1] = key->type;
	put_le16(out + 2, (uint16_t)len);
	put_le64(out + 8, key->object);
	put_le64(out + 16, key->offset);
}

bool record_next(struct record *r, const uint8_t **p, const uint8_t *end)
{
	if (end - *p < RECORD_HEAD_BYTES)
		return false;
	r->type = (enum record_type)(*p)[0];
	r->key.type = (*p)[1];
	r->len = le16(*p + 2);
	r->key.object = le64(*p + 8);
	r->key.offset = le64(*p + 16);
	r->value = *p + RECORD_HEAD_BYTES;
	if ((size_t)(end - r->value) < r->len)
		return false;
	*p = r->value + r->len;
	return true;
}

static bool map_valid(const struct record *r, uint64_t blocks)
{
	uint16_t mask;

	if (r->key.type != ITEM_MAP || r->key.object == OBJECT_VOLUME ||
		r->key.offset >= FILE_SIZE_MAX / BLOCK_BYTES / MAP_BLOCKS ||
		r->len < RECORD_MASK_BYTES)
		return false;
	mask = record_mask(r);
	if (mask == 0)
		return false;
	if (r->type == RECORD_UNMAP)
		return r->len == RECORD_MASK_BYTES;
	if (r->len != RECORD_MASK_BYTES + (size_t)__builtin_popcount(mask) * MAP_ENTRY_BYTES)
		return false;
	for (size_t i = 0; record_entry(r, i); i++) {
		const uint8_t *entry = record_entry(r, i);

		if (le48(entry) == 0 || le48(entry) >= blocks || le16(entry + 6) >= KEYRING_SLOTS)
			return false;
	}
	return true;
}

/* An item of this key can be: what a DEL may name. */
static bool key_valid(const struct item_key *key)
{
	switch (key->type) {
	case ITEM_INODE:
	case ITEM_SYMLINK:
		return key->object != OBJECT_VOLUME && key->offset == 0;
	case ITEM_DIRENT:
	case ITEM_XATTR:
		return key->object != OBJECT_VOLUME && key->offset >> DIRENT_HASH_BITS == 0;
	case ITEM_ORPHAN:
		return key->object == OBJECT_VOLUME && key->offset > OBJECT_ROOT;
	default:
		return false; /* MAP has records of its own, BITMAP follows from them */
	}
}

static bool record_valid(const struct record *r, uint64_t blocks)
{
	if (r->key.object > OBJECT_MAX)
		return false;
	switch (r->type) {
	case RECORD_PUT:
		return key_valid(&r->key) && item_valid(&r->key, r->value, r->len, blocks);
	case RECORD_DEL:
		return key_valid(&r->key) && r->len == 0;
	case RECORD_MAP:
	case RECORD_UNMAP:
		return map_valid(r, blocks);
	}
	return false;
}

bool records_valid(const uint8_t *records, size_t len, uint64_t blocks)
{
	const uint8_t *end = records + len;
	const uint8_t *p = records;
	const uint8_t *head = p;
	struct record r;

	while (record_next(&r, &p, end)) {
		if (le32(head + 4) != 0 || !record_valid(&r, blocks))
			return false;
		head = p;
	}
	return p == end && len > 0;
}
