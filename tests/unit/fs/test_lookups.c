/* The table of what the kernel knows, against a plain array of the same. */
#include <stdlib.h>
#include <string.h>

#include "fs/lookups.h"
#include "tests/unit/fs/support.h"

#define OBJECTS 20000u

struct known {
	uint64_t count;
	uint64_t parent;
	bool told;
};

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static void assert_same(const struct lookups *l, const struct known *k)
{
	size_t used = 0;

	for (uint64_t object = 1; object < OBJECTS; object++) {
		assert_int_equal(lookups_get(l, object), k[object].count);
		if (!k[object].count)
			continue;
		used++;
		assert_int_equal(lookups_parent(l, object), k[object].parent);
		assert_int_equal(lookups_is_told(l, object), k[object].told);
	}
	assert_int_equal(l->used, used);
}

static void add(struct lookups *l, struct known *k, uint64_t object, uint64_t parent)
{
	assert_int_equal(lookups_add(l, object, parent), CV_OK);
	k[object].count++;
	k[object].parent = parent;
}

static void forget(struct lookups *l, struct known *k, uint64_t object, uint64_t count)
{
	uint64_t left = k[object].count > count ? k[object].count - count : 0;

	assert_int_equal(lookups_forget(l, object, count), left);
	k[object].count = left;
	if (!left)
		k[object].told = false;
}

static void holds_what_a_plain_array_holds(void **state)
{
	struct known *k = calloc(OBJECTS, sizeof(*k));
	struct lookups l;
	uint64_t seed = 7;

	(void)state;
	assert_non_null(k);
	assert_int_equal(lookups_init(&l), CV_OK);
	for (unsigned round = 0; round < 6; round++) {
		/* more come than go, then more go than come */
		for (unsigned i = 0; i < 60000; i++) {
			uint64_t object = 1 + next(&seed) % (OBJECTS - 1);

			if (next(&seed) % 8 < (round % 2 ? 1u : 7u)) {
				add(&l, k, object, next(&seed));
			} else {
				forget(&l, k, object, 1 + next(&seed) % 3);
			}
			if (next(&seed) % 4 == 0) {
				lookups_told(&l, object, true);
				k[object].told = k[object].count > 0;
			}
		}
		assert_same(&l, k);
	}
	lookups_wipe(&l);
	free(k);
}

static void takes_memory_for_what_is_known_now(void **state)
{
	struct known *k = calloc(OBJECTS, sizeof(*k));
	struct lookups l;
	size_t least;

	(void)state;
	assert_non_null(k);
	assert_int_equal(lookups_init(&l), CV_OK);
	least = l.places;
	for (uint64_t object = 1; object < OBJECTS; object++)
		add(&l, k, object, 1);
	assert_true(l.places >= OBJECTS && l.places <= 4 * (size_t)OBJECTS);
	for (uint64_t object = 10; object < OBJECTS; object++) {
		forget(&l, k, object, 1);
		assert_true(l.places == least || l.used >= l.places / 8);
	}
	assert_int_equal(l.places, least);
	assert_same(&l, k);
	lookups_wipe(&l);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_a_plain_array_holds),
		cmocka_unit_test(takes_memory_for_what_is_known_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
