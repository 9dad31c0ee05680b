#include "protocol/json_scan.h"

#include "protocol/json_get.h"
#include "protocol/limits.h"
#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"

static enum cv_err scan(const char *data, size_t len)
{
	return json_scan(data, len, CV_BODY_MAX);
}

static enum cv_err scan_text(const char *text)
{
	return damage_run(scan, text, strlen(text));
}

static void accepts_what_the_document_allows(void **state)
{
	static const char *const good[] = {
		"{}", " \t\r\n{ } \n", "{\"a\":1}", "{\"a\":-1,\"b\":0}",
		"{\"a\":9007199254740991}", "{\"a\":-9007199254740991}",
		"{\"a\":[1,2,[],{}],\"b\":{\"a\":true,\"c\":false,\"d\":null}}",
		"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}",
		"{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}",
		"{\"a\":\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"}",
		"{\"a\":[[[[[[[]]]]]]]}", /* eight levels */
		"{\"a\":1,\"A\":2}", "{\"\":1}", "{\"a\":{\"a\":{\"a\":1}}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (scan_text(good[i]) != CV_OK)
			fail_msg("refused: %s", good[i]);
	}
}

static void refuses_what_is_not_json(void **state)
{
	static const char *const bad[] = {
		"", " ", "[]", "1", "\"a\"", "null", "{", "}", "{}}", "{} x", "{}{}", "{a:1}",
		"{'a':1}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\" 1}",
		"{\"a\":1 \"b\":2}", "{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":[1}",
		"{\"a\":[1}]", "{\"a\":tru}", "{\"a\":True}", "{\"a\":nul}", "{\"a\":NaN}",
		"{\"a\":Infinity}", "{\"a\":truefalse}", "{\"a\":\"}", "{\"a\":\"b}", "{\"a\":\"\\\"}",
		"{\"a\":\"\\x\"}", "{\"a\":\"\\'\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12g4\"}",
		"{\"a\":\"\n\"}", "{\"a\":\"\t\"}", "{\"a\":\"\x1f\"}", "{/*x*/}", "{}//x",
		"\xef\xbb\xbf{}", "{\"a\":1;\"b\":2}", "{\"a\"::1}", "\v{}", "{\"a\":1}\f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (scan_text(bad[i]) != CV_ERR_FORMAT)
			fail_msg("not refused as malformed: %s", bad[i]);
	}
}

static void refuses_every_number_that_is_not_a_plain_integer(void **state)
{
	static const char *const bad[] = {"1.0", "1.", ".5", "1e0", "1E0", "1e+0", "-0", "01", "-01",
		"00", "+1", "--1", "-", "0x10", "1_0", "1.5", "1e400", "0.0", "-0.0", "0e0"};
	static const char *const large[] = {"9007199254740992", "-9007199254740992",
		"18446744073709551616", "99999999999999999999999999999999999999999999999999"};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{\"a\":%s}", bad[i]);
		if (scan_text(text) != CV_ERR_FORMAT)
			fail_msg("accepted number %s", bad[i]);
		snprintf(text, sizeof(text), "{\"a\":[%s]}", bad[i]);
		if (scan_text(text) != CV_ERR_FORMAT)
			fail_msg("accepted number %s in an array", bad[i]);
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		snprintf(text, sizeof(text), "{\"a\":%s}", large[i]);
		assert_int_equal(scan_text(text), CV_ERR_RANGE);
	}
}

static void refuses_nul_in_every_form(void **state)
{
	(void)state;
	assert_int_equal(damage_run(scan, "{\"a\":\"b\0c\"}", 11), CV_ERR_FORMAT);
	assert_int_equal(damage_run(scan, "{\"a\0\":1}", 8), CV_ERR_FORMAT);
	assert_int_equal(damage_run(scan, "{}\0", 3), CV_ERR_FORMAT);
	assert_int_equal(damage_run(scan, "\0{}", 3), CV_ERR_FORMAT);
	assert_int_equal(scan_text("{\"a\":\"\\u0000\"}"), CV_ERR_FORMAT);
	assert_int_equal(scan_text("{\"a\\u0000\":1}"), CV_ERR_FORMAT);
}

static void refuses_unpaired_surrogates(void **state)
{
	static const char *const bad[] = {"\\ud800", "\\udc00", "\\udfff", "\\ud800x", "\\ud800\\n",
		"\\ud800\\u0041", "\\ud800\\ud800", "\\ude00\\ud83d", "\\udbff\\ue000", "\\uD800"};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{\"a\":\"%s\"}", bad[i]);
		if (scan_text(text) != CV_ERR_FORMAT)
			fail_msg("accepted %s", bad[i]);
	}
}

static void refuses_invalid_utf8(void **state)
{
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3\x28",
		"\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82", "\xe2\x28\xa1", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff"};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{\"a\":\"%s\"}", bad[i]);
		assert_int_equal(scan_text(text), CV_ERR_FORMAT);
		snprintf(text, sizeof(text), "{\"%s\":1}", bad[i]);
		assert_int_equal(scan_text(text), CV_ERR_FORMAT);
	}
	assert_int_equal(scan_text("{\xc2\xa0}"), CV_ERR_FORMAT);
}

