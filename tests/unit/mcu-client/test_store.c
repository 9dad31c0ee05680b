/* The store over a flash that loses power. */
#include "cmocka_all.h"

#include "protocol/nv_format.h"
#include "store.h"

#define BANK 512

struct chip {
	uint8_t bytes[2 * BANK];
	long words_left; /* before the power fails; -1: it does not */
	int overwritten; /* something was programmed twice */
};

static enum cv_err chip_read(void *context, uint32_t offset, void *out, size_t len)
{
	struct chip *c = context;

	assert_true(offset + len <= sizeof(c->bytes));
	memcpy(out, c->bytes + offset, len);
	return CV_OK;
}

static enum cv_err chip_program(void *context, uint32_t offset, const void *data, size_t len)
{
	struct chip *c = context;

	assert_int_equal(offset % 4, 0);
	assert_int_equal(len % 4, 0);
	assert_true(offset + len <= sizeof(c->bytes));
	for (size_t i = 0; i < len; i += 4) {
		if (c->words_left == 0)
			return CV_ERR_IO;
		if (c->words_left > 0)
			c->words_left--;
		for (size_t j = i; j < i + 4; j++) {
			if (c->bytes[offset + j] != 0xff)
				c->overwritten = 1;
			c->bytes[offset + j] &= ((const uint8_t *)data)[j];
		}
	}
	return CV_OK;
}

/* Half a block is erased first, so that a cut in between is seen. */
static enum cv_err chip_erase(void *context, uint32_t offset)
{
	struct chip *c = context;

	for (size_t half = 0; half < 2; half++) {
		if (c->words_left == 0)
			return CV_ERR_IO;
		if (c->words_left > 0)
			c->words_left--;
		memset(c->bytes + offset + half * BANK / 2, 0xff, BANK / 2);
	}
	return CV_OK;
}

static struct chip chip;
static const struct store_flash flash = {chip_read, chip_program, chip_erase, &chip, BANK};

static void provision(void)
{
	memset(&chip, 0xff, sizeof(chip.bytes));
	chip.words_left = -1;
	chip.overwritten = 0;
	nv_bank_header_encode(chip.bytes, 1);
}

static uint32_t get(const struct store *s, const char *name)
{
	uint32_t v = 0;
	size_t len = 0;
	enum cv_err err = store_get(s, name, &v, sizeof(v), &len);

	if (err == CV_ERR_NOT_FOUND)
		return 0;
	assert_int_equal(err, CV_OK);
	assert_int_equal(len, sizeof(v));
	return v;
}

static void keeps_the_newest_over_many_moves(void **state)
{
	struct store s;

	(void)state;
	provision();
	assert_int_equal(store_open(&s, &flash), CV_OK);
	assert_int_equal(store_set(&s, "other", &(uint32_t){7}, 4), CV_OK);
	for (uint32_t i = 1; i <= 1000; i++) {
		assert_int_equal(store_set(&s, "counter", &i, sizeof(i)), CV_OK);
		assert_int_equal(store_open(&s, &flash), CV_OK);
		assert_int_equal(get(&s, "counter"), i);
	}
	assert_int_equal(get(&s, "other"), 7);
	assert_int_equal(chip.overwritten, 0);
	assert_true(s.sequence > 10);
}

