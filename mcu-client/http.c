#include "http.h"

#include <string.h>

#define HEAD_MAX 1024

struct text {
	char buf[HEAD_MAX];
	size_t len;
	int overflow;
};

static void append(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (n > sizeof(t->buf) - t->len) {
		t->overflow = 1;
		return;
	}
	memcpy(t->buf + t->len, s, n);
	t->len += n;
}

static void append_number(struct text *t, size_t value)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = 0;
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	append(t, digits + at);
}

static enum cv_err request_send(struct tls *t, const char *host, const char *target,
	const char *mac_header, const char *body, size_t body_len, uint64_t deadline_ms)
{
	struct text head = {.len = 0, .overflow = 0};
	enum cv_err err;

	append(&head, "POST ");
	append(&head, target);
	append(&head, " HTTP/1.1\r\nHost: ");
	append(&head, host);
	append(&head, "\r\nContent-Type: application/json\r\n" MAC_HEADER_NAME ": ");
	append(&head, mac_header);
	append(&head, "\r\nContent-Length: ");
	append_number(&head, body_len);
	append(&head, "\r\n\r\n");
	if (head.overflow)
		return CV_ERR_TOO_LONG;
	err = tls_write(t, head.buf, head.len, deadline_ms);
	if (err == CV_OK)
		err = tls_write(t, body, body_len, deadline_ms);
	return err;
}

/* Reads until the blank line; what came after it is left at the end of `head`. */
static enum cv_err head_read(struct tls *t, char head[HEAD_MAX + 1], size_t *len,
	size_t *head_len, uint64_t deadline_ms)
{
	*len = 0;
	for (;;) {
		size_t done = 0;
		const char *end;
		enum cv_err err;

		if (*len == HEAD_MAX)
			return CV_ERR_TOO_LONG;
		err = tls_read(t, head + *len, HEAD_MAX - *len, deadline_ms, &done);
		if (err != CV_OK)
			return err;
		if (done == 0)
			return CV_ERR_UNREACHABLE;
		*len += done;
		head[*len] = 0;
		end = strstr(head, "\r\n\r\n");
		if (end != NULL) {
			*head_len = (size_t)(end - head) + 4;
			return CV_OK;
		}
	}
}

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* The value of a header if `line` (NUL-terminated) is that header, else NULL. */
static const char *header_value(const char *line, const char *name)
{
	while (*name != 0)
		if (lower(*line++) != lower(*name++))
			return NULL;
	if (*line++ != ':')
		return NULL;
	while (*line == ' ' || *line == '\t')
		line++;
	return line;
}

static enum cv_err number_parse(const char *text, size_t max, size_t *out)
{
	size_t value = 0;

	if (*text == 0)
		return CV_ERR_FORMAT;
	for (; *text != 0; text++) {
		if (*text < '0' || *text > '9')
			return CV_ERR_FORMAT;
		value = value * 10 + (size_t)(*text - '0');
		if (value > max)
			return CV_ERR_TOO_LONG;
	}
	*out = value;
	return CV_OK;
}

static enum cv_err header_take(
	const char *line, struct http_answer *a, size_t *content_length, int *has_length)
{
	const char *value = header_value(line, "Content-Length");

	if (value != NULL) {
		if ((*has_length)++)
			return CV_ERR_FORMAT;
		return number_parse(value, HTTP_ANSWER_MAX, content_length);
	}
	value = header_value(line, MAC_HEADER_NAME);
	if (value != NULL) {
		if (a->has_mac || strlen(value) >= sizeof(a->mac_header))
			return CV_ERR_FORMAT;
		memcpy(a->mac_header, value, strlen(value) + 1);
		a->has_mac = 1;
	}
	value = header_value(line, "Connection");
	if (value != NULL && lower(value[0]) == 'c')
		a->closes = 1;
	return header_value(line, "Transfer-Encoding") != NULL ? CV_ERR_FORMAT : CV_OK;
}

/* head is NUL-terminated after its blank line; lines are cut in place. */
static enum cv_err head_parse(char *head, struct http_answer *a, size_t *content_length)
{
	static const char version[] = "HTTP/1.1 ";
	char *line = head;
	int has_length = 0;

	if (strncmp(head, version, sizeof(version) - 1) != 0)
		return CV_ERR_FORMAT;
	for (size_t i = 0; i < 3; i++) {
		char c = head[sizeof(version) - 1 + i];

		if (c < '0' || c > '9')
			return CV_ERR_FORMAT;
		a->status = a->status * 10 + (unsigned int)(c - '0');
	}
	for (;;) {
		char *next = strstr(line, "\r\n");
		enum cv_err err;

		if (next == NULL || next == line)
			break;
		*next = 0;
		if (line != head) {
			err = header_take(line, a, content_length, &has_length);
			if (err != CV_OK)
				return err;
		}
		line = next + 2;
	}
	return has_length ? CV_OK : CV_ERR_FORMAT;
}

enum cv_err http_post(struct tls *t, const char *host, const char *target,
	const char *mac_header, const char *body, size_t body_len, uint64_t deadline_ms,
	struct http_answer *answer)
{
	char head[HEAD_MAX + 1];
	size_t len = 0, head_len = 0, have;
	enum cv_err err = request_send(t, host, target, mac_header, body, body_len, deadline_ms);

	memset(answer, 0, sizeof(*answer));
	if (err == CV_OK)
		err = head_read(t, head, &len, &head_len, deadline_ms);
	if (err != CV_OK)
		return err;
	have = len - head_len;
	if (have > sizeof(answer->body))
		return CV_ERR_TOO_LONG;
	memcpy(answer->body, head + head_len, have);
	head[head_len] = 0;
	err = head_parse(head, answer, &answer->body_len);
	if (err != CV_OK)
		return err;
	if (have > answer->body_len)
		return CV_ERR_FORMAT;
	while (have < answer->body_len) {
		size_t done = 0;

		err = tls_read(
			t, answer->body + have, answer->body_len - have, deadline_ms, &done);
		if (err != CV_OK)
			return err;
		if (done == 0)
			return CV_ERR_UNREACHABLE;
		have += done;
	}
	return CV_OK;
}
