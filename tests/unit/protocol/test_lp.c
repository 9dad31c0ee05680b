#include "protocol/lp.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"

static void encodes_as_the_reference(void **state)
{
	uint8_t buf[sizeof(v_lp_example)];
	struct lp lp;
	size_t len = 0;

	(void)state;
	lp_begin(&lp, buf, sizeof(buf), "label");
	lp_text(&lp, "text");
	lp_bytes(&lp, "\x00\xff", 2);
	lp_bytes(&lp, NULL, 0);
	lp_u64(&lp, 258);
	assert_int_equal(lp_end(&lp, &len), CV_OK);
	assert_int_equal(len, sizeof(v_lp_example));
	assert_memory_equal(buf, v_lp_example, len);
}

static void an_overflow_at_any_length_is_reported_and_stays_inside(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < sizeof(v_lp_example); cap++) {
		uint8_t *buf = malloc(cap > 0 ? cap : 1);
		struct lp lp;
		size_t len = 77;

		lp_begin(&lp, buf, cap, "label");
		lp_text(&lp, "text");
		lp_bytes(&lp, "\x00\xff", 2);
		lp_bytes(&lp, NULL, 0);
		lp_u64(&lp, 258);
		assert_int_equal(lp_end(&lp, &len), CV_ERR_TOO_LONG);
		assert_int_equal(len, 77);
		free(buf);
	}
}

static void an_overflow_is_not_forgotten_by_a_shorter_field(void **state)
{
	uint8_t buf[16];
	struct lp lp;
	size_t len;

	(void)state;
	lp_begin(&lp, buf, sizeof(buf), "l");
	lp_bytes(&lp, "0123456789abcdef", 16);
	lp_bytes(&lp, "a", 1);
	assert_int_equal(lp_end(&lp, &len), CV_ERR_TOO_LONG);
}

static void an_empty_label_is_refused(void **state)
{
	uint8_t buf[16];
	struct lp lp;
	size_t len;

	(void)state;
	lp_begin(&lp, buf, sizeof(buf), "");
	assert_int_equal(lp_end(&lp, &len), CV_ERR_ARGUMENT);
}

static enum cv_err decode(const char *data, size_t len)
{
	struct lp_reader r;
	char text[8];
	uint8_t two[2];
	uint64_t value;
	size_t n;
	enum cv_err err;

	lp_read_begin(&r, (const uint8_t *)data, len, "label");
	lp_read_text(&r, text, sizeof(text));
	lp_read_exact(&r, two, sizeof(two));
	(void)lp_read_bytes(&r, &n);
	value = lp_read_u64(&r);
	err = lp_read_end(&r);
	if (err == CV_OK)
		assert_int_equal(n, 0);
	/* content may be any, lengths may not */
	(void)value;
	return err;
}

static void reads_back_what_it_wrote(void **state)
{
	struct lp_reader r;
	char text[8];
	uint8_t two[2];
	size_t n;

	(void)state;
	lp_read_begin(&r, v_lp_example, sizeof(v_lp_example), "label");
	lp_read_text(&r, text, sizeof(text));
	lp_read_exact(&r, two, sizeof(two));
	assert_non_null(lp_read_bytes(&r, &n));
	assert_int_equal(lp_read_u64(&r), 258);
	assert_int_equal(lp_read_end(&r), CV_OK);
	assert_string_equal(text, "text");
	assert_memory_equal(two, "\x00\xff", 2);
}

static void reader_refuses_every_truncation_and_one_byte_more(void **state)
{
	(void)state;
	damage_accepts(decode, v_lp_example, sizeof(v_lp_example));
	damage_refuses_truncations(decode, v_lp_example, sizeof(v_lp_example));
	damage_refuses_one_more(decode, v_lp_example, sizeof(v_lp_example));
	damage_flips(decode, v_lp_example, sizeof(v_lp_example));
}

static void reader_refuses_another_label_and_its_prefix(void **state)
{
	struct lp_reader r;

	(void)state;
	lp_read_begin(&r, v_lp_example, 9, "labels");
	assert_int_equal(lp_read_end(&r), CV_ERR_FORMAT);
	lp_read_begin(&r, v_lp_example, 9, "labe");
	assert_int_equal(lp_read_end(&r), CV_ERR_FORMAT);
	lp_read_begin(&r, v_lp_example, 9, "label");
	assert_int_equal(lp_read_end(&r), CV_OK);
}

static void text_with_a_nul_or_too_long_is_refused(void **state)
{
	uint8_t buf[64];
	char text[5] = "kept";
	struct lp_reader r;
	struct lp lp;
	size_t len;

	(void)state;
	lp_begin(&lp, buf, sizeof(buf), "l");
	lp_bytes(&lp, "a\0b", 3);
	assert_int_equal(lp_end(&lp, &len), CV_OK);
	lp_read_begin(&r, buf, len, "l");
	lp_read_text(&r, text, sizeof(text));
	assert_int_equal(lp_read_end(&r), CV_ERR_FORMAT);
	lp_begin(&lp, buf, sizeof(buf), "l");
	lp_text(&lp, "12345");
	assert_int_equal(lp_end(&lp, &len), CV_OK);
	lp_read_begin(&r, buf, len, "l");
	lp_read_text(&r, text, sizeof(text));
	assert_int_equal(lp_read_end(&r), CV_ERR_TOO_LONG);
	assert_string_equal(text, "kept");
}

static void a_length_near_the_maximum_does_not_wrap(void **state)
{
	static const uint8_t field[] = {0, 0, 0, 1, 'l', 0xff, 0xff, 0xff, 0xff, 'x'};
	struct lp_reader r;
	size_t n;

	(void)state;
	lp_read_begin(&r, field, sizeof(field), "l");
	assert_null(lp_read_bytes(&r, &n));
	assert_int_equal(n, 0);
	assert_int_equal(lp_read_end(&r), CV_ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_as_the_reference),
		cmocka_unit_test(an_overflow_at_any_length_is_reported_and_stays_inside),
		cmocka_unit_test(an_overflow_is_not_forgotten_by_a_shorter_field),
		cmocka_unit_test(an_empty_label_is_refused),
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(reader_refuses_every_truncation_and_one_byte_more),
		cmocka_unit_test(reader_refuses_another_label_and_its_prefix),
		cmocka_unit_test(text_with_a_nul_or_too_long_is_refused),
		cmocka_unit_test(a_length_near_the_maximum_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
