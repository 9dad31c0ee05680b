#include "host/file.h"

#include <errno.h>

/* The boundary between the system and us: every errno that a file or process call can leave. */
enum cv_err file_error(int error_number)
{
	switch (error_number) {
	case 0:
		return CV_ERR_INTERNAL;
	case ENOENT:
	case ENXIO:
	case ENODEV:
	case ESRCH:
		return CV_ERR_NOT_FOUND;
	case EEXIST:
		return CV_ERR_EXISTS;
	case EACCES:
	case EPERM:
	case ELOOP:
		return CV_ERR_PERMISSION;
	case ENOSPC:
	case EDQUOT:
		return CV_ERR_FULL;
	case EROFS:
		return CV_ERR_READ_ONLY;
	case EAGAIN:
	case EBUSY:
	case ETXTBSY:
		return CV_ERR_BUSY;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return CV_ERR_MEMORY;
	case ENOTDIR:
		return CV_ERR_NOT_DIR;
	case EISDIR:
		return CV_ERR_IS_DIR;
	case ENOTEMPTY:
		return CV_ERR_NOT_EMPTY;
	case ENAMETOOLONG:
		return CV_ERR_NAME_LONG;
	case EFBIG:
		return CV_ERR_TOO_LONG;
	case ETIMEDOUT:
		return CV_ERR_TIMEOUT;
	default:
		return CV_ERR_IO;
	}
}
