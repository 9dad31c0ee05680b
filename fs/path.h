/* Paths inside a volume, for callers without a kernel in front: "/a/b", symlinks not followed. */
#ifndef CONCLAVE_FS_PATH_H
#define CONCLAVE_FS_PATH_H

#include "fs/dir.h"

/* Volume lock held. An empty path or "/" is the root directory; "." and ".." are not taken. */
CV_MUST_CHECK enum cv_err path_resolve(struct volume *v, const char *path, uint64_t *object);

/*
 * The path of an object, escaped as in a log line, into `out`; `parent` is a directory that it was
 * in, 0 if unknown (a directory knows its own). A long path loses its start to "...". Looks through
 * the parents' names, so it is for messages about errors. CV_ERR_NOT_FOUND: it is not there now.
 */
CV_MUST_CHECK enum cv_err path_find(
	struct volume *v, uint64_t object, uint64_t parent, char *out, size_t cap);

#endif
