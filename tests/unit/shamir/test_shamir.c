#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "shamir/shamir.h"
#include "tests/vectors/shamir_vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint32_t seed;

/* xorshift32: these tests need bytes that differ, not randomness. */
static void fill(void *out, size_t len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 17;
		seed ^= seed << 5;
		p[i] = (uint8_t)(seed >> 8);
	}
}

static int setup(void **state)
{
	(void)state;
	seed = 2463534242u;
	return 0;
}

static void split_gives_the_shares_of_the_reference(void **state)
{
	struct shamir_share shares[SHAMIR_SHARES_MAX];

	(void)state;
	for (size_t v = 0; v < COUNT(split_vectors); v++) {
		assert_int_equal(shamir_split(shares, split_vectors[v].n, split_vectors[v].k,
			split_vectors[v].secret, split_vectors[v].random), SHAMIR_OK);
		for (size_t i = 0; i < split_vectors[v].n; i++)
			assert_int_equal(shares[i].x, i + 1);
		for (size_t i = 0; i < split_vectors[v].count; i++) {
			const struct shamir_share *expected = &split_vectors[v].shares[i];

			assert_memory_equal(
				shares[expected->x - 1].y, expected->y, SHAMIR_SECRET_BYTES);
		}
	}
}

static void combine_gives_the_secret_of_the_reference(void **state)
{
	uint8_t secret[SHAMIR_SECRET_BYTES];

	(void)state;
	for (size_t v = 0; v < COUNT(split_vectors); v++) {
		size_t k = split_vectors[v].k < split_vectors[v].count ? split_vectors[v].k
								       : split_vectors[v].count;

		assert_int_equal(
			shamir_combine(secret, split_vectors[v].shares, k, split_vectors[v].k),
			SHAMIR_OK);
		assert_memory_equal(secret, split_vectors[v].secret, SHAMIR_SECRET_BYTES);
	}
	for (size_t v = 0; v < COUNT(combine_vectors); v++) {
		assert_int_equal(shamir_combine(secret, combine_vectors[v].shares,
			combine_vectors[v].count, combine_vectors[v].count), SHAMIR_OK);
		assert_memory_equal(secret, combine_vectors[v].secret, SHAMIR_SECRET_BYTES);
	}
}

static size_t pick(struct shamir_share *picked, const struct shamir_share *shares, unsigned int set)
{
	size_t count = 0;

	for (unsigned int i = 0; set >> i != 0; i++) {
		if ((set >> i & 1) != 0)
			picked[count++] = shares[i];
	}
	return count;
}

/* Every subset of every size: K shares give the secret, and K-1 taken as a whole set do not. */
static void every_subset_of_k_gives_the_secret_and_no_other_size_does(void **state)
{
	uint8_t secret[SHAMIR_SECRET_BYTES], out[SHAMIR_SECRET_BYTES];
	uint8_t random[SHAMIR_RANDOM_BYTES(6)];
	struct shamir_share shares[6], picked[6];

	(void)state;
	for (size_t n = 1; n <= 6; n++) {
		for (size_t k = 1; k <= n; k++) {
			fill(secret, sizeof(secret));
			fill(random, sizeof(random));
			assert_int_equal(shamir_split(shares, n, k, secret, random), SHAMIR_OK);
			for (unsigned int set = 1; set < 1u << n; set++) {
				size_t count = pick(picked, shares, set);

				assert_int_equal(
					shamir_combine(out, picked, count, count), SHAMIR_OK);
				/* More than K lie on the same polynomial and are as good. */
				if (count >= k)
					assert_memory_equal(out, secret, sizeof(out));
				else
					assert_memory_not_equal(out, secret, sizeof(out));
			}
		}
	}
}

static void order_of_shares_does_not_matter(void **state)
{
	uint8_t secret[SHAMIR_SECRET_BYTES], out[SHAMIR_SECRET_BYTES];
	uint8_t random[SHAMIR_RANDOM_BYTES(16)];
	struct shamir_share shares[16];

	(void)state;
	fill(secret, sizeof(secret));
	fill(random, sizeof(random));
	assert_int_equal(shamir_split(shares, 16, 16, secret, random), SHAMIR_OK);
	for (size_t turn = 0; turn < 16; turn++) {
		struct shamir_share first = shares[0];

		memmove(&shares[0], &shares[1], 15 * sizeof(shares[0]));
		shares[15] = first;
		assert_int_equal(shamir_combine(out, shares, 16, 16), SHAMIR_OK);
		assert_memory_equal(out, secret, sizeof(out));
	}
}

