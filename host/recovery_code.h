/*
 * The recovery code of a volume, for paper: 32 random bytes and the first 2 bytes of their SHA-256
 * against slips of the pen, in base32 (RFC 4648), 11 groups of 5 characters joined by dashes.
 * Reading takes lower case, and any spaces and dashes.
 */
#ifndef CONCLAVE_HOST_RECOVERY_CODE_H
#define CONCLAVE_HOST_RECOVERY_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

#define RECOVERY_CODE_BYTES 32
#define RECOVERY_CODE_BUF 66 /* 55 characters, 10 dashes, NUL */

CV_MUST_CHECK enum cv_err recovery_code_text(
	char out[RECOVERY_CODE_BUF], const uint8_t code[RECOVERY_CODE_BYTES]);
/* CV_ERR_FORMAT: not that form; CV_ERR_MISMATCH: mistyped. Zeroed on failure. */
CV_MUST_CHECK enum cv_err recovery_code_parse(
	uint8_t code[RECOVERY_CODE_BYTES], const char *text, size_t len);

#endif
