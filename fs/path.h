/* Paths inside a volume, for callers without a kernel in front: "/a/b", symlinks not followed. */
#ifndef CONCLAVE_FS_PATH_H
#define CONCLAVE_FS_PATH_H

#include "fs/dir.h"

/* Volume lock held. An empty path or "/" is the root directory; "." and ".." are not taken. */
CV_MUST_CHECK enum cv_err path_resolve(struct volume *v, const char *path, uint64_t *object);

#endif
