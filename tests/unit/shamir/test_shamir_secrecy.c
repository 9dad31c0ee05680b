/* K-1 shares say nothing: counted out where that is possible, and by chi-square over random splits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sodium.h>

#include "shamir/shamir.h"

#define SPLITS 20000
/* 255 degrees of freedom: mean 255, deviation 22.6; a sound source is above this once in 10^10. */
#define CHI_SQUARE_LIMIT 420.0

/* Over all 256 coefficients a share takes each value once, whatever the secret is. */
static void one_share_of_two_is_uniform_for_every_secret(void **state)
{
	uint8_t secret[SHAMIR_SECRET_BYTES], random[SHAMIR_RANDOM_BYTES(2)];
	struct shamir_share shares[3];

	(void)state;
	for (unsigned int s = 0; s < 256; s++) {
		uint8_t seen[3][256] = {{0}};

		memset(secret, (int)s, sizeof(secret));
		/* 32 coefficients in one split, one in each lane */
		for (unsigned int r = 0; r < 256; r += SHAMIR_SECRET_BYTES) {
			for (unsigned int i = 0; i < SHAMIR_SECRET_BYTES; i++)
				random[i] = (uint8_t)(r + i);
			assert_int_equal(shamir_split(shares, 3, 2, secret, random), SHAMIR_OK);
			for (unsigned int j = 0; j < 3; j++) {
				for (unsigned int i = 0; i < SHAMIR_SECRET_BYTES; i++)
					seen[j][shares[j].y[i]]++;
			}
		}
		for (unsigned int v = 0; v < 256; v++) {
			assert_int_equal(seen[0][v], 1);
			assert_int_equal(seen[1][v], 1);
			assert_int_equal(seen[2][v], 1);
		}
	}
}

/* Over all 65536 coefficient pairs two shares take each pair of values once. */
static void two_shares_of_three_are_jointly_uniform(void **state)
{
	static uint8_t seen[65536];
	uint8_t secret[SHAMIR_SECRET_BYTES], random[SHAMIR_RANDOM_BYTES(3)];
	struct shamir_share shares[3];
	static const uint8_t secrets[] = {0, 1, 0x80, 0xff};

	(void)state;
	for (size_t s = 0; s < sizeof(secrets); s++) {
		memset(seen, 0, sizeof(seen));
		memset(secret, secrets[s], sizeof(secret));
		for (unsigned int r = 0; r < 65536; r += SHAMIR_SECRET_BYTES) {
			for (unsigned int i = 0; i < SHAMIR_SECRET_BYTES; i++) {
				random[i] = (uint8_t)(r + i);
				random[SHAMIR_SECRET_BYTES + i] = (uint8_t)((r + i) >> 8);
			}
			assert_int_equal(shamir_split(shares, 3, 3, secret, random), SHAMIR_OK);
			for (unsigned int i = 0; i < SHAMIR_SECRET_BYTES; i++)
				seen[shares[0].y[i] << 8 | shares[2].y[i]]++;
		}
		for (unsigned int v = 0; v < 65536; v++)
			assert_int_equal(seen[v], 1);
	}
}

static double chi_square(const uint32_t counts[256])
{
	double expected = (double)SPLITS * SHAMIR_SECRET_BYTES / 256, sum = 0;

	for (unsigned int v = 0; v < 256; v++) {
		double difference = counts[v] - expected;

		sum += difference * difference / expected;
	}
	return sum;
}

/*
 * The first coefficient as seen from outside: at x = 1 with k = 2 a share is secret + coefficient.
 * `reject_zero` is the mistake that this must catch.
 */
static double chi_square_of_first_coefficient(int reject_zero)
{
	uint8_t secret[SHAMIR_SECRET_BYTES], random[SHAMIR_RANDOM_BYTES(2)];
	struct shamir_share shares[2];
	uint32_t counts[256] = {0};

	for (unsigned int n = 0; n < SPLITS; n++) {
		randombytes_buf(secret, sizeof(secret));
		randombytes_buf(random, sizeof(random));
		for (unsigned int i = 0; reject_zero && i < sizeof(random); i++) {
			while (random[i] == 0)
				randombytes_buf(&random[i], 1);
		}
		assert_int_equal(shamir_split(shares, 2, 2, secret, random), SHAMIR_OK);
		for (unsigned int i = 0; i < SHAMIR_SECRET_BYTES; i++)
			counts[shares[0].y[i] ^ secret[i]]++;
	}
	return chi_square(counts);
}

static void coefficients_are_uniform_with_zero_among_them(void **state)
{
	(void)state;
	assert_true(chi_square_of_first_coefficient(0) < CHI_SQUARE_LIMIT);
}

static void a_source_without_zero_would_be_noticed(void **state)
{
	(void)state;
	assert_true(chi_square_of_first_coefficient(1) > 2 * CHI_SQUARE_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_share_of_two_is_uniform_for_every_secret),
		cmocka_unit_test(two_shares_of_three_are_jointly_uniform),
		cmocka_unit_test(coefficients_are_uniform_with_zero_among_them),
		cmocka_unit_test(a_source_without_zero_would_be_noticed),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
