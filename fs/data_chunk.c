#include "fs/data_chunk.h"

#include "fs/checkpoint.h"
#include "fs/inode.h"
#include "fs/reap.h"
#include "protocol/crypto.h"

enum cv_err chunk_settle(struct volume *v, uint64_t object)
{
	if (!v->super->orphans || reap_waits(v, object))
		return CV_OK;
	return reap_object(v, object);
}

/* Reads what the entries name. */
static enum cv_err fetch(struct store *store, struct data_io *io, const struct map_entry *entries,
	size_t count, size_t skip, uint8_t *buf, size_t len)
{
	enum cv_err err = CV_OK;
	size_t at = 0;

	for (size_t i = 0; i < count && !err;) {
		size_t from = i == 0 ? skip : 0;
		size_t part = BLOCK_BYTES - from < len - at ? BLOCK_BYTES - from : len - at;
		size_t run = 1;

		if (part == BLOCK_BYTES) {
			run = (len - at) / BLOCK_BYTES;
			run = blocks_run(entries + i, run < DATA_SLICE_BLOCKS ? run : DATA_SLICE_BLOCKS);
			err = blocks_fetch(store, &io->keys, entries + i, run, buf + at,
				&io->bad_block);
			part = run * BLOCK_BYTES;
		} else {
			uint8_t block[BLOCK_BYTES];

			err = blocks_fetch(
				store, &io->keys, entries + i, 1, block, &io->bad_block);
			if (!err)
				memcpy(buf + at, block + from, part);
			crypto_wipe(block, sizeof(block));
		}
		i += run;
		at += part;
	}
	return err;
}

enum cv_err chunk_read(struct volume *v, struct data_io *io, uint64_t object, uint64_t offset,
	uint8_t *buf, size_t len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct map_entry entries[DATA_CHUNK_BLOCKS];
	uint64_t first = offset / BLOCK_BYTES;
	size_t count = (size_t)((offset + len - 1) / BLOCK_BYTES - first + 1);
	size_t skip = (size_t)(offset % BLOCK_BYTES);

	for (int turn = 0; turn < 2; turn++) {
		bool shared = v->shared && turn == 0;

		err = blocks_map(v, object, first, count, entries);
		if (!err)
			err = blocks_keys(v, &io->keys, entries, count);
		if (err)
			return err;
		if (shared)
			(void)pthread_mutex_unlock(&v->lock);
		err = fetch(v->store, io, entries, count, skip, buf, len);
		if (shared)
			(void)pthread_mutex_lock(&v->lock);
		/* a block may have been replaced, and its place given to another, meanwhile */
		if (!err || !shared)
			break;
	}
	if (err)
		v->tree.bad_block = io->bad_block;
	return err;
}

/* One transaction of a write: what it touches, and what it has taken. */
struct chunk {
	uint64_t object;
	uint64_t offset;
	const uint8_t *buf;
	size_t len;
	uint64_t first; /* file block */
	size_t count;
	bool holes;
	struct map_entry old[DATA_CHUNK_BLOCKS];
	struct map_entry new[DATA_CHUNK_BLOCKS];
};

static bool is_part(const struct chunk *c, size_t i)
{
	return (i == 0 && c->offset % BLOCK_BYTES) ||
	       (i == c->count - 1 && (c->offset + c->len) % BLOCK_BYTES);
}

/* Takes space, counts the seals and makes the keys ready. */
static enum cv_err chunk_plan(struct volume *v, struct data_io *io, struct chunk *c)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint16_t key = 0;

	err = blocks_take(v, c->new, c->count, TXN_DATA);
	if (err)
		return err;
	/* after taking space, which may have written a checkpoint */
	err = blocks_map(v, c->object, c->first, c->count, c->old);
	if (!err)
		err = keyring_reserve(&v->keyring, c->count, &key);
	if (!err)
		err = keyring_user_ready(&io->keys, &v->keyring, key);
	for (size_t i = 0; i < c->count && !err; i++) {
		c->new[i].key = key;
		if (is_part(c, i))
			err = blocks_keys(v, &io->keys, &c->old[i], 1);
		if (!err && c->holes && c->old[i].block)
			err = CV_ERR_BUSY;
	}
	if (err)
		blocks_cancel(v, c->new, c->count);
	return err;
}

/* Seals `count` blocks of the chunk from `first` on into the buffer. */
static enum cv_err chunk_seal(
	struct volume *v, struct data_io *io, struct chunk *c, size_t first, size_t count)
{
	size_t skip = (size_t)(c->offset % BLOCK_BYTES);
	enum cv_err err = CV_OK;
	uint8_t block[BLOCK_BYTES];

