#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "notify/telegram.h"
#include "notify/webhook.h"
#include "protocol/crypto.h"
#include "tests/unit/notify/sample.h"

/* The example of the Standard Webhooks project, in the tests of each of its libraries. */
static void signs_the_published_example(void **state)
{
	static const char body[] = "{\"test\": 2432232314}";
	uint8_t key[DESTINATION_KEY_MAX];
	char signature[WEBHOOK_SIGNATURE_TEXT];
	size_t key_len = 0;

	(void)state;
	assert_int_equal(
		webhook_key_decode(key, &key_len, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), CV_OK);
	assert_int_equal(key_len, 24);
	assert_int_equal(webhook_sign(signature, key, key_len, "msg_p5jXN8AQM9LWM0D4loKWxJek",
				 1614265330, body, strlen(body)),
		CV_OK);
	assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void takes_keys_of_24_to_64_bytes_only(void **state)
{
	static const char *const bad[] = {"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw!", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa_w",
		("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		 "AAAAAAAAAAAAAAAAAAAAAA")};
	uint8_t key[DESTINATION_KEY_MAX], zero[DESTINATION_KEY_MAX] = {0};
	size_t key_len = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(webhook_key_decode(key, &key_len, bad[i]), CV_ERR_FORMAT);
		assert_memory_equal(key, zero, sizeof(key));
	}
	assert_int_equal(key_len, 77);
}

static void telegram_gets_one_message_for_the_chat(void **state)
{
	struct destination_secret secret = {
		.url = "http://127.0.0.1:1/", .token = "123:abc", .chat = "@ops"};
	struct event_alert a = sample_alert(EVENT_MOUNT_OK);
	char url[TELEGRAM_URL_MAX + 1], body[TELEGRAM_BODY_MAX + 1];
	size_t len = 0;

	(void)state;
	telegram_url(url, &secret);
	assert_string_equal(url, "http://127.0.0.1:1/bot123:abc/sendMessage");
	assert_int_equal(telegram_body(body, &len, &secret, &a), CV_OK);
	assert_string_equal(body,
		"{\"chat_id\":\"@ops\",\"text\":\"INFO gw-a: device cam-7 opened its volume"
		" (measurement_mismatch); epoch 3, boot_id abcd0000000000000000000000000000\","
		"\"disable_notification\":true}");
}

static void telegram_says_how_long_to_wait(void **state)
{
	static const struct {
		const char *answer;
		uint32_t seconds;
	} cases[] = {
		{"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":35}}", 35},
		{"{\"ok\":false,\"parameters\":{\"retry_after\":-5}}", 0},
		{"{\"ok\":false,\"parameters\":{\"retry_after\":1e99}}", 86400},
		{"{\"ok\":false,\"parameters\":[]}", 0},
		{"{\"ok\":false", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			telegram_retry_after_s(cases[i].answer, strlen(cases[i].answer)),
			cases[i].seconds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_the_published_example),
		cmocka_unit_test(takes_keys_of_24_to_64_bytes_only),
		cmocka_unit_test(telegram_gets_one_message_for_the_chat),
		cmocka_unit_test(telegram_says_how_long_to_wait),
	};

	if (crypto_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
