#include "protocol/line.h"

#include <string.h>

#include "protocol/base64url.h"
#include "protocol/limits.h"

#define U64_DIGITS 20

int text_equal(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n == strlen(b) && memcmp(a, b, n) == 0;
}

void line_begin(struct line *l, char *buf, size_t cap)
{
	l->buf = buf;
	l->cap = cap;
	l->len = 0;
	l->err = cap > 0 ? CV_OK : CV_ERR_TOO_LONG;
	if (cap > 0)
		buf[0] = '\0';
}

/* Room for n more characters and the NUL. */
static int line_room(struct line *l, size_t n)
{
	if (l->err == CV_OK && l->cap - l->len <= n)
		l->err = CV_ERR_TOO_LONG;
	return l->err == CV_OK;
}

static void line_put(struct line *l, const char *text, size_t len)
{
	if (l->err != CV_OK)
		return;
	if (!line_room(l, len))
		len = l->cap - l->len - 1;
	memcpy(l->buf + l->len, text, len);
	l->len += len;
	l->buf[l->len] = '\0';
}

void line_text(struct line *l, const char *text)
{
	line_put(l, text, strlen(text));
}

void line_u64(struct line *l, uint64_t value)
{
	char digits[U64_DIGITS];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	line_put(l, digits + at, sizeof(digits) - at);
}

void line_hex(struct line *l, const void *data, size_t len)
{
	if (!line_room(l, 2 * len))
		return;
	hex_encode(l->buf + l->len, data, len);
	l->len += 2 * len;
}

void line_base64url(struct line *l, const void *data, size_t len)
{
	if (!line_room(l, BASE64URL_LEN(len)))
		return;
	l->err = base64url_encode(l->buf + l->len, l->cap - l->len, data, len);
	if (l->err == CV_OK)
		l->len += BASE64URL_LEN(len);
}

enum cv_err line_end(const struct line *l)
{
	return l->err;
}

void line_read_begin(struct line_reader *r, const char *text, size_t len)
{
	r->pos = text;
	r->end = text + len;
	r->err = CV_OK;
}

void line_read_literal(struct line_reader *r, const char *literal)
{
	size_t n = strlen(literal);

	if (r->err != CV_OK)
		return;
	if ((size_t)(r->end - r->pos) < n || memcmp(r->pos, literal, n) != 0) {
		r->err = CV_ERR_FORMAT;
		return;
	}
	r->pos += n;
}

const char *line_read_until(struct line_reader *r, char stop, size_t *len)
{
	const char *start = r->pos;

	*len = 0;
	if (r->err != CV_OK)
		return NULL;
	while (r->pos < r->end && *r->pos != stop)
		r->pos++;
	*len = (size_t)(r->pos - start);
	return start;
}

uint64_t line_read_u64(struct line_reader *r)
{
	uint64_t value = 0;
	size_t len;
	const char *digits = line_read_until(r, ' ', &len);

	if (digits == NULL)
		return 0;
	if (len == 0 || len > 16 || (digits[0] == '0' && len > 1)) {
		r->err = CV_ERR_FORMAT;
		return 0;
	}
	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9') {
			r->err = CV_ERR_FORMAT;
			return 0;
		}
		value = value * 10 + (uint64_t)(digits[i] - '0');
	}
	if (value > CV_JSON_INTEGER_MAX) {
		r->err = CV_ERR_RANGE;
		return 0;
	}
	return value;
}

void line_read_hex(struct line_reader *r, void *out, size_t n)
{
	size_t len;
	const char *text = line_read_until(r, ' ', &len);

	if (text != NULL)
		r->err = hex_decode(out, n, text, len);
}

void line_read_base64url(struct line_reader *r, void *out, size_t n)
{
	size_t len;
	const char *text = line_read_until(r, ' ', &len);

	if (text != NULL)
		r->err = base64url_decode_exact(out, n, text, len);
}

enum cv_err line_read_end(const struct line_reader *r)
{
	if (r->err != CV_OK)
		return r->err;
	return r->pos == r->end ? CV_OK : CV_ERR_FORMAT;
}
