/* What a program sees of a result. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "fs/mount_ops.h"
#include "fs/path.h"
#include "host/log.h"

static int errno_of(enum cv_err err)
{
	switch (err) {
	case CV_OK:
		return 0;
	case CV_ERR_NOT_FOUND:
		return ENOENT;
	case CV_ERR_EXISTS:
		return EEXIST;
	case CV_ERR_BUSY:
		return EBUSY;
	case CV_ERR_FULL:
		return ENOSPC;
	case CV_ERR_READ_ONLY:
		return EROFS;
	case CV_ERR_PERMISSION:
		return EPERM;
	case CV_ERR_NOT_DIR:
		return ENOTDIR;
	case CV_ERR_IS_DIR:
		return EISDIR;
	case CV_ERR_NOT_EMPTY:
		return ENOTEMPTY;
	case CV_ERR_NAME_LONG:
		return ENAMETOOLONG;
	case CV_ERR_LINKS:
		return EMLINK;
	case CV_ERR_FILE_SIZE:
		return EFBIG;
	case CV_ERR_NO_DATA:
		return ENXIO;
	case CV_ERR_NOT_SUPPORTED:
		return EOPNOTSUPP;
	case CV_ERR_ARGUMENT:
		return EINVAL;
	case CV_ERR_MEMORY:
		return ENOMEM;
	/* clang-format off */
	case CV_ERR_INTERNAL: case CV_ERR_RANDOM: case CV_ERR_CRYPTO: case CV_ERR_TOO_LONG:
	case CV_ERR_FORMAT: case CV_ERR_TYPE: case CV_ERR_RANGE: case CV_ERR_MAC:
	case CV_ERR_SIGNATURE: case CV_ERR_ALGORITHM: case CV_ERR_SEAL: case CV_ERR_ROLE:
	case CV_ERR_EXPIRED: case CV_ERR_MISMATCH: case CV_ERR_NONCE_FOREIGN:
	case CV_ERR_NONCE_EXPIRED: case CV_ERR_NONCE_SPENT: case CV_ERR_SHARE_INDEX:
	case CV_ERR_SHARE_COUNT: case CV_ERR_SHARE_INVALID: case CV_ERR_UNREACHABLE:
	case CV_ERR_TOO_FEW: case CV_ERR_DENIED: case CV_ERR_TIMEOUT: case CV_ERR_SHARE_SET:
	case CV_ERR_IO: case CV_ERR_CONFIG: case CV_ERR_TPM: case CV_ERR_NOT_BUILT: case CV_ERR_TAMPERED:
	case CV_ERR_TOO_OLD: case CV_ERR_VERSION: case CV_ERR_NOT_VOLUME: case CV_ERR_WRONG_KEY:
	case CV_ERR_FUSE: case CV_ERR_COUNT_:
		/* clang-format on */
		return EIO;
	}
	return EIO;
}

/* "/a/b (inode 5)", or the number alone if the path may not be shown or cannot be found. */
static void name_object(struct mount *m, bool path, uint64_t object, uint64_t parent,
	char out[MOUNT_ERROR_MAX / 2])
{
	char text[MOUNT_ERROR_MAX / 2 - 40];

	if (path && path_find(m->volume, object, parent, text, sizeof(text)) == CV_OK)
		(void)snprintf(out, MOUNT_ERROR_MAX / 2, "%s (inode %" PRIu64 ")", text, object);
	else
		(void)snprintf(out, MOUNT_ERROR_MAX / 2, "inode %" PRIu64, object);
}

static void describe(struct mount *m, const struct counters_error *e, bool path,
	char out[MOUNT_ERROR_MAX])
{
	char who[MOUNT_ERROR_MAX / 2];
	int n;

	name_object(m, path, e->object, e->parent, who);
	n = snprintf(out, MOUNT_ERROR_MAX, "%s: %s: %s", e->what, who, cv_err_text(e->err));
	if (e->block && n < MOUNT_ERROR_MAX)
		(void)snprintf(out + n, (size_t)(MOUNT_ERROR_MAX - n), " (block %" PRIu64 ")",
			e->block);
}

void mount_last_error(struct mount *m, char out[MOUNT_ERROR_MAX])
{
	struct counters_error e = counters_last(&m->counters);

	out[0] = '\0';
	if (!e.object)
		return;
	(void)pthread_mutex_lock(&m->volume->lock);
	describe(m, &e, true, out);
	tree_trim(&m->volume->tree);
	(void)pthread_mutex_unlock(&m->volume->lock);
}

int mount_errno(struct mount *m, enum cv_err err, uint64_t object, const char *what)
{
	struct volume *v = m->volume;
	int e = errno_of(err);
	struct counters_error error = {
		.object = object, .block = v->tree.bad_block, .what = what, .err = err
	};
	char line[MOUNT_ERROR_MAX];

	if (e == ENOSPC)
		atomic_fetch_add(&m->counters.full, 1);
	if (e != EIO)
		return e;
	error.parent = lookups_parent(&m->lookups, object);
	v->tampered += err == CV_ERR_TAMPERED;
	v->io_errors++;
	counters_error(&m->counters, &error);
	describe(m, &error, m->options.log_paths, line);
	v->tree.bad_block = 0;
	log_error("%s", line);
	return e;
}
