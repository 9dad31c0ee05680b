#include "http.h"

#include <string.h>

#include "http_head.h"

#define HEAD_MAX HTTP_HEAD_MAX

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
	err = http_head_parse(head, answer);
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
