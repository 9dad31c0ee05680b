#include "protocol/err.h"

const char *cv_err_text(enum cv_err e)
{
	switch (e) {
	case CV_OK:
		return "ok";
	case CV_ERR_INTERNAL:
		return "internal error";
	case CV_ERR_ARGUMENT:
		return "wrong argument";
	case CV_ERR_MEMORY:
		return "out of memory or of lockable memory";
	case CV_ERR_RANDOM:
		return "no randomness";
	case CV_ERR_CRYPTO:
		return "the crypto library failed";
	case CV_ERR_TOO_LONG:
		return "too long";
	case CV_ERR_FORMAT:
		return "not well-formed";
	case CV_ERR_TYPE:
		return "a member is missing, unknown or of the wrong type";
	case CV_ERR_RANGE:
		return "a number is out of range";
	case CV_ERR_MAC:
		return "the message is not authentic";
	case CV_ERR_SIGNATURE:
		return "the signature does not hold";
	case CV_ERR_ALGORITHM:
		return "the algorithm is not accepted";
	case CV_ERR_SEAL:
		return "the sealed data does not open";
	case CV_ERR_ROLE:
		return "the certificate lacks the role";
	case CV_ERR_EXPIRED:
		return "expired";
	case CV_ERR_MISMATCH:
		return "made for another fleet, device, gateway, volume or epoch";
	case CV_ERR_NONCE_FOREIGN:
		return "the nonce is not ours";
	case CV_ERR_NONCE_EXPIRED:
		return "the nonce is expired";
	case CV_ERR_NONCE_SPENT:
		return "the nonce was used before";
	case CV_ERR_SHARE_INDEX:
		return "a share index is zero or appears twice";
	case CV_ERR_SHARE_COUNT:
		return "the number of shares is wrong";
	case CV_ERR_SHARE_INVALID:
		return "a share does not match its commitment";
	case CV_ERR_UNREACHABLE:
		return "no answer";
	case CV_ERR_TOO_FEW:
		return "too few gateways answered";
	case CV_ERR_DENIED:
		return "denied";
	case CV_ERR_TIMEOUT:
		return "deadline passed";
	case CV_ERR_SHARE_SET:
		return "wrong share set";
	case CV_ERR_IO:
		return "input or output failed";
	case CV_ERR_NOT_FOUND:
		return "not found";
	case CV_ERR_EXISTS:
		return "exists already";
	case CV_ERR_BUSY:
		return "in use";
	case CV_ERR_FULL:
		return "no space left";
	case CV_ERR_READ_ONLY:
		return "read-only";
	case CV_ERR_PERMISSION:
		return "not permitted";
	case CV_ERR_CONFIG:
		return "the configuration is wrong";
	case CV_ERR_TPM:
		return "the TPM failed";
	case CV_ERR_NOT_BUILT:
		return "not part of this version";
	case CV_ERR_TAMPERED:
		return "damaged or tampered with";
	case CV_ERR_TOO_OLD:
		return "older than allowed";
	case CV_ERR_VERSION:
		return "a format or feature of another version";
	case CV_ERR_NOT_VOLUME:
		return "not a volume";
	case CV_ERR_WRONG_KEY:
		return "wrong key";
	case CV_ERR_FUSE:
		return "FUSE failed";
	case CV_ERR_NOT_DIR:
		return "not a directory";
	case CV_ERR_IS_DIR:
		return "is a directory";
	case CV_ERR_NOT_EMPTY:
		return "directory not empty";
	case CV_ERR_NAME_LONG:
		return "name too long";
	case CV_ERR_LINKS:
		return "too many links";
	case CV_ERR_FILE_SIZE:
		return "file too large";
	case CV_ERR_NO_DATA:
		return "no such attribute";
	case CV_ERR_NOT_SUPPORTED:
		return "operation not supported";
	case CV_ERR_COUNT_:
		break;
	}
	return "unknown error";
}