/* For every word at which the power can fail, with the bank empty, half full and about to move. */
static void a_cut_leaves_the_old_or_the_new_value(void **state)
{
	(void)state;
	for (uint32_t before = 1; before < 40; before++)
		for (long cut = 0; cut < 200; cut++) {
			struct store s;
			uint32_t v = before + 1, got;
			enum cv_err err;

			provision();
			assert_int_equal(store_open(&s, &flash), CV_OK);
			assert_int_equal(store_set(&s, "other", &(uint32_t){7}, 4), CV_OK);
			for (uint32_t i = 1; i <= before; i++)
				assert_int_equal(store_set(&s, "counter", &i, sizeof(i)), CV_OK);
			chip.words_left = cut;
			err = store_set(&s, "counter", &v, sizeof(v));
			chip.words_left = -1;
			assert_int_equal(store_open(&s, &flash), CV_OK);
			got = get(&s, "counter");
			assert_true(got == v || (err != CV_OK && got == before));
			assert_int_equal(get(&s, "other"), 7);
			v = got + 1;
			assert_int_equal(store_set(&s, "counter", &v, sizeof(v)), CV_OK);
			assert_int_equal(store_open(&s, &flash), CV_OK);
			assert_int_equal(get(&s, "counter"), v);
			assert_int_equal(chip.overwritten, 0);
			if (err == CV_OK)
				break;
		}
}

/* What was whole when the store was opened is not taken for a torn end later. */
static void notices_damage_after_it_was_opened(void **state)
{
	uint8_t header[NV_RECORD_HEADER_BYTES];
	struct store s;
	uint32_t v = 7;
	size_t len = 0;

	(void)state;
	provision();
	assert_int_equal(store_open(&s, &flash), CV_OK);
	assert_int_equal(store_set(&s, "counter", &v, sizeof(v)), CV_OK);
	for (size_t i = 0; i < sizeof(header); i++) {
		chip.bytes[NV_BANK_HEADER_BYTES + i] ^= 1;
		assert_int_equal(store_get(&s, "counter", &v, sizeof(v), &len), CV_ERR_TAMPERED);
		chip.bytes[NV_BANK_HEADER_BYTES + i] ^= 1;
	}
	assert_int_equal(store_get(&s, "counter", &v, sizeof(v), &len), CV_OK);
}

/* So that no counter falls back unseen. */
static void refuses_damage_that_is_not_a_torn_end(void **state)
{
	struct store s;

	(void)state;
	provision();
	assert_int_equal(store_open(&s, &flash), CV_OK);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(store_set(&s, "counter", &i, sizeof(i)), CV_OK);
	/* the first two of three records of 24 bytes */
	for (size_t bit = 0; bit < 48 * 8; bit++) {
		uint8_t *byte = &chip.bytes[NV_BANK_HEADER_BYTES + bit / 8];
		int padding = bit / 8 % 24 == 23; /* no part of the record */

		*byte ^= (uint8_t)(1 << bit % 8);
		if (padding)
			assert_int_equal(store_open(&s, &flash), CV_OK);
		else
			assert_int_equal(store_open(&s, &flash), CV_ERR_TAMPERED);
		*byte ^= (uint8_t)(1 << bit % 8);
	}
}

static void says_when_nothing_was_provisioned(void **state)
{
	struct store s;

	(void)state;
	provision();
	memset(chip.bytes, 0xff, sizeof(chip.bytes));
	assert_int_equal(store_open(&s, &flash), CV_ERR_NOT_FOUND);
}

static void refuses_what_does_not_fit(void **state)
{
	static uint8_t large[BANK];
	struct store s;
	uint8_t out[4];
	size_t len;

	(void)state;
	provision();
	assert_int_equal(store_open(&s, &flash), CV_OK);
	assert_int_equal(store_set(&s, "large", large, sizeof(large)), CV_ERR_FULL);
	assert_int_equal(store_set(&s, "", large, 1), CV_ERR_TOO_LONG);
	assert_int_equal(store_set(&s, "five", large, 5), CV_OK);
	assert_int_equal(store_get(&s, "five", out, sizeof(out), &len), CV_ERR_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_newest_over_many_moves),
		cmocka_unit_test(a_cut_leaves_the_old_or_the_new_value),
		cmocka_unit_test(notices_damage_after_it_was_opened),
		cmocka_unit_test(refuses_damage_that_is_not_a_torn_end),
		cmocka_unit_test(says_when_nothing_was_provisioned),
		cmocka_unit_test(refuses_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
