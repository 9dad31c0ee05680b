#include "fs/dirent_item.h"

#include <sodium.h>
#include <sys/stat.h>

enum cv_err dir_name_check(const struct dir_name *name)
{
	if (name->len > NAME_BYTES_MAX)
		return CV_ERR_NAME_LONG;
	return item_name_valid((const uint8_t *)name->bytes, name->len) ? CV_OK : CV_ERR_ARGUMENT;
}

uint64_t dir_name_hash(const struct volume *v, const struct dir_name *name)
{
	uint8_t hash[crypto_shorthash_siphash24_BYTES];

	(void)crypto_shorthash_siphash24(
		hash, (const uint8_t *)name->bytes, name->len, v->super->name_key);
	return le64(hash) >> (64 - DIRENT_HASH_BITS);
}

enum cv_err dirent_item_load(
	struct volume *v, uint64_t dir, const struct dir_name *name, struct dirent_item *item)
{
	enum cv_err err = CV_ERR_INTERNAL;
	const uint8_t *value;
	struct name_entry d;
	size_t at = 0;
	size_t len;

	item->key = (struct item_key){
		.object = dir, .type = ITEM_DIRENT, .offset = dir_name_hash(v, name)
	};
	item->len = 0;
	item->names = 0;
	err = tree_get(&v->tree, &item->key, &value, &len);
	if (err == CV_ERR_NOT_FOUND)
		return CV_OK;
	if (err)
		return err;
	memcpy(item->value, value, len);
	item->len = len;
	while (dirent_next(&d, item->value, item->len, &at))
		item->names++;
	return CV_OK;
}

/* Where the name starts in the value; item->len if it is not there. */
static size_t name_at(
	const struct dirent_item *item, const struct dir_name *name, struct name_entry *d)
{
	size_t at = 0;
	size_t start = 0;

	while (dirent_next(d, item->value, item->len, &at)) {
		if (d->name_len == name->len && memcmp(d->name, name->bytes, name->len) == 0)
			return start;
		start = at;
	}
	return item->len;
}

enum cv_err dirent_item_find(
	const struct dirent_item *item, const struct dir_name *name, struct name_entry *d)
{
	return name_at(item, name, d) < item->len ? CV_OK : CV_ERR_NOT_FOUND;
}

void dirent_item_remove(struct dirent_item *item, const struct dir_name *name)
{
	struct name_entry d;
	size_t start = name_at(item, name, &d);
	size_t bytes = dirent_bytes(name->len);

	if (start == item->len)
		return;
	memmove(item->value + start, item->value + start + bytes, item->len - start - bytes);
	item->len -= bytes;
	item->names--;
}

enum cv_err dirent_item_add(
	struct dirent_item *item, const struct dir_name *name, uint64_t object, uint32_t mode)
{
	struct name_entry d = { .object = object,
		.type = (uint8_t)(mode >> 12 & 15),
		.name_len = (uint8_t)name->len,
		.name = (const uint8_t *)name->bytes };

	if (item->names == DIRENT_NAMES_MAX)
		return CV_ERR_FULL;
	item->len += dirent_encode(item->value + item->len, &d);
	item->names++;
	return CV_OK;
}

void dirent_item_point(
	struct dirent_item *item, const struct dir_name *name, uint64_t object, uint32_t mode)
{
	struct name_entry d;
	size_t start = name_at(item, name, &d);

	if (start == item->len)
		return;
	put_le64(item->value + start, object);
	item->value[start + 8] = (uint8_t)(mode >> 12 & 15);
}

void dirent_item_store(struct txn *t, const struct dirent_item *item)
{
	if (item->len)
		txn_put(t, &item->key, item->value, item->len);
	else
		txn_del(t, &item->key);
}
