/*
 * One result type for the whole project.
 *
 * A result variable starts as CV_ERR_INTERNAL, so a forgotten assignment fails closed. Libraries
 * return these and never print; a program prints one line and maps the value to its exit code.
 */
#ifndef CONCLAVE_PROTOCOL_ERR_H
#define CONCLAVE_PROTOCOL_ERR_H

#define CV_MUST_CHECK __attribute__((warn_unused_result))

enum cv_err {
	CV_OK = 0,
	CV_ERR_INTERNAL,	/* a bug, or a value nobody set */
	CV_ERR_ARGUMENT,	/* the caller broke the contract */
	CV_ERR_MEMORY,		/* allocation or memory lock failed */
	CV_ERR_RANDOM,		/* no randomness */
	CV_ERR_CRYPTO,		/* the crypto library failed */

	/* decoding */
	CV_ERR_TOO_LONG,	/* over a named limit, or over the caller's buffer */
	CV_ERR_FORMAT,		/* not well-formed: JSON, base64url, JWS, header */
	CV_ERR_TYPE,		/* well-formed; a member is missing, unknown or of the wrong type */
	CV_ERR_RANGE,		/* a number outside its bounds */

	/* authenticity */
	CV_ERR_MAC,
	CV_ERR_SIGNATURE,
	CV_ERR_ALGORITHM,	/* "alg" is not the pinned one */
	CV_ERR_SEAL,		/* AEAD did not open */
	CV_ERR_ROLE,		/* certificate lacks the role */
	CV_ERR_EXPIRED,
	CV_ERR_MISMATCH,	/* made for another fleet, device, gateway, volume or epoch */

	/* nonces */
	CV_ERR_NONCE_FOREIGN,
	CV_ERR_NONCE_EXPIRED,
	CV_ERR_NONCE_SPENT,

	/* sharing */
	CV_ERR_SHARE_INDEX,	/* x is 0 or appears twice */
	CV_ERR_SHARE_COUNT,	/* fewer shares than the threshold, or K/N out of bounds */
	CV_ERR_SHARE_INVALID,	/* commitment does not hold */

	/* unlock */
	CV_ERR_UNREACHABLE,	/* no answer from a peer */
	CV_ERR_TOO_FEW,		/* fewer than K gateways answered */
	CV_ERR_DENIED,
	CV_ERR_TIMEOUT,
	CV_ERR_SHARE_SET,	/* wrong share set */

	/* host */
	CV_ERR_IO,
	CV_ERR_NOT_FOUND,
	CV_ERR_EXISTS,
	CV_ERR_BUSY,		/* in use, or try again */
	CV_ERR_FULL,
	CV_ERR_READ_ONLY,
	CV_ERR_PERMISSION,
	CV_ERR_CONFIG,
	CV_ERR_TPM,		/* no TPM, or not the one that was enrolled as it was */
	CV_ERR_NOT_BUILT,	/* asked for something that this version does not have */

	/* volume */
	CV_ERR_TAMPERED,	/* damage that no power cut can explain */
	CV_ERR_TOO_OLD,		/* older than the caller allows */
	CV_ERR_VERSION,		/* newer format or unknown feature */
	CV_ERR_NOT_VOLUME,
	CV_ERR_WRONG_KEY,
	CV_ERR_FUSE,

	/* filesystem operations, each one errno */
	CV_ERR_NOT_DIR,
	CV_ERR_IS_DIR,
	CV_ERR_NOT_EMPTY,
	CV_ERR_NAME_LONG,
	CV_ERR_LINKS,
	CV_ERR_FILE_SIZE,
	CV_ERR_NO_DATA,
	CV_ERR_NOT_SUPPORTED,

	CV_ERR_COUNT_		/* number of values; never returned */
};

/* A short lower-case phrase in English, never NULL; static storage. */
const char *cv_err_text(enum cv_err e);

#endif
