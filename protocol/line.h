/*
 * One line of text into and out of the caller's buffer: header values and messages for people.
 * Portable, since the core has no printf. The writer's and the reader's errors are sticky.
 */
#ifndef CONCLAVE_PROTOCOL_LINE_H
#define CONCLAVE_PROTOCOL_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

/* 1 if the strings are equal; for public text only. */
int text_equal(const char *a, const char *b);

struct line {
	char *buf;
	size_t cap;
	size_t len;
	enum cv_err err;
};

/* Always NUL-terminated from here on, if cap is not 0; what does not fit is cut off. */
void line_begin(struct line *l, char *buf, size_t cap);
void line_text(struct line *l, const char *text);
void line_u64(struct line *l, uint64_t value);
void line_hex(struct line *l, const void *data, size_t len);
void line_base64url(struct line *l, const void *data, size_t len);
/* CV_ERR_TOO_LONG if something was cut off. */
CV_MUST_CHECK enum cv_err line_end(const struct line *l);

struct line_reader {
	const char *pos;
	const char *end;
	enum cv_err err;
};

void line_read_begin(struct line_reader *r, const char *text, size_t len);
/* The next characters must be these. */
void line_read_literal(struct line_reader *r, const char *literal);
/* The run up to the next `stop` or the end, not consumed; NULL and 0 after an error. */
const char *line_read_until(struct line_reader *r, char stop, size_t *len);
/* Decimal without leading zeros, at most CV_JSON_INTEGER_MAX, up to a space or the end. */
uint64_t line_read_u64(struct line_reader *r);
/* Bytes in lower-case hex or base64url, up to a space or the end; exactly n. */
void line_read_hex(struct line_reader *r, void *out, size_t n);
void line_read_base64url(struct line_reader *r, void *out, size_t n);
/* CV_ERR_FORMAT on characters left over. */
CV_MUST_CHECK enum cv_err line_read_end(const struct line_reader *r);

#endif
