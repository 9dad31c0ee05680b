/* What every test of this folder includes: cmocka with what it needs, and the vectors. */
#ifndef CONCLAVE_TESTS_PROTOCOL_CHECK_H
#define CONCLAVE_TESTS_PROTOCOL_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/crypto.h"
#include "tests/vectors/protocol_vectors.h"

#define VECTOR_EPOCH 3
#define VECTOR_X 2
#define VECTOR_ISSUED 123456789
#define VECTOR_IAT 1767225600
#define VECTOR_EXP 1798761600
#define TEXT_LEN(v) (sizeof(v) - 1)

static inline int crypto_start(void **state)
{
	(void)state;
	return crypto_init() == CV_OK ? 0 : -1;
}

/* 1 if all n bytes are zero. */
static inline int all_zero(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	uint8_t seen = 0;

	for (size_t i = 0; i < n; i++)
		seen |= bytes[i];
	return seen == 0;
}

#endif
