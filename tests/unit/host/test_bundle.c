#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/bundle.h"
#include "host/bundle_internal.h"
#include "host/secret.h"

static int start(void **state)
{
	(void)state;
	return secret_process_init() == CV_OK ? 0 : -1;
}

static void make(struct bundle *b)
{
	memset(b, 0, sizeof(*b));
	assert_int_equal(bundle_add(b, "mac.root", "0123456789abcdef0123456789abcdef", 32), CV_OK);
	assert_int_equal(bundle_add(b, "roots/tls.pem", "PEM", 3), CV_OK);
	assert_int_equal(bundle_add(b, "empty", NULL, 0), CV_OK);
}

static void opens_what_it_sealed(void **state)
{
	char phrase[BUNDLE_PASSPHRASE_BUF];
	struct bundle b, got;
	uint8_t *data = NULL;
	size_t len = 0;

	(void)state;
	make(&b);
	assert_int_equal(bundle_passphrase_generate(phrase), CV_OK);
	assert_int_equal(strlen(phrase), 30);
	assert_int_equal(bundle_seal(&data, &len, &b, phrase), CV_OK);
	assert_null(memmem(data, len, "0123456789abcdef", 16));
	/* people type it in lower case and with other gaps */
	for (char *c = phrase; *c != '\0'; c++)
		*c = *c == '-' ? ' ' : (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	assert_int_equal(bundle_open(&got, data, len, phrase), CV_OK);
	assert_int_equal(got.count, 3);
	assert_int_equal(bundle_find(&got, "mac.root")->len, 32);
	assert_memory_equal(bundle_find(&got, "roots/tls.pem")->data, "PEM", 3);
	assert_int_equal(bundle_find(&got, "empty")->len, 0);
	assert_null(bundle_find(&got, "other"));
	bundle_wipe(&got);

	/* one character of the passphrase, and one bit in each part of the file */
	phrase[0] = phrase[0] == 'a' ? 'b' : 'a';
	assert_int_equal(bundle_open(&got, data, len, phrase), CV_ERR_SEAL);
	assert_int_equal(got.count, 0);
	bundle_wipe(&b);
	free(data);
}

static void refuses_changed_bytes(void **state)
{
	static const char phrase[] = "AAAAA-AAAAA-AAAAA-AAAAA-AAAAAA";
	const size_t places[] = { 16, 40, 56, 0 };
	struct bundle b, got;
	uint8_t *data = NULL;
	size_t len = 0;

	(void)state;
	make(&b);
	assert_int_equal(bundle_seal(&data, &len, &b, phrase), CV_OK);
	for (size_t i = 0; i < 4; i++) {
		size_t at = places[i] != 0 ? places[i] : len - 1;

		data[at] ^= 1;
		assert_int_equal(bundle_open(&got, data, len, phrase), CV_ERR_SEAL);
		data[at] ^= 1;
	}
	data[9] ^= 2;
	assert_int_equal(bundle_open(&got, data, len, phrase), CV_ERR_VERSION);
	data[9] ^= 2;
	data[0] ^= 1;
	assert_int_equal(bundle_open(&got, data, len, phrase), CV_ERR_FORMAT);
	data[0] ^= 1;
	assert_int_equal(bundle_open(&got, data, 60, phrase), CV_ERR_FORMAT);
	assert_int_equal(bundle_open(&got, data, len - 1, phrase), CV_ERR_SEAL);
	bundle_wipe(&b);
	free(data);
}

static void refuses_passphrases_of_another_form(void **state)
{
	static const char *const bad[] = { "", "AAAAA", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA",
		"AAAAA-AAAAA-AAAAA-AAAAA-AAAAAAA", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAAB",
		"AAAAA-AAAAA-AAAAA-AAAAA-AAAAA1", "AAAAA-AAAAA-AAAAA-AAAAA-AAAA\xc3\xa4" };
	struct bundle b;
	uint8_t *data = NULL;
	size_t len = 0;

	(void)state;
	make(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(bundle_seal(&data, &len, &b, bad[i]), CV_ERR_ARGUMENT);
	bundle_wipe(&b);
}

static void passphrases_differ(void **state)
{
	char one[BUNDLE_PASSPHRASE_BUF], two[BUNDLE_PASSPHRASE_BUF];

	(void)state;
	assert_int_equal(bundle_passphrase_generate(one), CV_OK);
	assert_int_equal(bundle_passphrase_generate(two), CV_OK);
	assert_string_not_equal(one, two);
}

static void names_cannot_leave_the_directory(void **state)
{
	static const char *const bad[] = { "", "/etc", "../x", "a/../b", "a/..", ".", "..",
		".hidden", "a//b", "a/", "a/b/c", "A", "a b", "a\n", "roots/.x" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(bundle_name_ok(bad[i]));
	assert_true(bundle_name_ok("share-set.jws"));
	assert_true(bundle_name_ok("roots/fleet.pub"));
}

static void one_file_per_name(void **state)
{
	struct bundle b;

	(void)state;
	make(&b);
	assert_int_equal(bundle_add(&b, "mac.root", "x", 1), CV_ERR_EXISTS);
	bundle_wipe(&b);
	assert_int_equal(b.count, 0);
}

static void refuses_every_truncation_of_the_document(void **state)
{
	struct bundle b, got;
	uint8_t doc[512];
	size_t len = 0;

	(void)state;
	make(&b);
	assert_true(bundle_document_cap(&b) <= sizeof(doc));
	assert_int_equal(bundle_document_encode(doc, sizeof(doc), &len, &b), CV_OK);
	for (size_t n = 0; n <= len + 1; n++) {
		uint8_t *exact = calloc(1, n + 1);

		memcpy(exact + 1, doc, n <= len ? n : len);
		memset(&got, 0, sizeof(got));
		enum cv_err err = bundle_document_decode(&got, exact + 1, n);
		assert_true(n == len ? err == CV_OK : err != CV_OK);
		bundle_wipe(&got);
		free(exact);
	}
	bundle_wipe(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_it_sealed),
		cmocka_unit_test(refuses_changed_bytes),
		cmocka_unit_test(refuses_passphrases_of_another_form),
		cmocka_unit_test(passphrases_differ),
		cmocka_unit_test(names_cannot_leave_the_directory),
		cmocka_unit_test(one_file_per_name),
		cmocka_unit_test(refuses_every_truncation_of_the_document),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
