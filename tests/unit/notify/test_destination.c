#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/secret.h"
#include "notify/destination.h"
#include "protocol/crypto.h"
#include "tests/unit/notify/sample.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define HOOK "url = https://hooks.example.org/T0/secretpath\nsecret = " SECRET "\n"

static struct destination_secret *loaded;

static enum cv_err load(const char *text, unsigned mode, enum destination_kind kind,
	bool allow_http, char why[DESTINATION_WHY_MAX])
{
	struct destination d = sample_destination("ops", EVENT_INFO);

	d.kind = kind;
	strcpy(d.file, sample_file("ops.conf", text, mode));
	why[0] = 0;
	return destination_load(loaded, &d, allow_http, why);
}

static void reads_a_webhook_and_a_chat(void **state)
{
	char why[DESTINATION_WHY_MAX];

	(void)state;
	assert_int_equal(load("# hook\n\n" HOOK, 0600, DESTINATION_WEBHOOK, false, why), CV_OK);
	assert_string_equal(loaded->url, "https://hooks.example.org/T0/secretpath");
	assert_int_equal(loaded->key_len, 24);
	assert_int_equal(
		load("token=1:a\r\nchat=-100\r\n", 0600, DESTINATION_TELEGRAM, false, why), CV_OK);
	assert_string_equal(loaded->url, "https://api.telegram.org");
	assert_string_equal(loaded->token, "1:a");
	assert_string_equal(loaded->chat, "-100");
}

static void refuses_a_file_that_others_can_read(void **state)
{
	char why[DESTINATION_WHY_MAX];

	(void)state;
	assert_int_equal(load(HOOK, 0640, DESTINATION_WEBHOOK, false, why), CV_ERR_CONFIG);
	assert_non_null(strstr(why, "0600"));
	assert_int_equal(load(HOOK, 0604, DESTINATION_WEBHOOK, false, why), CV_ERR_CONFIG);
}

static void plain_http_is_for_loopback_only(void **state)
{
	static const char *const local[] = {"http://127.0.0.1:80/x", "http://127.9.9.9/",
		"http://localhost:8080/", "http://[::1]:99/"};
	static const char *const remote[] = {"http://hooks.example.org/", "http://10.0.0.1/",
		"http://localhost.example.org/", "http://127.0.0.1.example.org/"};
	char text[256], why[DESTINATION_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "url=%s\nsecret=" SECRET "\n", local[i]);
		assert_int_equal(load(text, 0600, DESTINATION_WEBHOOK, false, why), CV_OK);
		snprintf(text, sizeof(text), "url=%s\nsecret=" SECRET "\n", remote[i]);
		assert_int_equal(load(text, 0600, DESTINATION_WEBHOOK, false, why), CV_ERR_CONFIG);
		assert_int_equal(load(text, 0600, DESTINATION_WEBHOOK, true, why), CV_OK);
	}
}

static void refuses_wrong_files_without_quoting_them(void **state)
{
	static const char *const bad[] = {"", "url=https://hidden.example/\n",
		"secret=" SECRET "\n", HOOK "url=https://hidden.example/\n", HOOK "colour=hidden\n",
		"hidden\n", "url=ftp://hidden.example/\nsecret=" SECRET "\n",
		"url=https://me:hidden@x.example/\nsecret=" SECRET "\n",
		"url=hidden\nsecret=" SECRET "\n", "url=https://hidden.example/\nsecret=hidden\n",
		"url=\nsecret=" SECRET "\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char why[DESTINATION_WHY_MAX];
		struct destination_secret zero = {0};

		assert_int_equal(
			load(bad[i], 0600, DESTINATION_WEBHOOK, false, why), CV_ERR_CONFIG);
		assert_true(why[0]);
		assert_null(strstr(why, "hidden"));
		assert_null(strstr(why, "MfKQ"));
		assert_memory_equal(loaded, &zero, sizeof(zero));
	}
}

static int make_secret(void **state)
{
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK)
		return -1;
	loaded = secret_alloc(sizeof(*loaded));
	return loaded ? sample_setup(state) : -1;
}

static int drop_secret(void **state)
{
	secret_free(loaded);
	return sample_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_webhook_and_a_chat),
		cmocka_unit_test(refuses_a_file_that_others_can_read),
		cmocka_unit_test(plain_http_is_for_loopback_only),
		cmocka_unit_test(refuses_wrong_files_without_quoting_them),
	};

	return cmocka_run_group_tests(tests, make_secret, drop_secret);
}
