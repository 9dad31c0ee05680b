/*
 * As taint_shamir.c, for what secrets pass through above it: comparison of MACs, and the encodings
 * of shares and keys as text. The verdict of a decoder (form right or wrong) is public.
 *
 *     taint_protocol equal|base64url_encode|base64url_decode|hex_encode|hex_decode|leaky_memcmp
 */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"

static uint8_t secret[CV_SECRET_BYTES], other[CV_SECRET_BYTES];

static int is_tainted(const void *p)
{
	uint8_t bits = 0;

	(void)VALGRIND_GET_VBITS(p, &bits, 1);
	return bits != 0;
}

static void taint(void *p, size_t len)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, len);
}

static int run_equal(void)
{
	int equal;

	taint(secret, sizeof(secret));
	equal = crypto_equal(secret, other, sizeof(secret));
	if (!is_tainted(&equal))
		return 3;
	(void)VALGRIND_MAKE_MEM_DEFINED(&equal, sizeof(equal));
	return equal == 0 ? 0 : 3;
}

static int run_base64url_encode(void)
{
	char text[BASE64URL_BUF(sizeof(secret))];

	taint(secret, sizeof(secret));
	if (base64url_encode(text, sizeof(text), secret, sizeof(secret)) != CV_OK)
		return 3;
	return is_tainted(text) ? 0 : 3;
}

static int run_hex_encode(void)
{
	char text[HEX_BUF(sizeof(secret))];

	taint(secret, sizeof(secret));
	hex_encode(text, secret, sizeof(secret));
	return is_tainted(text) ? 0 : 3;
}

/*
 * A decoder may end with one branch on "was anything bad", which memcheck reports once. More is a
 * branch or an address per character.
 */
static int verdict_only(unsigned int before, enum cv_err *verdict, const uint8_t *out)
{
	unsigned int reports = VALGRIND_COUNT_ERRORS - before;

	(void)VALGRIND_MAKE_MEM_DEFINED(verdict, sizeof(*verdict));
	return *verdict == CV_OK && is_tainted(out) && reports <= 1 ? 0 : 3;
}

static int run_base64url_decode(void)
{
	char text[BASE64URL_BUF(sizeof(secret))];
	uint8_t out[sizeof(secret)];
	unsigned int before = VALGRIND_COUNT_ERRORS;
	enum cv_err e = base64url_encode(text, sizeof(text), secret, sizeof(secret));

	if (e != CV_OK)
		return 3;
	taint(text, sizeof(text) - 1);
	e = base64url_decode_exact(out, sizeof(out), text, BASE64URL_LEN(sizeof(secret)));
	return verdict_only(before, &e, out);
}

static int run_hex_decode(void)
{
	char text[HEX_BUF(sizeof(secret))];
	uint8_t out[sizeof(secret)];
	unsigned int before = VALGRIND_COUNT_ERRORS;
	enum cv_err e = CV_ERR_INTERNAL;

	hex_encode(text, secret, sizeof(secret));
	taint(text, sizeof(text) - 1);
	e = hex_decode(out, sizeof(out), text, sizeof(text) - 1);
	return verdict_only(before, &e, out);
}

/* What the check must catch: the comparison that leaks where the first difference is. */
static int run_leaky_memcmp(void)
{
	volatile uint8_t *a = secret;
	size_t i = 0;

	taint(secret, sizeof(secret));
	while (i < sizeof(secret) && a[i] == other[i])
		i++;
	return i == sizeof(secret) ? 3 : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} modes[] = {{"equal", run_equal}, {"base64url_encode", run_base64url_encode},
		{"base64url_decode", run_base64url_decode}, {"hex_encode", run_hex_encode},
		{"hex_decode", run_hex_decode}, {"leaky_memcmp", run_leaky_memcmp}};

	if (!RUNNING_ON_VALGRIND) {
		fputs("taint_protocol: start it under valgrind (tests/taint/run.sh)\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i * 37 + 1);
	memcpy(other, secret, sizeof(other));
	other[31] ^= 1;
	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run();
	}
	fputs("usage: taint_protocol MODE\n", stderr);
	return 2;
}
