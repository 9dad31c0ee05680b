#include "tests/unit/protocol/damage.h"

#include "tests/unit/protocol/check.h"

#include <cjson/cJSON.h>

/* A slow machine tries a part of all damage (tests/target). */
#ifndef DAMAGE_STEP
#define DAMAGE_STEP 1
#endif

enum cv_err damage_run(damage_decode decode, const void *data, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	enum cv_err err;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, data, len);
	/* an empty input gets a pointer that must not be read at all */
	err = decode(len > 0 ? copy : copy + 1, len);
	free(copy);
	return err;
}

void damage_accepts(damage_decode decode, const void *data, size_t len)
{
	assert_int_equal(damage_run(decode, data, len), CV_OK);
}

void damage_refuses_truncations(damage_decode decode, const void *data, size_t len)
{
	for (size_t n = 0; n < len; n += DAMAGE_STEP) {
		if (damage_run(decode, data, n) == CV_OK)
			fail_msg("accepted after %zu of %zu bytes", n, len);
	}
}

void damage_refuses_one_more(damage_decode decode, const void *data, size_t len)
{
	static const char more[] = {'x', 'A', '}', '.', '\0', '0'};
	char *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	for (size_t i = 0; i < sizeof(more); i++) {
		copy[len] = more[i];
		if (damage_run(decode, copy, len + 1) == CV_OK)
			fail_msg("accepted with byte 0x%02x behind it", (unsigned char)more[i]);
	}
	free(copy);
}

static void flip_each(damage_decode decode, const void *data, size_t len, int may_accept)
{
	char *copy = malloc(len);

	assert_non_null(copy);
	memcpy(copy, data, len);
	for (size_t bit = 0; bit < 8 * len; bit += DAMAGE_STEP) {
		copy[bit / 8] ^= (char)(1 << bit % 8);
		if (decode(copy, len) == CV_OK && !may_accept)
			fail_msg("accepted with bit %zu of byte %zu flipped", bit % 8, bit / 8);
		copy[bit / 8] ^= (char)(1 << bit % 8);
	}
	free(copy);
}

void damage_refuses_flips(damage_decode decode, const void *data, size_t len)
{
	flip_each(decode, data, len, 0);
}

void damage_flips(damage_decode decode, const void *data, size_t len)
{
	flip_each(decode, data, len, 1);
}

static size_t allocations_left;

static void *failing_malloc(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(size);
}

void damage_reports_no_memory(damage_decode decode, const void *data, size_t len)
{
	cJSON_Hooks failing = {failing_malloc, free};
	enum cv_err err = CV_ERR_MEMORY;
	size_t n;

	for (n = 0; err != CV_OK; n++) {
		allocations_left = n;
		cJSON_InitHooks(&failing);
		err = damage_run(decode, data, len);
		cJSON_InitHooks(NULL);
		if (err != CV_OK)
			assert_int_equal(err, CV_ERR_MEMORY);
	}
	assert_true(n > 1);
}
