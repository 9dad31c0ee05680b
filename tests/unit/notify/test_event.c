#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notify/event.h"
#include "notify/format.h"
#include "protocol/crypto.h"
#include "tests/unit/notify/sample.h"

static void encodes_the_documented_form(void **state)
{
	struct event_alert a = sample_alert(EVENT_AUTH_DENIED);
	char json[EVENT_JSON_MAX + 1];
	size_t len = 0;

	(void)state;
	memset(a.id, 0x5a, sizeof(a.id));
	assert_int_equal(event_encode(json, &len, &a), CV_OK);
	assert_string_equal(json,
		"{\"type\":\"AUTH_DENIED\",\"timestamp\":\"2025-11-24T16:00:00Z\",\"data\":{\"v\":1,"
		"\"id\":\"evt_5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\",\"severity\":\"warning\","
		"\"gateway\":\"gw-a\",\"device\":\"cam-7\",\"reason\":\"measurement_mismatch\","
		"\"details\":{\"epoch\":3,\"boot_id\":\"abcd0000000000000000000000000000\"}}}");
	assert_int_equal(len, strlen(json));
}

static void every_type_comes_back_as_it_was(void **state)
{
	(void)state;
	for (int t = EVENT_NONE + 1; t < EVENT_TYPE_COUNT_; t++) {
		struct event_alert a = sample_alert((enum event_type)t), b;
		char json[EVENT_JSON_MAX + 1], again[EVENT_JSON_MAX + 1];
		size_t len = 0, again_len = 0;

		assert_int_equal(event_encode(json, &len, &a), CV_OK);
		assert_int_equal(event_decode(&b, json, len), CV_OK);
		assert_int_equal(event_encode(again, &again_len, &b), CV_OK);
		assert_string_equal(json, again);
		assert_int_equal(b.type, t);
		assert_int_equal(event_type_by_name(event_type_name(b.type)), t);
	}
}

static void the_largest_alert_fits(void **state)
{
	struct event_alert a = sample_alert(EVENT_BOOT_COUNTER_AHEAD);
	char json[EVENT_JSON_MAX + 1], line[FORMAT_LINE_MAX], id[CV_ID_BUF];
	size_t len = 0;

	(void)state;
	memset(id, 'z', CV_ID_MAX);
	id[CV_ID_MAX] = 0;
	strcpy(a.gateway, id);
	strcpy(a.device, id);
	memset(a.reason, 'r', EVENT_TOKEN_MAX);
	a.detail_count = 0;
	for (int k = EVENT_KEY_lease_seconds; a.detail_count < EVENT_DETAILS_MAX; k++) {
		assert_true(k < EVENT_KEY_COUNT_);
		a.details[a.detail_count] = (struct event_detail){.key = (enum event_key)k};
		memset(a.details[a.detail_count++].token, 'v', EVENT_TOKEN_MAX);
	}
	assert_int_equal(event_encode(json, &len, &a), CV_OK);
	format_line(line, &a);
	assert_true(strlen(line) < FORMAT_LINE_MAX - 1);
}

static void refuses_every_truncation_and_one_byte_more(void **state)
{
	struct event_alert a = sample_alert(EVENT_REPLAY), b;
	char json[EVENT_JSON_MAX + 1];
	size_t len = 0;

	(void)state;
	assert_int_equal(event_encode(json, &len, &a), CV_OK);
	for (size_t cut = 0; cut < len; cut++) {
		char *exact = malloc(cut ? cut : 1);

		memcpy(exact, json, cut);
		assert_int_not_equal(event_decode(&b, exact, cut), CV_OK);
		free(exact);
	}
	json[len] = ' ';
	assert_int_not_equal(event_decode(&b, json, len + 1), CV_OK);
}

