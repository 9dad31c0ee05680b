/* Space of files without content: fallocate. */
#include "fs/checkpoint.h"
#include "fs/data.h"
#include "fs/data_blocks.h"
#include "fs/reap.h"

#define PUNCH_BLOCKS (128 * MAP_BLOCKS) /* of one transaction */

static enum cv_err regular(struct volume *v, uint64_t object, struct inode *inode)
{
	enum cv_err err = inode_get(v, object, inode);

	if (!err && !S_ISREG(inode->mode))
		err = CV_ERR_NO_DATA;
	return err;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t block_end(uint64_t offset)
{
	return (offset + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

/* Where what starts at `at` (a hole, or data) ends, `end` at most. */
static enum cv_err run_end(
	struct volume *v, uint64_t object, uint64_t at, uint64_t end, bool *hole, uint64_t *stop)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t found;

	err = data_seek(v, object, at, false, &found);
	*hole = err == CV_ERR_NO_DATA || (!err && found > at);
	if (err == CV_ERR_NO_DATA)
		found = end;
	else if (err)
		return err;
	if (!*hole)
		err = data_seek(v, object, at, true, &found);
	else
		err = CV_OK;
	*stop = min64(found, end);
	return err;
}

static const uint8_t zeros[16 * BLOCK_BYTES];

/* Zeros from `from` to `to`, a little at a time. */
static enum cv_err write_zeros(struct volume *v, uint64_t object, uint64_t from, uint64_t to)
{
	enum cv_err err = CV_OK;

	while (from < to && !err) {
		size_t part = (size_t)min64(sizeof(zeros) - from % BLOCK_BYTES, to - from);
		size_t done = 0;

		err = data_write(v, object, from, zeros, part, &done);
		from += done;
	}
	return err;
}

/* Blocks of zeros for holes; stops at *to where somebody has written meanwhile. */
static enum cv_err fill_hole(struct volume *v, uint64_t object, uint64_t from, uint64_t *to)
{
	enum cv_err err = CV_OK;

	while (from < *to && !err) {
		size_t part = (size_t)min64(sizeof(zeros) - from % BLOCK_BYTES, *to - from);

		err = data_fill(v, object, from, zeros, part);
		if (err)
			break;
		from += part;
	}
	*to = from;
	return err == CV_ERR_BUSY ? CV_OK : err;
}

/* Bytes of holes between two offsets; behind the end of the file everything is one. */
static enum cv_err count_holes(struct volume *v, uint64_t object, uint64_t from, uint64_t to,
	uint64_t size, uint64_t *holes)
{
	uint64_t end = min64(to, size);
	enum cv_err err = CV_OK;
	uint64_t stop;
	bool hole;

	*holes = to > block_end(size) ? to - (from > block_end(size) ? from : block_end(size)) : 0;
	for (; from < end && !err; from = stop) {
		err = run_end(v, object, from, end, &hole, &stop);
		if (!err && hole)
			*holes += stop - from;
	}
	return err;
}

static enum cv_err room_for(struct volume *v, uint64_t bytes)
{
	uint64_t blocks = bytes / BLOCK_BYTES;

	for (int round = 0; round < 3; round++) {
		if (checkpoint_room(v, alloc_free_blocks(&v->alloc)) >= blocks)
			return CV_OK;
		if (!checkpoint_gather(v))
			break;
	}
	return CV_ERR_FULL;
}

enum cv_err data_allocate(
	struct volume *v, uint64_t object, uint64_t offset, uint64_t len, bool keep_size)
{
	uint64_t from = offset / BLOCK_BYTES * BLOCK_BYTES;
	uint64_t to = offset + len;
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	uint64_t holes;
	uint64_t stop;
	bool hole;

	if (v->read_only || v->frozen)
		return CV_ERR_READ_ONLY;
	if (len == 0)
		return CV_ERR_ARGUMENT;
	if (offset > FILE_SIZE_MAX || len > FILE_SIZE_MAX - offset)
		return CV_ERR_FILE_SIZE;
	err = regular(v, object, &inode);
	if (!err)
		err = count_holes(v, object, from, to, inode.size, &holes);
	if (!err && holes)
		err = room_for(v, holes);
	if (err)
		return err;
	if (to > inode.size && !keep_size)
		err = data_truncate(v, object, to, NULL);
	else
		to = min64(to, inode.size);
	for (; from < to && !err; from = stop) {
		err = run_end(v, object, from, to, &hole, &stop);
		if (!err && hole)
			err = fill_hole(v, object, from, &stop);
	}
	return err;
}

/* Unmaps whole blocks of at most PUNCH_BLOCKS in one transaction. */
static enum cv_err unmap(struct volume *v, uint64_t object, uint64_t first, uint64_t count)
{
	static const struct map_entry holes[MAP_BLOCKS];
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	uint64_t freed = 0;
	struct txn txn;

	txn_init(&txn);
	err = inode_get(v, object, &inode);
	for (uint64_t b = first; b < first + count && !err;) {
		struct map_entry old[MAP_BLOCKS];
		uint64_t group = b / MAP_BLOCKS;
		uint64_t n = min64(MAP_BLOCKS - b % MAP_BLOCKS, first + count - b);
		uint16_t mask = 0;

		err = blocks_map(v, object, b, (size_t)n, old);
		for (uint64_t i = 0; i < n && !err; i++) {
			if (!old[i].block)
				continue;
			mask |= (uint16_t)(1u << (b + i) % MAP_BLOCKS);
			freed++;
		}
		if (mask)
			txn_map(&txn, object, group, mask, holes);
		b += n;
	}
	if (err || !freed)
		goto out;
	inode.blocks -= min64(freed, inode.blocks);
	inode_modified(&inode);
	txn_put_inode(&txn, object, &inode);
	err = txn_commit(v, &txn, TXN_FREES);
	if (!err)
		err = checkpoint_if_due(v);
out:
	txn_wipe(&txn);
	return err;
}

/* A part of one block becomes zero; a hole stays one. */
static enum cv_err zero_part(struct volume *v, uint64_t object, uint64_t from, uint64_t to)
{
	struct map_entry entry;
	enum cv_err err = CV_OK;

	if (from >= to)
		return CV_OK;
	err = blocks_map(v, object, from / BLOCK_BYTES, 1, &entry);
	return err || !entry.block ? err : write_zeros(v, object, from, to);
}

/* The next block at or after *block that is mapped, so that a large hole costs nothing. */
static enum cv_err skip_hole(struct volume *v, uint64_t object, uint64_t *block, uint64_t end)
{
	uint64_t found;
	enum cv_err err = data_seek(v, object, *block * BLOCK_BYTES, false, &found);

	if (err == CV_ERR_NO_DATA) {
		*block = end;
		return CV_OK;
	}
	if (!err)
		*block = found / BLOCK_BYTES;
	return err;
}

enum cv_err data_punch(struct volume *v, uint64_t object, uint64_t offset, uint64_t len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	uint64_t first;
	uint64_t last;
	uint64_t end;

	if (v->read_only || v->frozen)
		return CV_ERR_READ_ONLY;
	if (len == 0 || offset > FILE_SIZE_MAX || len > FILE_SIZE_MAX - offset)
		return len ? CV_ERR_FILE_SIZE : CV_ERR_ARGUMENT;
	err = regular(v, object, &inode);
	if (err || offset >= inode.size)
		return err;
	end = min64(offset + len, inode.size);
	first = block_end(offset) / BLOCK_BYTES;
	/* the last block of the file may go although the file ends inside it */
	last = end == inode.size ? block_end(end) / BLOCK_BYTES : end / BLOCK_BYTES;
	err = zero_part(v, object, offset, min64(first * BLOCK_BYTES, end));
	if (!err && last >= first)
		err = zero_part(v, object, last * BLOCK_BYTES, end);
	while (first < last && !err) {
		uint64_t count;

		err = skip_hole(v, object, &first, last);
		if (err || first >= last)
			break;
		count = min64(PUNCH_BLOCKS - first % MAP_BLOCKS, last - first);
		err = unmap(v, object, first, count);
		first += count;
	}
	return err;
}
