#include "fs/data.h"

#include "fs/checkpoint.h"
#include "fs/data_chunk.h"
#include "fs/inode.h"
#include "fs/reap.h"
#include "fs/txn.h"
#include "protocol/crypto.h"

static enum cv_err file_get(struct volume *v, uint64_t object, struct inode *inode)
{
	enum cv_err err = inode_get(v, object, inode);

	if (err)
		return err;
	if (S_ISDIR(inode->mode))
		return CV_ERR_IS_DIR;
	return S_ISREG(inode->mode) ? CV_OK : CV_ERR_ARGUMENT;
}

enum cv_err data_read(
	struct volume *v, uint64_t object, uint64_t offset, void *buf, size_t len, size_t *got)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct data_io *io = NULL;
	struct inode inode;
	size_t done = 0;

	err = file_get(v, object, &inode);
	if (!err)
		err = data_io_get(&v->pool, &v->keyring, &io);
	if (err)
		return err;
	if (offset >= inode.size)
		len = 0;
	else if (len > inode.size - offset)
		len = (size_t)(inode.size - offset);
	while (done < len && !err) {
		size_t part = chunk_part(offset + done, len - done);

		err = chunk_read(v, io, object, offset + done, (uint8_t *)buf + done, part);
		done += part;
	}
	if (!err)
		*got = len;
	data_io_put(&v->pool, io);
	return err;
}

/* Both kinds of writing; one that fills holes leaves alone what is no hole any more. */
static enum cv_err write_range(struct volume *v, uint64_t object, uint64_t offset, const void *buf,
	size_t len, bool holes, size_t *done)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct data_io *io = NULL;
	struct inode inode;

	*done = 0;
	if (v->read_only || v->frozen)
		return CV_ERR_READ_ONLY;
	if (len && offset >= FILE_SIZE_MAX)
		return CV_ERR_FILE_SIZE;
	/* POSIX wants what fits to be written */
	if (len > FILE_SIZE_MAX - offset)
		len = (size_t)(FILE_SIZE_MAX - offset);
	err = file_get(v, object, &inode);
	if (!err)
		err = data_io_get(&v->pool, &v->keyring, &io);
	while (*done < len && !err) {
		size_t part = chunk_part(offset + *done, len - *done);

		err = chunk_write(v, io, object, offset + *done, (const uint8_t *)buf + *done, part,
			holes);
		if (!err)
			*done += part;
	}
	data_io_put(&v->pool, io);
	return err;
}

enum cv_err data_write(struct volume *v, uint64_t object, uint64_t offset, const void *buf,
	size_t len, size_t *done)
{
	return write_range(v, object, offset, buf, len, false, done);
}

enum cv_err data_fill(
	struct volume *v, uint64_t object, uint64_t offset, const void *buf, size_t len)
{
	size_t done;

	return write_range(v, object, offset, buf, len, true, &done);
}

/* The last block, cut inside: its rest becomes zero. */
static enum cv_err cut_block(
	struct volume *v, struct txn *txn, uint64_t object, uint64_t size, struct map_entry *new)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t index = size / BLOCK_BYTES;
	uint8_t block[BLOCK_BYTES];
	uint8_t cipher[BLOCK_BYTES];
	struct map_entry old;

	new->block = 0;
	err = blocks_map(v, object, index, 1, &old);
	if (err || old.block == 0)
		return err;
	err = blocks_read(v, &old, 1, block);
	if (!err)
		err = blocks_take(v, new, 1, TXN_FREES);
	if (err)
		goto out;
	memset(block + size % BLOCK_BYTES, 0, BLOCK_BYTES - size % BLOCK_BYTES);
	err = keyring_seal_data(&v->keyring, new, block, cipher);
	if (!err)
		err = blocks_write(v, new, 1, cipher);
	if (err) {
		blocks_cancel(v, new, 1);
		new->block = 0;
		goto out;
	}
	v->dirty_data += BLOCK_BYTES;
	blocks_put(txn, object, index, 1, new);
out:
	crypto_wipe(block, sizeof(block));
	return err;
}

