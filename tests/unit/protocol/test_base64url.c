#include "protocol/base64url.h"

#include "tests/unit/protocol/check.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* RFC 4648 section 10, without padding. */
static void matches_the_rfc(void **state)
{
	static const struct {
		const char *plain;
		const char *text;
	} rows[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
		{"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[16];
		char plain[16] = {0};
		size_t n = strlen(rows[i].plain);
		size_t len;

		assert_int_equal(base64url_encode(text, BASE64URL_BUF(n), rows[i].plain, n), CV_OK);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(base64url_decode(plain, n, &len, text, strlen(text)), CV_OK);
		assert_int_equal(len, n);
		assert_string_equal(plain, rows[i].plain);
	}
}

/* Every group of two characters: 12 bits, of which 8 make a byte and 4 must be zero. */
static void accepts_exactly_the_canonical_texts(void **state)
{
	(void)state;
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			char text[2] = {(char)a, (char)b};
			const char *high = a != 0 ? strchr(alphabet, a) : NULL;
			const char *low = b != 0 ? strchr(alphabet, b) : NULL;
			int good = high != NULL && low != NULL && (low - alphabet) % 16 == 0;
			uint8_t byte = 0x5a;
			size_t len;
			enum cv_err err = base64url_decode(&byte, 1, &len, text, 2);

			assert_int_equal(err, good ? CV_OK : CV_ERR_FORMAT);
			if (good)
				assert_int_equal(
					byte, (high - alphabet) << 2 | (low - alphabet) >> 4);
			else
				assert_int_equal(byte, 0);
		}
	}
}

static void every_byte_value_survives_at_every_offset(void **state)
{
	uint8_t data[256 + 3];
	uint8_t back[sizeof(data)];
	char text[BASE64URL_BUF(sizeof(data))];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 167);
	for (size_t n = 0; n <= sizeof(data); n++) {
		size_t len = 0;

		assert_int_equal(base64url_encode(text, sizeof(text), data, n), CV_OK);
		assert_int_equal(strlen(text), BASE64URL_LEN(n));
		assert_int_equal(base64url_decode(back, n, &len, text, strlen(text)), CV_OK);
		assert_int_equal(len, n);
		assert_memory_equal(back, data, n);
	}
}

static void refuses_what_does_not_fit(void **state)
{
	uint8_t data[4] = {1, 2, 3, 4};
	char text[8] = "keep";
	size_t len = 9;

	(void)state;
	assert_int_equal(base64url_encode(text, BASE64URL_BUF(4) - 1, data, 4), CV_ERR_TOO_LONG);
	assert_string_equal(text, "keep");
	assert_int_equal(base64url_decode(data, 2, &len, "AAAA", 4), CV_ERR_TOO_LONG);
	assert_int_equal(len, 9);
	assert_int_equal(base64url_decode(data, 4, &len, "A", 1), CV_ERR_FORMAT);
	assert_int_equal(base64url_decode(data, 4, &len, "AAAAA", 5), CV_ERR_FORMAT);
}

static void exact_takes_exactly_n_bytes(void **state)
{
	uint8_t data[3];

	(void)state;
	assert_int_equal(base64url_decode_exact(data, 3, "Zm9v", 4), CV_OK);
	assert_memory_equal(data, "foo", 3);
	assert_int_equal(base64url_decode_exact(data, 3, "Zm8", 3), CV_ERR_TYPE);
	assert_int_equal(base64url_decode_exact(data, 3, "Zm9vYg", 6), CV_ERR_TYPE);
	assert_int_equal(base64url_decode_exact(data, 3, "Zm9=", 4), CV_ERR_FORMAT);
	assert_true(all_zero(data, 3));
}

static void hex_is_lower_case_and_exact(void **state)
{
	uint8_t data[256];
	uint8_t back[256];
	char text[HEX_BUF(256)];

	(void)state;
	for (size_t i = 0; i < 256; i++)
		data[i] = (uint8_t)i;
	hex_encode(text, data, 256);
	assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
	assert_int_equal(hex_decode(back, 256, text, 512), CV_OK);
	assert_memory_equal(back, data, 256);
	assert_int_equal(hex_decode(back, 256, text, 511), CV_ERR_TYPE);
	assert_int_equal(hex_decode(back, 255, text, 512), CV_ERR_TYPE);
	for (int c = 0; c < 256; c++) {
		char pair[2] = {'0', (char)c};
		int good = c != 0 && strchr("0123456789abcdef", c) != NULL;

		assert_int_equal(hex_decode(back, 1, pair, 2), good ? CV_OK : CV_ERR_FORMAT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_the_rfc),
		cmocka_unit_test(accepts_exactly_the_canonical_texts),
		cmocka_unit_test(every_byte_value_survives_at_every_offset),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(exact_takes_exactly_n_bytes),
		cmocka_unit_test(hex_is_lower_case_and_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
