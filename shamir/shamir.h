/*
 * Shamir's secret sharing of one 32-byte secret over GF(2^8).
 *
 * Source   Shamir, CACM 22(11), 1979; field of FIPS 197 section 4.2 (x^8 + x^4 + x^3 + x + 1).
 *          Byte i of every share lies on its own polynomial; the secret is the value at x = 0.
 * Timing   n, k and every x are public and steer the time; secret, shares' y and random do not
 *          steer branches or addresses. No tables.
 * Memory   the caller's only; nothing is kept between calls and secret temporaries are wiped.
 * Threads  any.
 *
 * This folder depends on nothing, so it has a result type of its own.
 */
#ifndef CONCLAVE_SHAMIR_SHAMIR_H
#define CONCLAVE_SHAMIR_SHAMIR_H

#include <stddef.h>
#include <stdint.h>

#define SHAMIR_SECRET_BYTES 32
#define SHAMIR_SHARES_MAX 255

/* Bytes of randomness that a split with threshold k consumes; 0 for k = 1. */
#define SHAMIR_RANDOM_BYTES(k) (((size_t)(k) - 1) * SHAMIR_SECRET_BYTES)

struct shamir_share {
	uint8_t x; /* 1 .. 255, public */
	uint8_t y[SHAMIR_SECRET_BYTES];
};

enum shamir_err {
	SHAMIR_OK = 0,
	SHAMIR_ERR_COUNT, /* not 1 <= k <= n <= 255, or count is not threshold */
	SHAMIR_ERR_INDEX, /* an x is 0 or appears twice */
};

/*
 * Split `secret` into shares[0 .. n-1] with x = 1 .. n; any k of them give it back and k-1 give
 * nothing.
 *
 * `random` is SHAMIR_RANDOM_BYTES(k) uniform bytes, the coefficients, used as they are: zero is a
 * value like any other, and leaving it out would leak. They are as secret as the secret, serve one
 * split only, and the caller wipes them. NULL is fine for k = 1.
 *
 * On error the shares are untouched. The arrays must not overlap.
 */
__attribute__((warn_unused_result)) enum shamir_err shamir_split(struct shamir_share *shares,
	size_t n, size_t k, const uint8_t secret[SHAMIR_SECRET_BYTES], const uint8_t *random);

/*
 * Combine exactly `threshold` shares, in any order, into `secret`; `count` says how many are in
 * `shares` and anything but `threshold` is SHAMIR_ERR_COUNT, fewer above all.
 *
 * A share proves nothing about itself: a wrong one gives a wrong secret and SHAMIR_OK. Check
 * commitments first (protocol/share_set.h).
 *
 * On error `secret` is zeroed.
 */
__attribute__((warn_unused_result)) enum shamir_err shamir_combine(
	uint8_t secret[SHAMIR_SECRET_BYTES], const struct shamir_share *shares, size_t count,
	size_t threshold);

#endif
