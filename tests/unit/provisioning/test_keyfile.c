#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/file.h"
#include "host/secret.h"
#include "provisioning/keyfile.h"
#include "tests/unit/support/temp_dir.h"

#define SEALED_BYTES 128

static struct key_pair *make(void)
{
	struct key_pair *keys = secret_alloc(sizeof(*keys));

	assert_non_null(keys);
	assert_int_equal(key_pair_generate(keys), CV_OK);
	assert_memory_not_equal(keys->sign, keys->tls, sizeof(keys->sign));
	return keys;
}

static void opens_with_its_passphrase_only(void **state)
{
	static const uint8_t zero[sizeof(struct key_pair)] = {0};
	const char *path = temp_path(state, "keys");
	struct key_pair *keys = make(), *back = make();
	bool sealed = false;
	struct stat st;

	assert_int_equal(keyfile_write(path, keys, "correct horse"), CV_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keyfile_is_sealed(path, &sealed), CV_OK);
	assert_true(sealed);
	assert_int_equal(keyfile_read(back, path, "wrong horse"), CV_ERR_SEAL);
	assert_memory_equal(back, zero, sizeof(*back));
	assert_int_equal(keyfile_read(back, path, NULL), CV_ERR_SEAL);
	assert_int_equal(keyfile_read(back, path, "correct horse"), CV_OK);
	assert_memory_equal(back, keys, sizeof(*back));
	secret_free(keys);
	secret_free(back);
}

/* One derivation takes most of a second, so the bytes that count are tried, not all 128. */
static void refuses_a_changed_byte_in_every_part(void **state)
{
	static const size_t places[] = {8, 23, 24, 47, 48, 79, 111, 112, 127};
	const char *path = temp_path(state, "keys");
	struct key_pair *keys = make();
	uint8_t *data = NULL;
	size_t len = 0;

	assert_int_equal(keyfile_write(path, keys, "correct horse"), CV_OK);
	assert_int_equal(file_read(&data, &len, path, 1000), CV_OK);
	assert_int_equal(len, SEALED_BYTES);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		data[places[i]] ^= 1;
		assert_int_equal(file_write_atomic(path, data, len, 0600), CV_OK);
		assert_int_equal(keyfile_read(keys, path, "correct horse"), CV_ERR_SEAL);
		data[places[i]] ^= 1;
	}
	free(data);
	secret_free(keys);
}

static void refuses_every_truncation_and_another_magic(void **state)
{
	const char *path = temp_path(state, "keys"), *cut = temp_path(state, "cut");
	struct key_pair *keys = make();
	uint8_t *data = NULL;
	size_t len = 0;

	assert_int_equal(keyfile_write(path, keys, NULL), CV_OK);
	assert_int_equal(file_read(&data, &len, path, 1000), CV_OK);
	for (size_t n = 0; n < len; n++) {
		assert_int_equal(file_write_atomic(cut, data, n, 0600), CV_OK);
		assert_int_equal(keyfile_read(keys, cut, NULL), CV_ERR_FORMAT);
	}
	data[0] ^= 1;
	assert_int_equal(file_write_atomic(cut, data, len, 0600), CV_OK);
	assert_int_equal(keyfile_read(keys, cut, NULL), CV_ERR_FORMAT);
	free(data);
	secret_free(keys);
}

static void a_plain_file_comes_back_without_a_passphrase(void **state)
{
	const char *path = temp_path(state, "keys");
	struct key_pair *keys = make(), *back = make();
	bool sealed = true;

	assert_int_equal(keyfile_write(path, keys, NULL), CV_OK);
	assert_int_equal(keyfile_is_sealed(path, &sealed), CV_OK);
	assert_false(sealed);
	assert_int_equal(keyfile_read(back, path, NULL), CV_OK);
	assert_memory_equal(back, keys, sizeof(*back));
	secret_free(keys);
	secret_free(back);
}

static void a_file_that_others_may_read_is_refused(void **state)
{
	const char *path = temp_path(state, "keys");
	struct key_pair *keys = make();

	assert_int_equal(keyfile_write(path, keys, NULL), CV_OK);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(keyfile_read(keys, path, NULL), CV_ERR_PERMISSION);
	secret_free(keys);
}

static void never_overwrites(void **state)
{
	const char *path = temp_path(state, "keys");
	struct key_pair *keys = make();

	assert_int_equal(keyfile_write(path, keys, NULL), CV_OK);
	assert_int_equal(keyfile_write(path, keys, NULL), CV_ERR_EXISTS);
	secret_free(keys);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, temp_dir_setup, temp_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opens_with_its_passphrase_only),
		TEST(refuses_a_changed_byte_in_every_part),
		TEST(refuses_every_truncation_and_another_magic),
		TEST(a_plain_file_comes_back_without_a_passphrase),
		TEST(a_file_that_others_may_read_is_refused),
		TEST(never_overwrites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
