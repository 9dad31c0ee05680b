#include "protocol/json_write.h"

#include <string.h>

#include "protocol/base64url.h"
#include "protocol/limits.h"
#include "protocol/line.h"

#define INTEGER_BUF 24

void json_begin(struct json_writer *w, char *buf, size_t cap)
{
	w->buf = buf;
	w->cap = cap;
	w->len = 0;
	w->depth = 0;
	w->need_comma = 0;
	w->err = cap > 0 ? CV_OK : CV_ERR_TOO_LONG;
}

static void fail(struct json_writer *w, enum cv_err err)
{
	if (w->err == CV_OK)
		w->err = err;
}

/* One byte always stays free for the NUL. */
static void put(struct json_writer *w, const char *text, size_t n)
{
	if (w->err != CV_OK)
		return;
	if (w->cap - w->len <= n) {
		w->err = CV_ERR_TOO_LONG;
		return;
	}
	if (n > 0)
		memcpy(w->buf + w->len, text, n);
	w->len += n;
}

static void put_escaped(struct json_writer *w, char c)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t byte = (uint8_t)c;
	char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};

	if (c == '"' || c == '\\') {
		put(w, "\\", 1);
		put(w, &c, 1);
	} else if (c == '\0') {
		fail(w, CV_ERR_ARGUMENT);
	} else if (byte < 0x20) {
		put(w, escape, sizeof(escape));
	} else {
		put(w, &c, 1);
	}
}

static void put_string(struct json_writer *w, const char *text, size_t len)
{
	put(w, "\"", 1);
	for (size_t i = 0; i < len && w->err == CV_OK; i++)
		put_escaped(w, text[i]);
	put(w, "\"", 1);
}

static void value_begin(struct json_writer *w, const char *name)
{
	if (w->need_comma)
		put(w, ",", 1);
	w->need_comma = 1;
	if (name != NULL) {
		put_string(w, name, strlen(name));
		put(w, ":", 1);
	}
}

static void nest(struct json_writer *w, const char *name, const char *bracket)
{
	if (w->depth >= CV_JSON_DEPTH_MAX)
		fail(w, CV_ERR_ARGUMENT);
	value_begin(w, name);
	put(w, bracket, 1);
	w->depth++;
	w->need_comma = 0;
}

static void unnest(struct json_writer *w, const char *bracket)
{
	if (w->depth <= 0) {
		fail(w, CV_ERR_ARGUMENT);
		return;
	}
	put(w, bracket, 1);
	w->depth--;
	w->need_comma = 1;
}

void json_object_open(struct json_writer *w, const char *name)
{
	nest(w, name, "{");
}

void json_object_close(struct json_writer *w)
{
	unnest(w, "}");
}

void json_array_open(struct json_writer *w, const char *name)
{
	nest(w, name, "[");
}

void json_array_close(struct json_writer *w)
{
	unnest(w, "]");
}

void json_text(struct json_writer *w, const char *name, const char *text)
{
	json_text_n(w, name, text, strlen(text));
}

void json_text_n(struct json_writer *w, const char *name, const char *text, size_t len)
{
	value_begin(w, name);
	put_string(w, text, len);
}

void json_bytes(struct json_writer *w, const char *name, const void *data, size_t len)
{
	enum cv_err err;

	value_begin(w, name);
	put(w, "\"", 1);
	if (w->err != CV_OK)
		return;
	err = base64url_encode(w->buf + w->len, w->cap - w->len, data, len);
	if (err != CV_OK) {
		fail(w, err);
		return;
	}
	w->len += BASE64URL_LEN(len);
	put(w, "\"", 1);
}

void json_u64(struct json_writer *w, const char *name, uint64_t value)
{
	char digits[INTEGER_BUF];
	struct line l;

	if (value > CV_JSON_INTEGER_MAX)
		fail(w, CV_ERR_RANGE);
	value_begin(w, name);
	line_begin(&l, digits, sizeof(digits));
	line_u64(&l, value);
	put(w, digits, l.len);
}

void json_i64(struct json_writer *w, const char *name, int64_t value)
{
	char digits[INTEGER_BUF];
	struct line l;

	if (value >= 0) {
		json_u64(w, name, (uint64_t)value);
		return;
	}
	if (value < -(int64_t)CV_JSON_INTEGER_MAX)
		fail(w, CV_ERR_RANGE);
	value_begin(w, name);
	line_begin(&l, digits, sizeof(digits));
	line_text(&l, "-");
	line_u64(&l, 0 - (uint64_t)value);
	put(w, digits, l.len);
}

void json_bool(struct json_writer *w, const char *name, int value)
{
	value_begin(w, name);
	if (value)
		put(w, "true", 4);
	else
		put(w, "false", 5);
}

void json_raw(struct json_writer *w, const char *name, const char *json, size_t len)
{
	value_begin(w, name);
	put(w, json, len);
}

void json_pad(struct json_writer *w, const char *name, size_t total)
{
	size_t fixed;

	value_begin(w, name);
	put(w, "\"", 1);
	if (w->err != CV_OK)
		return;
	fixed = w->len + 1 + (size_t)w->depth;
	if (fixed > total || w->cap <= total) {
		w->err = CV_ERR_TOO_LONG;
		return;
	}
	memset(w->buf + w->len, '0', total - fixed);
	w->len += total - fixed;
	put(w, "\"", 1);
}

enum cv_err json_end(struct json_writer *w, size_t *len)
{
	if (w->depth != 0)
		fail(w, CV_ERR_ARGUMENT);
	if (w->err != CV_OK)
		return w->err;
	w->buf[w->len] = '\0';
	*len = w->len;
	return CV_OK;
}