/* The new size and what else changes with it. */
static enum cv_err resize(struct volume *v, struct txn *txn, uint64_t object, struct inode *inode,
	uint64_t size, const struct attr_change *change)
{
	enum cv_err err = CV_OK;

	inode->size = size;
	inode_modified(inode);
	if (change)
		err = attr_stage(v, txn, object, inode, change);
	txn_put_inode(txn, object, inode);
	return err;
}

static enum cv_err shrink(struct volume *v, uint64_t object, struct inode *inode, uint64_t size,
	const struct attr_change *change)
{
	enum cv_err err = CV_OK;
	uint64_t from = (size + BLOCK_BYTES - 1) / BLOCK_BYTES;
	struct item_key key = { .object = OBJECT_VOLUME, .type = ITEM_ORPHAN, .offset = object };
	struct map_entry new = { 0 };
	uint8_t orphan[ORPHAN_BYTES];
	struct txn txn;

	txn_init(&txn);
	if (inode->links == 0) {
		/* its ORPHAN item is taken already, so the tail goes before the size */
		err = reap_tail(v, object, from);
		if (!err)
			err = inode_get(v, object, inode);
	} else if (inode->blocks) {
		orphan_encode(orphan, ORPHAN_TRUNCATED, from);
		txn_put(&txn, &key, orphan, sizeof(orphan));
	}
	if (!err && size % BLOCK_BYTES && inode->blocks)
		err = cut_block(v, &txn, object, size, &new);
	if (err)
		goto out;
	err = resize(v, &txn, object, inode, size, change);
	if (!err)
		err = txn_commit(v, &txn, TXN_FREES);
	if (err && new.block)
		blocks_cancel(v, &new, 1);
	if (!err && inode->links && inode->blocks)
		err = reap_object(v, object);
out:
	txn_wipe(&txn);
	return err;
}

enum cv_err data_truncate(
	struct volume *v, uint64_t object, uint64_t size, const struct attr_change *change)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	struct txn txn;

	if (size > FILE_SIZE_MAX)
		return CV_ERR_FILE_SIZE;
	if (v->read_only || v->frozen)
		return CV_ERR_READ_ONLY;
	err = file_get(v, object, &inode);
	if (!err)
		err = chunk_settle(v, object);
	if (!err)
		err = inode_get(v, object, &inode);
	if (err)
		return err;
	if (size < inode.size) {
		err = shrink(v, object, &inode, size, change);
		return err ? err : checkpoint_if_due(v);
	}
	txn_init(&txn);
	err = resize(v, &txn, object, &inode, size, change);
	if (!err)
		err = txn_commit(v, &txn, TXN_FREES);
	txn_wipe(&txn);
	return err ? err : checkpoint_if_due(v);
}

/* The first mapped block at or after *block; NOT_FOUND if none is left. */
static enum cv_err next_mapped(struct volume *v, uint64_t object, uint64_t *block)
{
	struct item_key key = { .object = object, .type = ITEM_MAP, .offset = *block / MAP_BLOCKS };

	for (;; key.offset++) {
		const uint8_t *value;
		size_t len;
		enum cv_err err = tree_next(&v->tree, &key, &value, &len);

		if (err)
			return err;
		for (unsigned i = 0; i * MAP_ENTRY_BYTES < len; i++) {
			uint64_t b = key.offset * MAP_BLOCKS + i;

			if (b >= *block && le48(value + i * MAP_ENTRY_BYTES)) {
				*block = b;
				return CV_OK;
			}
		}
	}
}

enum cv_err data_seek(struct volume *v, uint64_t object, uint64_t offset, bool hole, uint64_t *out)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	uint64_t block = offset / BLOCK_BYTES;
	uint64_t found;

	err = file_get(v, object, &inode);
	if (err)
		return err;
	if (offset >= inode.size)
		return CV_ERR_NO_DATA;
	do {
		found = block;
		err = next_mapped(v, object, &found);
		if (err && err != CV_ERR_NOT_FOUND)
			return err;
		if (!hole && (err || found * BLOCK_BYTES >= inode.size))
			return CV_ERR_NO_DATA;
		if (hole && (err || found > block))
			break;
		block++;
	} while (hole);
	*out = (hole ? block : found) * BLOCK_BYTES;
	if (*out < offset)
		*out = offset;
	if (*out > inode.size)
		*out = inode.size;
	return CV_OK;
}