	for (size_t i = first; i < first + count && !err; i++) {
		size_t from = i == 0 ? skip : 0;
		size_t at = i == 0 ? 0 : i * BLOCK_BYTES - skip;
		size_t part = BLOCK_BYTES - from < c->len - at ? BLOCK_BYTES - from : c->len - at;
		const uint8_t *plain = c->buf + at;

		if (part < BLOCK_BYTES) {
			err = blocks_fetch(v->store, &io->keys, &c->old[i], 1, block,
				&io->bad_block);
			memcpy(block + from, plain, part);
			plain = block;
		}
		if (!err)
			err = keyring_user_seal(
				&io->keys, &c->new[i], plain, io->buf + (i - first) * BLOCK_BYTES);
	}
	crypto_wipe(block, sizeof(block));
	return err;
}

/* Seals and writes a slice after the other, each run by run. */
static enum cv_err chunk_put(struct volume *v, struct data_io *io, struct chunk *c)
{
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < c->count && !err; i += DATA_SLICE_BLOCKS) {
		size_t n = c->count - i < DATA_SLICE_BLOCKS ? c->count - i : DATA_SLICE_BLOCKS;

		err = chunk_seal(v, io, c, i, n);
		if (!err)
			err = blocks_write(v, c->new + i, n, io->buf);
	}
	return err;
}

static bool same(const struct map_entry *a, const struct map_entry *b)
{
	return a->block == b->block && (a->block == 0 || memcmp(a->tag, b->tag, AEAD_TAG_BYTES) == 0);
}

/*
 * Looks again: CV_ERR_BUSY if a block that was built upon has been replaced, or if the key has, which
 * a rekey drops once it has found nothing under it.
 */
static enum cv_err chunk_look_again(struct volume *v, struct chunk *c)
{
	struct map_entry now[DATA_CHUNK_BLOCKS];
	enum cv_err err = chunk_settle(v, c->object);

	if (!err)
		err = blocks_map(v, c->object, c->first, c->count, now);
	if (err)
		return err;
	if (c->new[0].key != v->super->active_key)
		return CV_ERR_BUSY;
	for (size_t i = 0; i < c->count; i++) {
		if ((c->holes || is_part(c, i)) && !same(&c->old[i], &now[i]))
			return CV_ERR_BUSY;
		c->old[i] = now[i];
	}
	return CV_OK;
}

static enum cv_err chunk_commit(struct volume *v, const struct chunk *c)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t end = c->offset + c->len;
	struct inode inode;
	struct txn txn;

	txn_init(&txn);
	err = inode_get(v, c->object, &inode);
	if (err)
		goto out;
	for (size_t i = 0; i < c->count; i++)
		inode.blocks += c->old[i].block == 0;
	if (inode.size < end)
		inode.size = end;
	inode_modified(&inode);
	blocks_put(&txn, c->object, c->first, c->count, c->new);
	txn_put_inode(&txn, c->object, &inode);
	err = txn_commit(v, &txn, TXN_ADDS);
out:
	txn_wipe(&txn);
	return err;
}

/* CV_ERR_BUSY: others were faster, nothing has changed. */
static enum cv_err chunk_try(struct volume *v, struct data_io *io, struct chunk *c, bool shared)
{
	enum cv_err err = chunk_settle(v, c->object);

	if (!err)
		err = chunk_plan(v, io, c);
	if (err)
		return err;
	if (shared)
		(void)pthread_mutex_unlock(&v->lock);
	err = chunk_put(v, io, c);
	if (shared)
		(void)pthread_mutex_lock(&v->lock);
	if (err)
		v->tree.bad_block = io->bad_block;
	if (!err && shared)
		err = chunk_look_again(v, c);
	if (!err)
		err = chunk_commit(v, c);
	if (err)
		blocks_cancel(v, c->new, c->count);
	return err;
}

enum cv_err chunk_write(struct volume *v, struct data_io *io, uint64_t object, uint64_t offset,
	const uint8_t *buf, size_t len, bool holes)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct chunk c = { .object = object,
		.offset = offset,
		.buf = buf,
		.len = len,
		.first = offset / BLOCK_BYTES,
		.count = (size_t)((offset + len - 1) / BLOCK_BYTES - offset / BLOCK_BYTES + 1),
		.holes = holes };
	bool shared = v->shared;

	err = chunk_try(v, io, &c, shared);
	/* also after a damaged old block, which may have been a block given to another meanwhile */
	if (shared && !holes && (err == CV_ERR_BUSY || err == CV_ERR_TAMPERED))
		err = chunk_try(v, io, &c, false);
	if (err)
		return err;
	v->dirty_data += c.count * BLOCK_BYTES;
	return checkpoint_if_due(v);
}