static void refuses_duplicate_names_after_unescaping(void **state)
{
	static const char *const bad[] = {"{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
		"{\"\\/\":1,\"/\":2}", "{\"\\n\":1,\"\\u000a\":2}", "{\"\":1,\"\":2}",
		"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "{\"\\u00E9\":1,\"\xc3\xa9\":2}",
		"{\"b\":{\"a\":1,\"c\":[{\"x\":1}],\"a\":2}}", "{\"a\":1,\"b\":{\"c\":1},\"a\":2}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (scan_text(bad[i]) != CV_ERR_FORMAT)
			fail_msg("accepted %s", bad[i]);
	}
	assert_int_equal(scan_text("{\"a\":{\"b\":1},\"b\":{\"a\":1},\"c\":[{\"a\":1},{\"a\":1}]}"),
		CV_OK);
	assert_int_equal(scan_text("{\"a\":1,\"ab\":2,\"\":3,\"abc\":4}"), CV_OK);
}

static void refuses_nine_levels(void **state)
{
	char text[4096];

	(void)state;
	assert_int_equal(scan_text("{\"a\":[[[[[[[[]]]]]]]]}"), CV_ERR_FORMAT);
	assert_int_equal(
		scan_text("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}"),
		CV_ERR_FORMAT);
	memset(text, '[', sizeof(text));
	memcpy(text, "{\"a\":", 5);
	assert_int_equal(damage_run(scan, text, sizeof(text)), CV_ERR_FORMAT);
}

static void refuses_too_many_names_and_too_long_texts(void **state)
{
	static char text[CV_BODY_MAX + 8];
	size_t len = 1;

	(void)state;
	text[0] = '{';
	for (int i = 0; i < CV_JSON_NAMES_MAX; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s\"n%d\":1", i > 0 ? "," : "", i);
	memcpy(text + len, "}", 1);
	assert_int_equal(damage_run(scan, text, len + 1), CV_OK);
	memcpy(text + len, ",\"x\":1}", 7);
	assert_int_equal(damage_run(scan, text, len + 7), CV_ERR_TOO_LONG);

	memset(text, ' ', sizeof(text));
	memcpy(text, "{}", 2);
	assert_int_equal(damage_run(scan, text, CV_BODY_MAX), CV_OK);
	assert_int_equal(damage_run(scan, text, CV_BODY_MAX + 1), CV_ERR_TOO_LONG);
}

/* Names of closed objects do not count: a long list of small objects is fine. */
static void counts_only_names_of_open_objects(void **state)
{
	static char text[CV_BODY_MAX];
	size_t len = (size_t)snprintf(text, sizeof(text), "{\"list\":[{\"a\":1,\"b\":2}");

	(void)state;
	for (int i = 0; i < 500; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ",{\"a\":1,\"b\":2}");
	len += (size_t)snprintf(text + len, sizeof(text) - len, "]}");
	assert_int_equal(damage_run(scan, text, len), CV_OK);
}

static void refuses_every_truncation_and_one_byte_more(void **state)
{
	static const char *const texts[] = {v_authorize_request, v_event_request, v_policy,
		v_evidence_claims, v_refusal, "{\"a\":\"\\ud83d\\ude00\xf0\x9f\x98\x80\\n\",\"b\":[1]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = strlen(texts[i]);

		damage_accepts(scan, texts[i], len);
		damage_refuses_truncations(scan, texts[i], len);
		damage_refuses_one_more(scan, texts[i], len);
	}
}

/* What the scanner accepts cJSON accepts too, so that json_parse's one error is memory. */
static enum cv_err parses_as_well(const char *data, size_t len)
{
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, data, len, CV_BODY_MAX);

	assert_int_not_equal(err, CV_ERR_MEMORY);
	json_free(tree);
	return err;
}

static void what_is_accepted_also_parses(void **state)
{
	(void)state;
	damage_flips(parses_as_well, v_evidence_claims, TEXT_LEN(v_evidence_claims));
	damage_flips(parses_as_well, v_policy, TEXT_LEN(v_policy));
	damage_flips(parses_as_well, v_event_request, TEXT_LEN(v_event_request));
}

static void finds_the_raw_text_of_a_member(void **state)
{
	static const char text[] =
		" { \"a\" : [1, {\"p\":2}] , \"p\\u006flicy\" : {\"x\": \"}\\\"\"} , \"z\":-5 } ";
	const char *value = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(json_member_raw(text, TEXT_LEN(text), "policy", &value, &len), CV_OK);
	assert_int_equal(len, 12);
	assert_memory_equal(value, "{\"x\": \"}\\\"\"}", len);
	assert_int_equal(json_member_raw(text, TEXT_LEN(text), "z", &value, &len), CV_OK);
	assert_int_equal(len, 2);
	assert_memory_equal(value, "-5", 2);
	assert_int_equal(json_member_raw(text, TEXT_LEN(text), "p", &value, &len), CV_ERR_TYPE);
	assert_int_equal(json_member_raw(text, TEXT_LEN(text), "", &value, &len), CV_ERR_TYPE);
	assert_int_equal(json_member_raw("{}", 2, "p", &value, &len), CV_ERR_TYPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_document_allows),
		cmocka_unit_test(refuses_what_is_not_json),
		cmocka_unit_test(refuses_every_number_that_is_not_a_plain_integer),
		cmocka_unit_test(refuses_nul_in_every_form),
		cmocka_unit_test(refuses_unpaired_surrogates),
		cmocka_unit_test(refuses_invalid_utf8),
		cmocka_unit_test(refuses_duplicate_names_after_unescaping),
		cmocka_unit_test(refuses_nine_levels),
		cmocka_unit_test(refuses_too_many_names_and_too_long_texts),
		cmocka_unit_test(counts_only_names_of_open_objects),
		cmocka_unit_test(refuses_every_truncation_and_one_byte_more),
		cmocka_unit_test(what_is_accepted_also_parses),
		cmocka_unit_test(finds_the_raw_text_of_a_member),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
