/*
 * Marks secret bytes as undefined and runs one operation; valgrind's memcheck then reports each
 * branch and each address that depends on them. Valid only while `leaky_*` is reported.
 *
 *     taint_shamir split|combine|leaky_branch|leaky_table
 */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "shamir/shamir.h"

#define N 5
#define K 3

static uint8_t secret[SHAMIR_SECRET_BYTES], coefficients[SHAMIR_RANDOM_BYTES(K)];
static struct shamir_share shares[N];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i * 37 + 1);
	for (size_t i = 0; i < sizeof(coefficients); i++)
		coefficients[i] = (uint8_t)(i * 89 + 5);
}

/* Asks without making memcheck report, unlike VALGRIND_CHECK_MEM_IS_DEFINED. */
static int is_tainted(const uint8_t *p)
{
	uint8_t bits = 0;

	(void)VALGRIND_GET_VBITS(p, &bits, 1);
	return bits != 0;
}

static int run_split(void)
{
	enum shamir_err e;

	(void)VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof(secret));
	(void)VALGRIND_MAKE_MEM_UNDEFINED(coefficients, sizeof(coefficients));
	e = shamir_split(shares, N, K, secret, coefficients);
	/* The taint must have reached the shares, or nothing was tested. */
	return e == SHAMIR_OK && is_tainted(shares[0].y) ? 0 : 3;
}

static int run_combine(void)
{
	uint8_t out[SHAMIR_SECRET_BYTES];
	enum shamir_err e = shamir_split(shares, N, K, secret, coefficients);

	if (e != SHAMIR_OK)
		return 3;
	for (size_t i = 0; i < N; i++)
		(void)VALGRIND_MAKE_MEM_UNDEFINED(shares[i].y, sizeof(shares[i].y));
	e = shamir_combine(out, shares + 1, K, K);
	if (e != SHAMIR_OK || !is_tainted(out))
		return 3;
	(void)VALGRIND_MAKE_MEM_DEFINED(out, sizeof(out));
	(void)VALGRIND_MAKE_MEM_DEFINED(secret, sizeof(secret));
	return memcmp(out, secret, sizeof(out)) == 0 ? 0 : 3;
}

/* What the check must catch: multiplication by table and by early exit, as others have shipped. */
static volatile uint8_t logarithm[256];

static int run_leaky_table(void)
{
	volatile uint8_t sink;

	(void)VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof(secret));
	sink = logarithm[secret[3]];
	return sink == 0 ? 0 : 3;
}

static int run_leaky_branch(void)
{
	volatile unsigned int steps = 0;

	(void)VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof(secret));
	for (unsigned int a = secret[3]; a != 0; a >>= 1)
		steps = steps + 1;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} modes[] = {{"split", run_split}, {"combine", run_combine},
		{"leaky_table", run_leaky_table}, {"leaky_branch", run_leaky_branch}};

	if (!RUNNING_ON_VALGRIND) {
		fputs("taint_shamir: start it under valgrind (tests/taint/run.sh)\n", stderr);
		return 2;
	}
	fill();
	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run();
	}
	fputs("usage: taint_shamir split|combine|leaky_table|leaky_branch\n", stderr);
	return 2;
}
