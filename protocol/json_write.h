/*
 * A small JSON writer into the caller's buffer (cJSON prints numbers through printf, which a
 * microcontroller's libc cannot do for doubles). Commas are its business. Errors are sticky and
 * reported by json_end: CV_ERR_TOO_LONG, CV_ERR_RANGE (an integer that a reader would refuse),
 * CV_ERR_ARGUMENT (calls that do not nest, or deeper than CV_JSON_DEPTH_MAX). Text must be UTF-8
 * without NUL.
 */
#ifndef CONCLAVE_PROTOCOL_JSON_WRITE_H
#define CONCLAVE_PROTOCOL_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

struct json_writer {
	char *buf;
	size_t cap;
	size_t len;
	int depth;
	int need_comma;
	enum cv_err err;
};

void json_begin(struct json_writer *w, char *buf, size_t cap);
/* name is NULL inside an array or for the outermost value. */
void json_object_open(struct json_writer *w, const char *name);
void json_object_close(struct json_writer *w);
void json_array_open(struct json_writer *w, const char *name);
void json_array_close(struct json_writer *w);
void json_text(struct json_writer *w, const char *name, const char *text);
void json_text_n(struct json_writer *w, const char *name, const char *text, size_t len);
void json_bytes(struct json_writer *w, const char *name, const void *data, size_t len);
void json_u64(struct json_writer *w, const char *name, uint64_t value);
void json_i64(struct json_writer *w, const char *name, int64_t value);
void json_bool(struct json_writer *w, const char *name, int value);
/* Text that is JSON already and was scanned. */
void json_raw(struct json_writer *w, const char *name, const char *json, size_t len);
/*
 * Adds a member of filler so that the text will have exactly `total` bytes once the objects that
 * are open now are closed with nothing more added; CV_ERR_TOO_LONG if it is too long for that.
 */
void json_pad(struct json_writer *w, const char *name, size_t total);
/* NUL-terminates; CV_ERR_TOO_LONG if it did not fit. */
CV_MUST_CHECK enum cv_err json_end(struct json_writer *w, size_t *len);

#endif
