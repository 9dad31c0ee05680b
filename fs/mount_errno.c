/* What a program sees of a result. */
#include <errno.h>
#include <inttypes.h>

#include "fs/mount_ops.h"
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
	case CV_ERR_IO: case CV_ERR_CONFIG: case CV_ERR_NOT_BUILT: case CV_ERR_TAMPERED:
	case CV_ERR_TOO_OLD: case CV_ERR_VERSION: case CV_ERR_NOT_VOLUME: case CV_ERR_WRONG_KEY:
	case CV_ERR_FUSE: case CV_ERR_COUNT_:
		/* clang-format on */
		return EIO;
	}
	return EIO;
}

int mount_errno(struct mount *m, enum cv_err err, uint64_t object, const char *what)
{
	struct volume *v = m->volume;
	int e = errno_of(err);

	if (e != EIO)
		return e;
	v->tampered += err == CV_ERR_TAMPERED;
	v->io_errors++;
	log_error("%s: object %" PRIu64 ": %s (block %" PRIu64 ")", what, object, cv_err_text(err),
		v->tree.bad_block);
	return e;
}
