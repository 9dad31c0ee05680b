/*
 * Container I/O behind a table of functions, so that a test can record, tear or fail it.
 *
 * Offsets and lengths are bytes and multiples of 4096. Every call does all of it or fails:
 * CV_ERR_IO, CV_ERR_FULL (the container's own filesystem is full), CV_ERR_READ_ONLY.
 * A read beyond the end is CV_ERR_IO: a container that was cut never reads as zeros.
 * Threads  read and write from any thread; flush covers the writes that returned before it began.
 */
#ifndef CONCLAVE_FS_STORE_H
#define CONCLAVE_FS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

struct store;

struct store_ops {
	enum cv_err (*read)(struct store *s, uint64_t offset, void *buf, size_t len);
	enum cv_err (*write)(struct store *s, uint64_t offset, const void *buf, size_t len);
	enum cv_err (*flush)(struct store *s);
	enum cv_err (*size)(struct store *s, uint64_t *bytes);
	/* These two may be NULL: CV_ERR_NOT_SUPPORTED. */
	enum cv_err (*resize)(struct store *s, uint64_t bytes);
	/* NULL: it never is */
	bool (*sparse)(struct store *s, uint64_t offset, uint64_t len);
	enum cv_err (*discard)(struct store *s, uint64_t offset, uint64_t len);
};

/* The first member of every kind of store. */
struct store {
	const struct store_ops *ops;
	/* May be NULL: what follows takes its time, a read that waits for the disk (another kind than
	 * store_file may say nothing of it) or long work of the volume. From any thread, with or
	 * without the volume's lock. */
	void (*on_wait)(void *user);
	void *on_wait_user;
};

struct store_file {
	struct store store;
	int fd;
};

static inline void store_tell_wait(struct store *s)
{
	if (s->on_wait)
		s->on_wait(s->on_wait_user);
}

/* A container file or block device; the descriptor stays the caller's. */
void store_file_init(struct store_file *s, int fd);

CV_MUST_CHECK static inline enum cv_err store_read(
	struct store *s, uint64_t offset, void *buf, size_t len)
{
	return s->ops->read(s, offset, buf, len);
}

CV_MUST_CHECK static inline enum cv_err store_write(
	struct store *s, uint64_t offset, const void *buf, size_t len)
{
	return s->ops->write(s, offset, buf, len);
}

CV_MUST_CHECK static inline enum cv_err store_flush(struct store *s)
{
	return s->ops->flush(s);
}

CV_MUST_CHECK static inline enum cv_err store_size(struct store *s, uint64_t *bytes)
{
	return s->ops->size(s, bytes);
}

/* A new size for a container that is a file; what is added reads as zeros. Durable by a flush. */
CV_MUST_CHECK static inline enum cv_err store_resize(struct store *s, uint64_t bytes)
{
	return s->ops->resize ? s->ops->resize(s, bytes) : CV_ERR_NOT_SUPPORTED;
}

/* A part of the range has no place in the filesystem below yet. */
static inline bool store_sparse(struct store *s, uint64_t offset, uint64_t len)
{
	return s->ops->sparse && s->ops->sparse(s, offset, len);
}

/* The content of a range is needed no more: its space goes back to what is below. */
CV_MUST_CHECK static inline enum cv_err store_discard(
	struct store *s, uint64_t offset, uint64_t len)
{
	return s->ops->discard ? s->ops->discard(s, offset, len) : CV_ERR_NOT_SUPPORTED;
}

#endif
