#include "http_head.h"

#include <string.h>

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
	const char *line, struct http_answer *a, int *has_length)
{
	const char *value = header_value(line, "Content-Length");

	if (value != NULL) {
		if ((*has_length)++)
			return CV_ERR_FORMAT;
		return number_parse(value, HTTP_ANSWER_MAX, &a->body_len);
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

enum cv_err http_head_parse(char *head, struct http_answer *a)
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
			err = header_take(line, a, &has_length);
			if (err != CV_OK)
				return err;
		}
		line = next + 2;
	}
	return has_length ? CV_OK : CV_ERR_FORMAT;
}
