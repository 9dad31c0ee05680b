#include "protocol/json_write.h"

#include "protocol/json_get.h"
#include "protocol/json_scan.h"
#include "protocol/limits.h"
#include "tests/unit/protocol/check.h"

#define EXPECTED                                                                                \
	"{\"t\":\"a\\\"\\\\\\u0001\\u001f\xc3\xa9\",\"b\":\"AQI\",\"u\":9007199254740991,"         \
	"\"i\":-9007199254740991,\"z\":0,\"y\":true,\"n\":false,\"l\":[1,\"x\",[],{}],\"r\":[2],"  \
	"\"k\":\"ab\"}"

static void write_all(struct json_writer *w)
{
	json_object_open(w, NULL);
	json_text(w, "t", "a\"\\\x01\x1f\xc3\xa9");
	json_bytes(w, "b", "\1\2", 2);
	json_u64(w, "u", CV_JSON_INTEGER_MAX);
	json_i64(w, "i", -(int64_t)CV_JSON_INTEGER_MAX);
	json_i64(w, "z", 0);
	json_bool(w, "y", 7);
	json_bool(w, "n", 0);
	json_array_open(w, "l");
	json_u64(w, NULL, 1);
	json_text(w, NULL, "x");
	json_array_open(w, NULL);
	json_array_close(w);
	json_object_open(w, NULL);
	json_object_close(w);
	json_array_close(w);
	json_raw(w, "r", "[2]", 3);
	json_text_n(w, "k", "abc", 2);
	json_object_close(w);
}

static void writes_what_a_reader_accepts(void **state)
{
	char buf[512];
	struct json_writer w;
	size_t len = 0;

	(void)state;
	json_begin(&w, buf, sizeof(buf));
	write_all(&w);
	assert_int_equal(json_end(&w, &len), CV_OK);
	assert_string_equal(buf, EXPECTED);
	assert_int_equal(len, strlen(EXPECTED));
	assert_int_equal(json_scan(buf, len, len), CV_OK);
}

static void a_short_buffer_is_reported_at_every_length(void **state)
{
	size_t need = strlen(EXPECTED) + 1;

	(void)state;
	for (size_t cap = 0; cap <= need; cap++) {
		char *buf = malloc(cap > 0 ? cap : 1);
		struct json_writer w;
		size_t len = 7;

		json_begin(&w, buf, cap);
		write_all(&w);
		assert_int_equal(json_end(&w, &len), cap < need ? CV_ERR_TOO_LONG : CV_OK);
		assert_int_equal(len, cap < need ? 7 : need - 1);
		free(buf);
	}
}

static void escaped_text_comes_back(void **state)
{
	char text[256];
	char buf[1024];
	char back[256];
	struct json_writer w;
	struct cJSON *tree = NULL;
	size_t n = 0;
	size_t len;

	(void)state;
	for (int c = 1; c < 0x80; c++)
		text[n++] = (char)c;
	text[n] = '\0';
	json_begin(&w, buf, sizeof(buf));
	json_object_open(&w, NULL);
	json_text(&w, "t", text);
	json_object_close(&w);
	assert_int_equal(json_end(&w, &len), CV_OK);
	assert_int_equal(json_parse(&tree, buf, len, len), CV_OK);
	assert_int_equal(json_get_text(tree, "t", back, sizeof(back)), CV_OK);
	assert_string_equal(back, text);
	json_free(tree);
}

static void refuses_what_a_reader_would_refuse(void **state)
{
	char buf[256];
	struct json_writer w;
	size_t len;

	(void)state;
	json_begin(&w, buf, sizeof(buf));
	json_u64(&w, NULL, (uint64_t)CV_JSON_INTEGER_MAX + 1);
	assert_int_equal(json_end(&w, &len), CV_ERR_RANGE);
	json_begin(&w, buf, sizeof(buf));
	json_i64(&w, NULL, INT64_MIN);
	assert_int_equal(json_end(&w, &len), CV_ERR_RANGE);
	json_begin(&w, buf, sizeof(buf));
	json_text_n(&w, NULL, "a\0b", 3);
	assert_int_equal(json_end(&w, &len), CV_ERR_ARGUMENT);
	json_begin(&w, buf, sizeof(buf));
	for (int i = 0; i <= CV_JSON_DEPTH_MAX; i++)
		json_array_open(&w, NULL);
	for (int i = 0; i <= CV_JSON_DEPTH_MAX; i++)
		json_array_close(&w);
	assert_int_equal(json_end(&w, &len), CV_ERR_ARGUMENT);
	json_begin(&w, buf, sizeof(buf));
	json_object_open(&w, NULL);
	assert_int_equal(json_end(&w, &len), CV_ERR_ARGUMENT);
	json_begin(&w, buf, sizeof(buf));
	json_object_close(&w);
	assert_int_equal(json_end(&w, &len), CV_ERR_ARGUMENT);
}

static void padding_gives_the_exact_length_or_fails(void **state)
{
	char buf[128];

	(void)state;
	for (size_t total = 0; total < sizeof(buf) + 4; total++) {
		struct json_writer w;
		size_t len = 0;
		enum cv_err err;

		json_begin(&w, buf, sizeof(buf));
		json_object_open(&w, NULL);
		json_u64(&w, "a", 1);
		json_pad(&w, "pad", total);
		json_object_close(&w);
		err = json_end(&w, &len);
		if (total < strlen("{\"a\":1,\"pad\":\"\"}") || total >= sizeof(buf)) {
			assert_int_equal(err, CV_ERR_TOO_LONG);
			continue;
		}
		assert_int_equal(err, CV_OK);
		assert_int_equal(len, total);
		assert_int_equal(json_scan(buf, len, len), CV_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_a_reader_accepts),
		cmocka_unit_test(a_short_buffer_is_reported_at_every_length),
		cmocka_unit_test(escaped_text_comes_back),
		cmocka_unit_test(refuses_what_a_reader_would_refuse),
		cmocka_unit_test(padding_gives_the_exact_length_or_fails),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
