#include "protocol/base64url.h"

#include <string.h>

/* All ones if a < b, else zero; a and b below 2^16. */
static uint32_t mask_less(uint32_t a, uint32_t b)
{
	return 0u - ((a - b) >> 31);
}

/* All ones if low <= c <= high, else zero. */
static uint32_t mask_in(uint32_t c, uint32_t low, uint32_t high)
{
	return ~mask_less(c, low) & ~mask_less(high, c);
}

static char digit_of(uint32_t v)
{
	uint32_t c;

	c = mask_less(v, 26) & (v + 'A');
	c |= mask_in(v, 26, 51) & (v - 26 + 'a');
	c |= mask_in(v, 52, 61) & (v - 52 + '0');
	c |= mask_in(v, 62, 62) & '-';
	c |= mask_in(v, 63, 63) & '_';
	return (char)c;
}

/* The value of a digit; *bad gets bits when it is none. */
static uint32_t value_of(char ch, uint32_t *bad)
{
	uint32_t c = (uint8_t)ch;
	uint32_t upper = mask_in(c, 'A', 'Z');
	uint32_t lower = mask_in(c, 'a', 'z');
	uint32_t digit = mask_in(c, '0', '9');
	uint32_t minus = mask_in(c, '-', '-');
	uint32_t under = mask_in(c, '_', '_');

	*bad |= ~(upper | lower | digit | minus | under);
	return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) |
	       (minus & 62) | (under & 63);
}

enum cv_err base64url_encode(char *out, size_t cap, const void *data, size_t len)
{
	const uint8_t *in = data;
	uint32_t bits = 0;
	unsigned int have = 0;
	size_t n = 0;

	if (len > SIZE_MAX / 8 || cap < BASE64URL_BUF(len))
		return CV_ERR_TOO_LONG;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		have += 8;
		while (have >= 6) {
			have -= 6;
			out[n++] = digit_of(bits >> have & 63);
		}
	}
	if (have > 0)
		out[n++] = digit_of(bits << (6 - have) & 63);
	out[n] = '\0';
	return CV_OK;
}

enum cv_err base64url_decode(
	void *out, size_t cap, size_t *len, const char *text, size_t text_len)
{
	uint8_t *to = out;
	uint32_t bits = 0;
	uint32_t bad = 0;
	unsigned int have = 0;
	size_t bytes = text_len / 4 * 3 + text_len % 4 * 3 / 4;
	size_t n = 0;

	if (text_len % 4 == 1)
		return CV_ERR_FORMAT;
	if (bytes > cap)
		return CV_ERR_TOO_LONG;
	for (size_t i = 0; i < text_len; i++) {
		bits = bits << 6 | value_of(text[i], &bad);
		have += 6;
		if (have >= 8) {
			have -= 8;
			to[n++] = (uint8_t)(bits >> have);
		}
	}
	bad |= bits & ((1u << have) - 1);
	if (bad != 0) {
		if (n > 0)
			memset(out, 0, n);
		return CV_ERR_FORMAT;
	}
	*len = n;
	return CV_OK;
}

enum cv_err base64url_decode_exact(void *out, size_t n, const char *text, size_t text_len)
{
	size_t len;

	if (text_len != BASE64URL_LEN(n))
		return CV_ERR_TYPE;
	return base64url_decode(out, n, &len, text, text_len);
}

static char hex_digit_of(uint32_t v)
{
	return (char)((mask_less(v, 10) & (v + '0')) | (~mask_less(v, 10) & (v - 10 + 'a')));
}

static uint32_t hex_value_of(char ch, uint32_t *bad)
{
	uint32_t c = (uint8_t)ch;
	uint32_t digit = mask_in(c, '0', '9');
	uint32_t lower = mask_in(c, 'a', 'f');

	*bad |= ~(digit | lower);
	return (digit & (c - '0')) | (lower & (c - 'a' + 10));
}

void hex_encode(char *out, const void *data, size_t len)
{
	const uint8_t *in = data;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = hex_digit_of(in[i] >> 4);
		out[2 * i + 1] = hex_digit_of(in[i] & 15);
	}
	out[2 * len] = '\0';
}

enum cv_err hex_decode(void *out, size_t n, const char *text, size_t text_len)
{
	uint8_t *to = out;
	uint32_t bad = 0;

	if (text_len % 2 != 0 || text_len / 2 != n)
		return CV_ERR_TYPE;
	for (size_t i = 0; i < n; i++) {
		uint32_t high = hex_value_of(text[2 * i], &bad);

		to[i] = (uint8_t)(high << 4 | hex_value_of(text[2 * i + 1], &bad));
	}
	if (bad != 0) {
		memset(out, 0, n);
		return CV_ERR_FORMAT;
	}
	return CV_OK;
}
