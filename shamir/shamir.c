#include "shamir/shamir.h"

#include <string.h>

/*
 * All 32 bytes of a secret are worked on at once, one byte per lane of a machine word. Only x
 * values and what follows from them alone (public) choose what is computed; the lanes never do.
 */
typedef size_t word;

#define ONES ((word)-1 / 255) /* 0x01 in each lane */

/* 16 bytes are a register of SSE2 and NEON; elsewhere the compiler lowers them to words. */
typedef word vec __attribute__((vector_size(16)));
#define VECS (SHAMIR_SECRET_BYTES / sizeof(vec))

struct lanes {
	vec v[VECS];
};

/* Twice each lane. Shifts in place of a product by 0x1b: some cores multiply in variable time. */
#define DOUBLE(a, carry)                                                                           \
	((((a) & (ONES * 0x7f)) << 1) ^ (carry) ^ ((carry) << 1) ^ ((carry) << 3) ^ ((carry) << 4))
#define CARRY(a) (((a) >> 7) & ONES)

/* A plain memset before a return may be dropped by the compiler. */
static void wipe(void *p, size_t len)
{
	memset(p, 0, len);
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

/* a = a times the public scalar c, plus b. */
static inline void lanes_scale_add(struct lanes *a, uint8_t c, const struct lanes *b)
{
	for (size_t i = 0; i < VECS; i++) {
		vec power = a->v[i], sum = b->v[i], carry;

		for (uint8_t bits = c; bits != 0; bits >>= 1) {
			sum ^= power & ((word)0 - (bits & 1));
			carry = CARRY(power);
			power = DOUBLE(power, carry);
		}
		a->v[i] = sum;
	}
}

enum shamir_err shamir_split(struct shamir_share *shares, size_t n, size_t k,
	const uint8_t secret[SHAMIR_SECRET_BYTES], const uint8_t *random)
{
	struct lanes y, next;

	if (k < 1 || k > n || n > SHAMIR_SHARES_MAX || (k > 1 && random == NULL))
		return SHAMIR_ERR_COUNT;
	for (size_t s = 0; s < n; s++) {
		uint8_t x = (uint8_t)(s + 1);

		/* Horner: the highest coefficient first, the secret last. */
		memset(&y, 0, sizeof(y));
		for (size_t c = k - 1; c > 0; c--) {
			memcpy(&next, random + (c - 1) * SHAMIR_SECRET_BYTES, sizeof(next));
			lanes_scale_add(&y, x, &next);
		}
		memcpy(&next, secret, sizeof(next));
		lanes_scale_add(&y, x, &next);
		shares[s].x = x;
		memcpy(shares[s].y, &y, sizeof(y));
	}
	wipe(&y, sizeof(y));
	wipe(&next, sizeof(next));
	return SHAMIR_OK;
}

/* Lane by lane a times b; only ever public values. */
static word word_multiply(word a, word b)
{
	word product = 0, carry;

	for (unsigned int bit = 0; bit < 8; bit++) {
		product ^= a & (((b >> bit) & ONES) * 0xff);
		carry = CARRY(a);
		a = DOUBLE(a, carry);
	}
	return product;
}

/* Each lane to the power 254: its inverse, and 0 for 0. */
static word word_invert(word a)
{
	word a2 = word_multiply(a, a);
	word a3 = word_multiply(a2, a);
	word a6 = word_multiply(a3, a3);
	word a12 = word_multiply(a6, a6);
	word a15 = word_multiply(a12, a3);
	word power = a15;

	for (int i = 0; i < 4; i++)
		power = word_multiply(power, power);
	return word_multiply(word_multiply(power, a12), a2); /* 15 * 16 + 12 + 2 */
}

/*
 * The Lagrange basis polynomials at x = 0 of the shares from `first` on, one per lane: the product
 * of all x_j but x_i, over the product of x_i - x_j. Computed as the product of all x_j over
 * x_i times that, so that the own factor needs no branch: it is x_i - 0.
 */
static word basis_at_zero(const struct shamir_share *shares, size_t count, size_t first)
{
	word xs = 0, numerator = ONES, denominator = ONES;

	for (size_t j = first; j < count && j < first + sizeof(word); j++)
		xs |= (word)shares[j].x << (8 * (j - first));
	for (size_t j = 0; j < count; j++) {
		word x = ONES * shares[j].x, others = x;

		if (j >= first && j < first + sizeof(word))
			others &= ~((word)0xff << (8 * (j - first)));
		numerator = word_multiply(numerator, x);
		denominator = word_multiply(denominator, xs ^ others);
	}
	return word_multiply(numerator, word_invert(denominator));
}

static int indices_are_valid(const struct shamir_share *shares, size_t count)
{
	uint8_t seen[256 / 8] = {0};

	for (size_t i = 0; i < count; i++) {
		uint8_t x = shares[i].x;
		uint8_t bit = (uint8_t)(1u << (x & 7));

		if (x == 0 || (seen[x >> 3] & bit) != 0)
			return 0;
		seen[x >> 3] |= bit;
	}
	return 1;
}

enum shamir_err shamir_combine(uint8_t secret[SHAMIR_SECRET_BYTES],
	const struct shamir_share *shares, size_t count, size_t threshold)
{
	struct lanes sum = {{{0}}}, y;
	word basis = 0;

	memset(secret, 0, SHAMIR_SECRET_BYTES);
	if (threshold < 1 || threshold > SHAMIR_SHARES_MAX || count != threshold)
		return SHAMIR_ERR_COUNT;
	if (!indices_are_valid(shares, count))
		return SHAMIR_ERR_INDEX;
	for (size_t i = 0; i < count; i++) {
		if (i % sizeof(word) == 0)
			basis = basis_at_zero(shares, count, i);
		memcpy(&y, shares[i].y, sizeof(y));
		lanes_scale_add(&y, (uint8_t)basis, &sum);
		sum = y;
		basis >>= 8;
	}
	memcpy(secret, &sum, sizeof(sum));
	wipe(&sum, sizeof(sum));
	wipe(&y, sizeof(y));
	return SHAMIR_OK;
}