/* A flip gives an error or another valid alert, never the same alert and never a crash. */
static void no_flipped_bit_goes_unnoticed(void **state)
{
	struct event_alert a = sample_alert(EVENT_SHARE_INVALID), b;
	char json[EVENT_JSON_MAX + 1], again[EVENT_JSON_MAX + 1];
	size_t len = 0, again_len = 0;

	(void)state;
	assert_int_equal(event_encode(json, &len, &a), CV_OK);
	for (size_t bit = 0; bit < len * 8; bit++) {
		json[bit / 8] ^= (char)(1 << bit % 8);
		if (event_decode(&b, json, len) == CV_OK) {
			assert_int_equal(event_encode(again, &again_len, &b), CV_OK);
			assert_memory_equal(again, json, len);
		}
		json[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void refuses_what_json_would_tolerate(void **state)
{
	static const char *const bad[] = {"", "{}", "[]", "null", "{\"type\":\"REPLAY\"}",
		"{\"type\":\"REPLAY\",\"timestamp\":\"2025-11-24T16:00:00Z\",\"data\":{\"v\":2,"
		"\"id\":\"evt_5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\",\"severity\":\"critical\","
		"\"gateway\":\"gw-a\",\"details\":{}}}",
		"{\"type\":\"REPLAY\",\"timestamp\":\"2025-02-31T16:00:00Z\",\"data\":{\"v\":1,"
		"\"id\":\"evt_5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\",\"severity\":\"critical\","
		"\"gateway\":\"gw-a\",\"details\":{}}}",
		"{\"type\":\"REPLAY\",\"timestamp\":\"2025-11-24T16:00:00Z\",\"data\":{\"v\":1,"
		"\"id\":\"evt_5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\",\"severity\":\"critical\","
		"\"gateway\":\"gw-a\",\"details\":{\"lat\":481234567}}}",
		"{\"type\":\"REPLAY\",\"timestamp\":\"2025-11-24T16:00:00Z\",\"data\":{\"v\":1,"
		"\"id\":\"evt_5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\",\"severity\":\"critical\","
		"\"gateway\":\"gw-a\",\"details\":{\"count\":1e0}}}",
		"{\"type\":\"REPLAY\",\"timestamp\":\"2025-11-24T16:00:00Z\",\"data\":{\"v\":1,"
		"\"id\":\"evt_5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\",\"severity\":\"critical\","
		"\"gateway\":\"gw-a\",\"details\":{\"count\":1,\"count\":1}}}"};
	struct event_alert a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(event_decode(&a, bad[i], strlen(bad[i])), CV_OK);
}

static void has_no_room_for_a_place_or_a_secret(void **state)
{
	struct event_alert a = sample_alert(EVENT_AUTH_DENIED);

	(void)state;
	assert_int_equal(event_set_reason(&a, "48.1351,11.5820"), CV_ERR_ARGUMENT);
	assert_int_equal(event_set_reason(&a, "https://example.org/hook"), CV_ERR_ARGUMENT);
	assert_int_equal(event_set_reason(&a, ""), CV_ERR_ARGUMENT);
	assert_int_equal(event_add_token(&a, EVENT_KEY_volume, "whsec_abc"), CV_ERR_ARGUMENT);
	assert_int_equal(event_add_token(&a, EVENT_KEY_accused, "-x"), CV_ERR_ARGUMENT);
	assert_int_equal(event_add_token(&a, EVENT_KEY_accused, "a\"b"), CV_ERR_ARGUMENT);
	assert_int_equal(event_add_token(&a, EVENT_KEY_trust_class, "mine"), CV_ERR_ARGUMENT);
	assert_int_equal(event_add_token(&a, EVENT_KEY_count, "1"), CV_ERR_ARGUMENT);
	assert_int_equal(event_add_number(&a, EVENT_KEY_volume, 1), CV_ERR_ARGUMENT);
	assert_int_equal(event_add_number(&a, EVENT_KEY_epoch, 4), CV_ERR_ARGUMENT);
	assert_int_equal(
		event_add_number(&a, EVENT_KEY_count, 1 + (uint64_t)CV_JSON_INTEGER_MAX),
		CV_ERR_ARGUMENT);
	assert_int_equal(a.detail_count, 2);
	assert_string_equal(a.reason, "measurement_mismatch");
}

static void refuses_ids_of_another_form(void **state)
{
	struct event_alert a;

	(void)state;
	assert_int_equal(event_init(&a, EVENT_REPLAY, "Gw", NULL, 0), CV_ERR_ARGUMENT);
	assert_int_equal(event_init(&a, EVENT_REPLAY, "", NULL, 0), CV_ERR_ARGUMENT);
	assert_int_equal(event_init(&a, EVENT_REPLAY, "gw", "a b", 0), CV_ERR_ARGUMENT);
	assert_int_equal(event_init(&a, EVENT_NONE, "gw", NULL, 0), CV_ERR_ARGUMENT);
	assert_int_equal(event_init(&a, EVENT_TYPE_COUNT_, "gw", NULL, 0), CV_ERR_ARGUMENT);
	assert_int_equal(
		event_init(&a, EVENT_REPLAY, "gw", NULL, EVENT_TIME_MAX + 1ull), CV_ERR_ARGUMENT);
	assert_int_equal(event_init(&a, EVENT_REPLAY, "gw", "", EVENT_TIME_MAX), CV_OK);
}

static void a_line_says_who_and_what(void **state)
{
	struct event_alert a = sample_alert(EVENT_REPLAY);
	char line[FORMAT_LINE_MAX];

	(void)state;
	assert_int_equal(event_set_reason(&a, "nonce_spent"), CV_OK);
	format_line(line, &a);
	assert_string_equal(line,
		"CRITICAL gw-a: device cam-7 sent a spent nonce again (nonce_spent); epoch 3,"
		" boot_id abcd0000000000000000000000000000");
	assert_int_equal(event_init(&a, EVENT_GATEWAY_STARTED, "gw-a", NULL, 0), CV_OK);
	format_line(line, &a);
	assert_string_equal(line, "INFO gw-a: gateway started");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_the_documented_form),
		cmocka_unit_test(every_type_comes_back_as_it_was),
		cmocka_unit_test(the_largest_alert_fits),
		cmocka_unit_test(refuses_every_truncation_and_one_byte_more),
		cmocka_unit_test(no_flipped_bit_goes_unnoticed),
		cmocka_unit_test(refuses_what_json_would_tolerate),
		cmocka_unit_test(has_no_room_for_a_place_or_a_secret),
		cmocka_unit_test(refuses_ids_of_another_form),
		cmocka_unit_test(a_line_says_who_and_what),
	};

	if (crypto_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
