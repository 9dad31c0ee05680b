#include "host/exit_code.h"

int exit_code_of(enum cv_err err)
{
	switch (err) {
	case CV_OK:
		return EXIT_CODE_OK;
	case CV_ERR_ARGUMENT:
		return EXIT_CODE_USAGE;
	case CV_ERR_CONFIG:
	case CV_ERR_NOT_FOUND:
	case CV_ERR_EXISTS:
	case CV_ERR_PERMISSION:
	case CV_ERR_NOT_DIR:
	case CV_ERR_IS_DIR:
	case CV_ERR_NAME_LONG:
		return EXIT_CODE_CONFIG;
	case CV_ERR_NOT_BUILT:
		return EXIT_CODE_NOT_BUILT;
	case CV_ERR_UNREACHABLE:
	case CV_ERR_TOO_FEW:
		return EXIT_CODE_TOO_FEW;
	case CV_ERR_DENIED:
	case CV_ERR_ROLE:
	case CV_ERR_NONCE_FOREIGN:
	case CV_ERR_NONCE_EXPIRED:
	case CV_ERR_NONCE_SPENT:
		return EXIT_CODE_DENIED;
	case CV_ERR_TIMEOUT:
	case CV_ERR_EXPIRED:
		return EXIT_CODE_DEADLINE;
	case CV_ERR_SHARE_SET:
		return EXIT_CODE_SHARE_SET;
	case CV_ERR_SHARE_INDEX:
	case CV_ERR_SHARE_COUNT:
	case CV_ERR_SHARE_INVALID:
		return EXIT_CODE_SHARES;
	case CV_ERR_TAMPERED:
		return EXIT_CODE_TAMPERED;
	case CV_ERR_TOO_OLD:
		return EXIT_CODE_TOO_OLD;
	case CV_ERR_BUSY:
		return EXIT_CODE_IN_USE;
	case CV_ERR_VERSION:
		return EXIT_CODE_VERSION;
	case CV_ERR_NOT_VOLUME:
	case CV_ERR_WRONG_KEY:
		return EXIT_CODE_NOT_VOLUME;
	case CV_ERR_FULL:
	case CV_ERR_READ_ONLY:
		return EXIT_CODE_NO_SPACE;
	case CV_ERR_FUSE:
		return EXIT_CODE_FUSE;
	case CV_ERR_TPM:
		return EXIT_CODE_TPM;
	/* clang-format off */
	case CV_ERR_INTERNAL: case CV_ERR_MEMORY: case CV_ERR_RANDOM: case CV_ERR_CRYPTO:
	case CV_ERR_TOO_LONG: case CV_ERR_FORMAT: case CV_ERR_TYPE: case CV_ERR_RANGE:
	case CV_ERR_MAC: case CV_ERR_SIGNATURE: case CV_ERR_ALGORITHM: case CV_ERR_SEAL:
	case CV_ERR_MISMATCH: case CV_ERR_IO: case CV_ERR_NOT_EMPTY: case CV_ERR_LINKS:
	case CV_ERR_FILE_SIZE: case CV_ERR_NO_DATA: case CV_ERR_NOT_SUPPORTED:
	case CV_ERR_COUNT_:
	/* clang-format on */
		return EXIT_CODE_INTERNAL;
	}
	return EXIT_CODE_INTERNAL;
}
