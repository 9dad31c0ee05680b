/*
 * Split and combine of a 32-byte secret: shamir/ beside libgfshare, where it is installed.
 *
 * Both sides draw their coefficients from the same generator (libsodium), inside the measured
 * time. libgfshare gets its best case: its context, which holds the share numbers, is made once and
 * not in the measured time.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#ifdef BENCH_GFSHARE
#include <libgfshare.h>
#endif

#include "bench/measure.h"
#include "shamir/shamir.h"

#define N_MAX 16

struct shape {
	size_t k;
	size_t n;
	uint8_t secret[SHAMIR_SECRET_BYTES];
	uint8_t random[SHAMIR_RANDOM_BYTES(N_MAX)];
	struct shamir_share shares[N_MAX];
	uint8_t out[SHAMIR_SECRET_BYTES];
#ifdef BENCH_GFSHARE
	gfshare_ctx *encoder;
	gfshare_ctx *decoder;
	uint8_t gf_shares[N_MAX][SHAMIR_SECRET_BYTES];
#endif
};

static void split(void *context, size_t times)
{
	struct shape *s = context;

	while (times--) {
		randombytes_buf(s->random, SHAMIR_RANDOM_BYTES(s->k));
		MUST(shamir_split(s->shares, s->n, s->k, s->secret, s->random));
	}
}

static void combine(void *context, size_t times)
{
	struct shape *s = context;

	while (times--)
		MUST(shamir_combine(s->out, s->shares, s->k, s->k));
}

#ifdef BENCH_GFSHARE
static void fill(unsigned char *out, unsigned int len)
{
	randombytes_buf(out, len);
}

static void gf_split(void *context, size_t times)
{
	struct shape *s = context;

	while (times--) {
		gfshare_ctx_enc_setsecret(s->encoder, s->secret);
		for (size_t i = 0; i < s->n; i++)
			gfshare_ctx_enc_getshare(s->encoder, (unsigned char)i, s->gf_shares[i]);
	}
}

static void gf_combine(void *context, size_t times)
{
	struct shape *s = context;

	while (times--) {
		for (size_t i = 0; i < s->k; i++)
			gfshare_ctx_dec_giveshare(s->decoder, (unsigned char)i, s->gf_shares[i]);
		gfshare_ctx_dec_extract(s->decoder, s->out);
	}
}

static void gf_open(struct shape *s)
{
	unsigned char numbers[N_MAX];

	for (size_t i = 0; i < N_MAX; i++)
		numbers[i] = (unsigned char)(i + 1);
	gfshare_fill_rand = fill;
	s->encoder = gfshare_ctx_init_enc(
		numbers, (unsigned)s->n, (unsigned char)s->k, SHAMIR_SECRET_BYTES);
	s->decoder = gfshare_ctx_init_dec(numbers, (unsigned)s->k, SHAMIR_SECRET_BYTES);
	MUST(!s->encoder || !s->decoder);
}
#endif

/* A side whose result is wrong has no figure. */
static void check(struct shape *s, const char *who)
{
	if (memcmp(s->out, s->secret, sizeof(s->out)) != 0)
		measure_die(who);
	memset(s->out, 0, sizeof(s->out));
}

static void one_shape(size_t k, size_t n)
{
	static struct shape s;
	struct measure_side sides[4];
	char names[4][64];
	size_t count = 0;

	memset(&s, 0, sizeof(s));
	s.k = k;
	s.n = n;
	randombytes_buf(s.secret, sizeof(s.secret));
	split(&s, 1);
	combine(&s, 1);
	check(&s, "shamir/ gives the secret back");
#define SIDE(what, who, function) \
	snprintf(names[count], sizeof(names[count]), "%s %zu of %zu\t%s", what, k, n, who); \
	sides[count] = (struct measure_side){names[count], function, &s, NULL}; \
	count++
	SIDE("split", "conclave", split);
#ifdef BENCH_GFSHARE
	gf_open(&s);
	gf_split(&s, 1);
	gf_combine(&s, 1);
	check(&s, "libgfshare gives the secret back");
	SIDE("split", "libgfshare", gf_split);
#endif
	SIDE("combine", "conclave", combine);
#ifdef BENCH_GFSHARE
	SIDE("combine", "libgfshare", gf_combine);
#endif
	measure(sides, count, 5000);
#ifdef BENCH_GFSHARE
	gfshare_ctx_free(s.encoder);
	gfshare_ctx_free(s.decoder);
#endif
}

int main(void)
{
	MUST(sodium_init() < 0);
	one_shape(2, 3);
	one_shape(3, 5);
	one_shape(5, 9);
	one_shape(16, 16);
	return 0;
}
