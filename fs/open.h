/* Opening and closing a volume over any store: what volume_open and the tests share. */
#ifndef CONCLAVE_FS_OPEN_H
#define CONCLAVE_FS_OPEN_H

#include "fs/state.h"

/* An empty struct volume with its secret memory; `store` must outlive it. */
CV_MUST_CHECK enum cv_err volume_new(struct volume **out, struct store *store);
/* Wipes and releases without writing anything: what a crash leaves. NULL is allowed. */
void volume_drop(struct volume *v);

/* Keyring, tree and allocator over the superblock; the tree has no root yet. */
CV_MUST_CHECK enum cv_err volume_assemble(struct volume *v, size_t cache_bytes);

/* The last checkpoint, as a clean unmount writes it. Volume lock held; nothing may follow. */
CV_MUST_CHECK enum cv_err volume_finish(struct volume *v);

/* As volume_open, on a store. */
CV_MUST_CHECK enum cv_err volume_open_store(struct volume **out, struct store *store,
	const struct volume_open_options *options, struct volume_why *why);

/* As volume_create, on a store that is already as large as options->size_bytes. */
CV_MUST_CHECK enum cv_err volume_create_store(
	struct store *store, const struct volume_create_options *options, struct volume_why *why);

#endif
