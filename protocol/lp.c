#include "protocol/lp.h"

#include <string.h>

#define LENGTH_BYTES 4
#define INTEGER_BYTES 8

static void put_be(uint8_t *out, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get_be(const uint8_t *in, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | in[i];
	return value;
}

void lp_begin(struct lp *lp, uint8_t *buf, size_t cap, const char *label)
{
	lp->buf = buf;
	lp->cap = cap;
	lp->len = 0;
	lp->err = CV_OK;
	if (label[0] == '\0')
		lp->err = CV_ERR_ARGUMENT;
	lp_text(lp, label);
}

void lp_bytes(struct lp *lp, const void *data, size_t len)
{
	size_t room = lp->cap - lp->len;

	if (lp->err != CV_OK)
		return;
	if (len > UINT32_MAX || room < LENGTH_BYTES || room - LENGTH_BYTES < len) {
		lp->err = CV_ERR_TOO_LONG;
		return;
	}
	put_be(lp->buf + lp->len, len, LENGTH_BYTES);
	if (len > 0)
		memcpy(lp->buf + lp->len + LENGTH_BYTES, data, len);
	lp->len += LENGTH_BYTES + len;
}

void lp_text(struct lp *lp, const char *text)
{
	lp_bytes(lp, text, strlen(text));
}

void lp_u64(struct lp *lp, uint64_t value)
{
	uint8_t field[INTEGER_BYTES];

	put_be(field, value, sizeof(field));
	lp_bytes(lp, field, sizeof(field));
}

enum cv_err lp_end(const struct lp *lp, size_t *len)
{
	if (lp->err == CV_OK)
		*len = lp->len;
	return lp->err;
}

static void read_failed(struct lp_reader *r, enum cv_err err)
{
	if (r->err == CV_OK)
		r->err = err;
	r->pos = r->end;
}

void lp_read_begin(struct lp_reader *r, const uint8_t *data, size_t len, const char *label)
{
	const uint8_t *field;
	size_t field_len;

	r->pos = data;
	r->end = data + len;
	r->err = CV_OK;
	field = lp_read_bytes(r, &field_len);
	if (field == NULL)
		return;
	if (field_len != strlen(label) || memcmp(field, label, field_len) != 0)
		read_failed(r, CV_ERR_FORMAT);
}

const uint8_t *lp_read_bytes(struct lp_reader *r, size_t *len)
{
	const uint8_t *field;
	size_t left = (size_t)(r->end - r->pos);
	uint64_t n;

	*len = 0;
	if (r->err != CV_OK)
		return NULL;
	if (left < LENGTH_BYTES) {
		read_failed(r, CV_ERR_FORMAT);
		return NULL;
	}
	n = get_be(r->pos, LENGTH_BYTES);
	if (n > left - LENGTH_BYTES) {
		read_failed(r, CV_ERR_FORMAT);
		return NULL;
	}
	field = r->pos + LENGTH_BYTES;
	r->pos = field + n;
	*len = (size_t)n;
	return field;
}

void lp_read_exact(struct lp_reader *r, void *out, size_t n)
{
	size_t len;
	const uint8_t *field = lp_read_bytes(r, &len);

	if (field == NULL)
		return;
	if (len != n) {
		read_failed(r, CV_ERR_FORMAT);
		return;
	}
	if (n > 0)
		memcpy(out, field, n);
}

void lp_read_text(struct lp_reader *r, char *out, size_t cap)
{
	size_t len;
	const uint8_t *field = lp_read_bytes(r, &len);

	if (field == NULL)
		return;
	if (len >= cap) {
		read_failed(r, CV_ERR_TOO_LONG);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (field[i] == 0) {
			read_failed(r, CV_ERR_FORMAT);
			return;
		}
	}
	memcpy(out, field, len);
	out[len] = '\0';
}

uint64_t lp_read_u64(struct lp_reader *r)
{
	uint8_t field[INTEGER_BYTES] = {0};

	lp_read_exact(r, field, sizeof(field));
	return r->err == CV_OK ? get_be(field, sizeof(field)) : 0;
}

enum cv_err lp_read_end(const struct lp_reader *r)
{
	if (r->err != CV_OK)
		return r->err;
	return r->pos == r->end ? CV_OK : CV_ERR_FORMAT;
}
