/*
 * File content: blocks of 4096 bytes under MAP items. A write goes to blocks that nothing refers
 * to, is on its way to the container before the tree is changed, and then becomes visible as one
 * transaction per DATA_CHUNK_BLOCKS. Bytes past the end of a file are zero.
 * Every call: volume lock held; while content is read, sealed and written it is let go of if
 * v->shared, so what the caller knew of the tree is out of date afterwards.
 * CV_ERR_IS_DIR, CV_ERR_ARGUMENT for what is no regular file.
 */
#ifndef CONCLAVE_FS_DATA_H
#define CONCLAVE_FS_DATA_H

#include "fs/attr.h"

/* CV_ERR_TAMPERED if a block is not what the tree says; v->tree.bad_block names it. */
CV_MUST_CHECK enum cv_err data_read(
	struct volume *v, uint64_t object, uint64_t offset, void *buf, size_t len, size_t *got);

/*
 * *done counts what is there even after an error (a part of a long write may be done).
 * CV_ERR_FILE_SIZE at or beyond 16 TiB (*done is what fits before), CV_ERR_FULL.
 */
CV_MUST_CHECK enum cv_err data_write(struct volume *v, uint64_t object, uint64_t offset,
	const void *buf, size_t len, size_t *done);

/* The same, but CV_ERR_BUSY if the range is no hole (any more) and had to be left alone. */
CV_MUST_CHECK enum cv_err data_fill(
	struct volume *v, uint64_t object, uint64_t offset, const void *buf, size_t len);

/* `change` (may be NULL) becomes visible in the same transaction as the size. */
CV_MUST_CHECK enum cv_err data_truncate(
	struct volume *v, uint64_t object, uint64_t size, const struct attr_change *change);

/*
 * Space (data_space.c). allocate: every hole before the end of the range gets blocks of zeros; with
 * keep_size not behind the end of the file, where there is only a look at whether they would fit.
 * punch: the range reads as zeros, whole blocks of it are freed; the size stays. CV_ERR_FULL comes
 * before anything is allocated, unless others take the space meanwhile.
 */
CV_MUST_CHECK enum cv_err data_allocate(
	struct volume *v, uint64_t object, uint64_t offset, uint64_t len, bool keep_size);
CV_MUST_CHECK enum cv_err data_punch(
	struct volume *v, uint64_t object, uint64_t offset, uint64_t len);

/* Where data or a hole starts at or after `offset`; CV_ERR_NO_DATA (ENXIO) past the end. */
CV_MUST_CHECK enum cv_err data_seek(
	struct volume *v, uint64_t object, uint64_t offset, bool hole, uint64_t *out);

#endif
