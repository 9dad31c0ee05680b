/*
 * One chunk of a file: the blocks that one transaction makes visible.
 *
 * Reading and sealing need no lock, so when several threads share the volume the lock is let go of
 * for that time. Nothing is lost by it: what was read is what the map named at one moment, or it
 * does not open and is read again under the lock; and a write whose old blocks were not the same
 * any more when it came to commit is made again under the lock.
 */
#ifndef CONCLAVE_FS_DATA_CHUNK_H
#define CONCLAVE_FS_DATA_CHUNK_H

#include "fs/data_blocks.h"

/* How much of `len` bytes at `offset` goes into one chunk. */
static inline size_t chunk_part(uint64_t offset, size_t len)
{
	size_t part = DATA_CHUNK_BYTES - (size_t)(offset % BLOCK_BYTES);

	return part < len ? part : len;
}

/* The range lies before the end of the file. */
CV_MUST_CHECK enum cv_err chunk_read(struct volume *v, struct data_io *io, uint64_t object,
	uint64_t offset, uint8_t *buf, size_t len);
/* `holes`: CV_ERR_BUSY, and nothing is written, if a block of the range is no hole. */
CV_MUST_CHECK enum cv_err chunk_write(struct volume *v, struct data_io *io, uint64_t object,
	uint64_t offset, const uint8_t *buf, size_t len, bool holes);

/* A cut-off end whose blocks are not all freed yet must be gone before the file grows again. */
CV_MUST_CHECK enum cv_err chunk_settle(struct volume *v, uint64_t object);

#endif