static void a_share_of_another_split_or_a_flipped_bit_gives_another_secret(void **state)
{
	uint8_t secret[SHAMIR_SECRET_BYTES], out[SHAMIR_SECRET_BYTES];
	uint8_t random[SHAMIR_RANDOM_BYTES(3)];
	struct shamir_share shares[5], others[5];

	(void)state;
	fill(secret, sizeof(secret));
	fill(random, sizeof(random));
	assert_int_equal(shamir_split(shares, 5, 3, secret, random), SHAMIR_OK);
	fill(random, sizeof(random));
	assert_int_equal(shamir_split(others, 5, 3, secret, random), SHAMIR_OK);
	others[0] = shares[0];
	assert_int_equal(shamir_combine(out, others, 3, 3), SHAMIR_OK);
	assert_memory_not_equal(out, secret, sizeof(out));
	for (size_t bit = 0; bit < 8 * SHAMIR_SECRET_BYTES; bit++) {
		shares[1].y[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(shamir_combine(out, shares, 3, 3), SHAMIR_OK);
		assert_memory_not_equal(out, secret, sizeof(out));
		shares[1].y[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	shares[1].x = 5;
	assert_int_equal(shamir_combine(out, shares, 3, 3), SHAMIR_OK);
	assert_memory_not_equal(out, secret, sizeof(out));
}

static void widest_split_combines(void **state)
{
	static uint8_t random[SHAMIR_RANDOM_BYTES(255)];
	static struct shamir_share shares[255];
	uint8_t secret[SHAMIR_SECRET_BYTES], out[SHAMIR_SECRET_BYTES];

	(void)state;
	fill(secret, sizeof(secret));
	fill(random, sizeof(random));
	assert_int_equal(shamir_split(shares, 255, 255, secret, random), SHAMIR_OK);
	assert_int_equal(shamir_combine(out, shares, 255, 255), SHAMIR_OK);
	assert_memory_equal(out, secret, sizeof(out));
	shares[254].y[31] ^= 1;
	assert_int_equal(shamir_combine(out, shares, 255, 255), SHAMIR_OK);
	assert_memory_not_equal(out, secret, sizeof(out));
}

static void split_refuses_bounds_and_leaves_the_shares(void **state)
{
	static const size_t refused[][2] = {/* n, k */
		{0, 0}, {3, 0}, {0, 1}, {2, 3}, {256, 2}, {256, 256}, {(size_t)-1, 2},
		{255, 256}, {3, (size_t)-1}};
	uint8_t secret[SHAMIR_SECRET_BYTES] = {1}, random[SHAMIR_RANDOM_BYTES(3)] = {2};
	struct shamir_share shares[3], before[3];

	(void)state;
	memset(shares, 0x5a, sizeof(shares));
	memcpy(before, shares, sizeof(shares));
	for (size_t i = 0; i < COUNT(refused); i++) {
		assert_int_equal(
			shamir_split(shares, refused[i][0], refused[i][1], secret, random),
			SHAMIR_ERR_COUNT);
		assert_memory_equal(shares, before, sizeof(shares));
	}
	assert_int_equal(shamir_split(shares, 3, 2, secret, NULL), SHAMIR_ERR_COUNT);
	assert_memory_equal(shares, before, sizeof(shares));
	assert_int_equal(shamir_split(shares, 3, 1, secret, NULL), SHAMIR_OK);
}

static void refuses(const struct shamir_share *shares, size_t count, size_t threshold,
	enum shamir_err expected)
{
	uint8_t out[SHAMIR_SECRET_BYTES];
	uint8_t zero[SHAMIR_SECRET_BYTES] = {0};

	memset(out, 0x5a, sizeof(out));
	assert_int_equal(shamir_combine(out, shares, count, threshold), expected);
	assert_memory_equal(out, zero, sizeof(out));
}

static void combine_refuses_any_count_but_the_threshold_and_zeroes_the_secret(void **state)
{
	static struct shamir_share shares[300];

	(void)state;
	for (size_t i = 0; i < COUNT(shares); i++)
		shares[i].x = (uint8_t)(i % 255 + 1);
	refuses(shares, 0, 0, SHAMIR_ERR_COUNT);
	refuses(shares, 0, 1, SHAMIR_ERR_COUNT);
	refuses(shares, 1, 0, SHAMIR_ERR_COUNT);
	refuses(shares, 1, 2, SHAMIR_ERR_COUNT);
	refuses(shares, 3, 2, SHAMIR_ERR_COUNT);
	refuses(shares, 256, 256, SHAMIR_ERR_COUNT);
	refuses(shares, (size_t)-1, (size_t)-1, SHAMIR_ERR_COUNT);
}

static void combine_refuses_x_zero_in_any_place(void **state)
{
	struct shamir_share shares[4];

	(void)state;
	fill(shares, sizeof(shares));
	for (size_t zero = 0; zero < 4; zero++) {
		for (size_t i = 0; i < 4; i++)
			shares[i].x = i == zero ? 0 : (uint8_t)(250 + i);
		refuses(shares, 4, 4, SHAMIR_ERR_INDEX);
	}
	refuses(&shares[3], 1, 1, SHAMIR_ERR_INDEX);
}

static void combine_refuses_every_pair_of_equal_x(void **state)
{
	static struct shamir_share shares[16];

	(void)state;
	for (size_t a = 0; a < 16; a++) {
		for (size_t b = 0; b < a; b++) {
			for (size_t i = 0; i < 16; i++)
				shares[i].x = (uint8_t)(i * 15 + 1);
			shares[a] = shares[b];
			refuses(shares, 16, 16, SHAMIR_ERR_INDEX);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(split_gives_the_shares_of_the_reference, setup),
		cmocka_unit_test_setup(combine_gives_the_secret_of_the_reference, setup),
		cmocka_unit_test_setup(
			every_subset_of_k_gives_the_secret_and_no_other_size_does, setup),
		cmocka_unit_test_setup(order_of_shares_does_not_matter, setup),
		cmocka_unit_test_setup(
			a_share_of_another_split_or_a_flipped_bit_gives_another_secret, setup),
		cmocka_unit_test_setup(widest_split_combines, setup),
		cmocka_unit_test_setup(split_refuses_bounds_and_leaves_the_shares, setup),
		cmocka_unit_test_setup(
			combine_refuses_any_count_but_the_threshold_and_zeroes_the_secret, setup),
		cmocka_unit_test_setup(combine_refuses_x_zero_in_any_place, setup),
		cmocka_unit_test_setup(combine_refuses_every_pair_of_equal_x, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
