#include "fs/data_blocks.h"

#include "fs/checkpoint.h"

enum cv_err blocks_map(
	struct volume *v, uint64_t object, uint64_t first, size_t count, struct map_entry *entries)
{
	struct item_key key = { .object = object, .type = ITEM_MAP };

	for (size_t i = 0; i < count;) {
		enum cv_err err = CV_ERR_INTERNAL;
		unsigned in_group = (unsigned)((first + i) % MAP_BLOCKS);
		const uint8_t *value = NULL;
		size_t len = 0;

		key.offset = (first + i) / MAP_BLOCKS;
		err = tree_get(&v->tree, &key, &value, &len);
		if (err && err != CV_ERR_NOT_FOUND)
			return err;
		if (err)
			len = 0;
		for (; in_group < MAP_BLOCKS && i < count; in_group++, i++)
			map_entry_get(&entries[i], value, len, in_group);
	}
	return CV_OK;
}

size_t blocks_run(const struct map_entry *entries, size_t count)
{
	size_t n = 1;

	while (n < count && (entries[0].block ? entries[n].block == entries[0].block + n
					      : entries[n].block == 0))
		n++;
	return n;
}

enum cv_err blocks_keys(struct volume *v, struct keyring_user *keys,
	const struct map_entry *entries, size_t count)
{
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < count && !err; i++)
		if (entries[i].block)
			err = keyring_user_ready(keys, &v->keyring, entries[i].key);
	return err;
}

enum cv_err blocks_fetch(struct store *store, struct keyring_user *keys,
	const struct map_entry *entries, size_t count, uint8_t *buf, uint64_t *bad)
{
	enum cv_err err = CV_ERR_INTERNAL;

	if (entries[0].block == 0) {
		memset(buf, 0, count * BLOCK_BYTES);
		return CV_OK;
	}
	err = store_read(store, entries[0].block * BLOCK_BYTES, buf, count * BLOCK_BYTES);
	if (err)
		*bad = entries[0].block;
	for (size_t i = 0; i < count && !err; i++) {
		uint8_t *block = buf + i * BLOCK_BYTES;

		err = keyring_user_open(keys, &entries[i], block, block);
		if (err)
			*bad = entries[i].block;
	}
	if (err)
		memset(buf, 0, count * BLOCK_BYTES);
	return err;
}

enum cv_err blocks_read(
	struct volume *v, const struct map_entry *entries, size_t count, uint8_t *buf)
{
	enum cv_err err = blocks_keys(v, &v->keyring.own, entries, count);

	if (err) {
		v->tree.bad_block = entries[0].block;
		return err;
	}
	return blocks_fetch(v->store, &v->keyring.own, entries, count, buf, &v->tree.bad_block);
}

static enum cv_err take_once(
	struct volume *v, struct map_entry *entries, size_t count, uint64_t groups_left)
{
	size_t taken = 0;

	while (taken < count) {
		uint64_t first;
		uint64_t n;
		enum cv_err err =
			alloc_take_data(&v->alloc, count - taken, groups_left, &first, &n);

		if (err) {
			blocks_cancel(v, entries, taken);
			return err;
		}
		for (uint64_t i = 0; i < n; i++)
			entries[taken++].block = first + i;
	}
	return CV_OK;
}

enum cv_err blocks_take(
	struct volume *v, struct map_entry *entries, size_t count, enum txn_class class)
{
	enum cv_err err = take_once(v, entries, count, checkpoint_reserve(v, class));

	for (int round = 0; err == CV_ERR_FULL && round < 3 && checkpoint_gather(v); round++)
		err = take_once(v, entries, count, checkpoint_reserve(v, class));
	return err;
}

void blocks_cancel(struct volume *v, const struct map_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		alloc_cancel(&v->alloc, entries[i].block, 1);
}

enum cv_err blocks_write(
	struct volume *v, const struct map_entry *entries, size_t count, const uint8_t *cipher)
{
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < count && !err;) {
		size_t run = blocks_run(entries + i, count - i);

		err = store_write(v->store, entries[i].block * BLOCK_BYTES,
			cipher + i * BLOCK_BYTES, run * BLOCK_BYTES);
		i += run;
	}
	return err;
}

void blocks_put(struct txn *txn, uint64_t object, uint64_t first, size_t count,
	const struct map_entry *entries)
{
	for (size_t i = 0; i < count;) {
		uint64_t group = (first + i) / MAP_BLOCKS;
		struct map_entry of_group[MAP_BLOCKS];
		uint16_t mask = 0;

		for (; i < count && (first + i) / MAP_BLOCKS == group; i++) {
			unsigned bit = (unsigned)((first + i) % MAP_BLOCKS);

			of_group[bit] = entries[i];
			mask |= (uint16_t)(1u << bit);
		}
		txn_map(txn, object, group, mask, of_group);
	}
}
