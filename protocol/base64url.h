/*
 * base64url without padding (RFC 4648 section 5), canonical: unused bits must be zero, nothing but
 * the alphabet is accepted. Lower-case hex beside it.
 *
 * Timing: branch-free per character, since shares and keys pass through it.
 */
#ifndef CONCLAVE_PROTOCOL_BASE64URL_H
#define CONCLAVE_PROTOCOL_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

#define BASE64URL_LEN(n) (((n) * 4 + 2) / 3)
#define BASE64URL_BUF(n) (BASE64URL_LEN(n) + 1)
#define HEX_BUF(n) ((n) * 2 + 1)

/* Writes BASE64URL_LEN(len) characters and a NUL; `cap` includes the NUL. */
CV_MUST_CHECK enum cv_err base64url_encode(char *out, size_t cap, const void *data, size_t len);
/* Decodes text_len characters; *len is the number of bytes. CV_ERR_FORMAT, CV_ERR_TOO_LONG. */
CV_MUST_CHECK enum cv_err base64url_decode(
	void *out, size_t cap, size_t *len, const char *text, size_t text_len);
/* The text must decode to exactly n bytes; CV_ERR_TYPE if it is another length. */
CV_MUST_CHECK enum cv_err base64url_decode_exact(
	void *out, size_t n, const char *text, size_t text_len);

/* Lower-case; `out` has HEX_BUF(len) bytes. */
void hex_encode(char *out, const void *data, size_t len);
/* Exactly n bytes from 2n lower-case digits. */
CV_MUST_CHECK enum cv_err hex_decode(void *out, size_t n, const char *text, size_t text_len);

#endif
