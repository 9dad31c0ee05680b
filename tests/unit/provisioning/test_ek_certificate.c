/*
 * Certificates of endorsement keys: a real chain, and each bit of its leaf flipped. Allow-lists. The
 * refusals that a person meets are tried end to end (tests/e2e/test_tpm_enroll.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "host/file.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "provisioning/ek_allow.h"
#include "provisioning/ek_certificate.h"
#include "provisioning/ek_key.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/vectors/credential_vectors.h"

#define NOW 1800000000

static struct tpm_ek ek;
static EVP_PKEY *root_key;
static X509 *root;
static uint8_t leaf[1024];
static size_t leaf_len;
static const char *dir;
static char why[EK_CERTIFICATE_WHY_BUF];

static X509 *issue(EVP_PKEY *subject, const char *name, int ca)
{
	X509 *cert = X509_new();
	X509_NAME *n = X509_get_subject_name(cert);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
		ca ? "critical,CA:TRUE" : "critical,CA:FALSE");

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ca ? 1 : 2);
	ASN1_TIME_set(X509_getm_notBefore(cert), NOW - 1000);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOW + 1000);
	X509_NAME_add_entry_by_txt(
		n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, root != NULL ? X509_get_subject_name(root) : n);
	X509_set_pubkey(cert, subject);
	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(cert, root_key, EVP_sha256()) > 0);
	return cert;
}

static void write_root(void)
{
	char path[FILE_PATH_BUF];
	FILE *f;

	snprintf(path, sizeof(path), "%s/maker.pem", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	PEM_write_X509(f, root);
	fclose(f);
}

static int start(void **state)
{
	unsigned char *out = leaf;
	EVP_PKEY *key = NULL;
	X509 *cert;

	if (temp_dir_setup(state) != 0)
		return -1;
	dir = *state;
	if (crypto_init() != CV_OK ||
		tpm_ek_decode(&ek, v_ek_area, sizeof(v_ek_area)) != CV_OK ||
		ek_key_open(&key, &ek) != CV_OK)
		return -1;
	root_key = EVP_EC_gen("P-256");
	root = issue(root_key, "maker", 1);
	cert = issue(key, "chip", 0);
	leaf_len = (size_t)i2d_X509(cert, &out);
	X509_free(cert);
	EVP_PKEY_free(key);
	write_root();
	return 0;
}

static int end(void **state)
{
	X509_free(root);
	EVP_PKEY_free(root_key);
	return temp_dir_teardown(state);
}

static enum cv_err verify(const uint8_t *der, size_t len, int64_t now)
{
	return ek_certificate_verify(der, len, &ek, dir, now, why);
}

static void believes_a_certificate_under_its_makers_root(void **state)
{
	(void)state;
	assert_int_equal(verify(leaf, leaf_len, NOW), CV_OK);
	assert_string_equal(why, "");
}

static void believes_it_in_its_time_only(void **state)
{
	(void)state;
	assert_int_equal(verify(leaf, leaf_len, NOW - 1001), CV_ERR_SIGNATURE);
	assert_int_equal(verify(leaf, leaf_len, NOW + 1001), CV_ERR_SIGNATURE);
	assert_non_null(strstr(why, "expired"));
}

static void believes_nobody_without_roots(void **state)
{
	char none[FILE_PATH_BUF + 8];

	(void)state;
	snprintf(none, sizeof(none), "%s/none", dir);
	assert_int_equal(
		ek_certificate_verify(leaf, leaf_len, &ek, none, NOW, why), CV_ERR_NOT_FOUND);
}

static void refuses_every_flipped_bit(void **state)
{
	uint8_t *copy = malloc(leaf_len);

	(void)state;
	for (size_t bit = 0; bit < 8 * leaf_len; bit++) {
		memcpy(copy, leaf, leaf_len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(verify(copy, leaf_len, NOW), CV_ERR_SIGNATURE);
		assert_string_not_equal(why, "");
	}
	free(copy);
}

static void refuses_every_truncation_and_one_byte_more(void **state)
{
	(void)state;
	for (size_t len = 0; len <= leaf_len + 1; len++) {
		uint8_t *copy = calloc(1, len + 1);

		if (len == leaf_len) {
			free(copy);
			continue;
		}
		memcpy(copy, leaf, len < leaf_len ? len : leaf_len);
		assert_int_equal(verify(copy, len, NOW), CV_ERR_SIGNATURE);
		assert_non_null(strstr(why, "malformed"));
		free(copy);
	}
}

static void refuses_the_root_itself_for_a_chip(void **state)
{
	unsigned char der[1024], *out = der;
	size_t len = (size_t)i2d_X509(root, &out);

	(void)state;
	assert_int_equal(verify(der, len, NOW), CV_ERR_SIGNATURE);
	assert_non_null(strstr(why, "another key"));
}

static enum cv_err find(const char *text, bool *found, size_t *line)
{
	char path[FILE_PATH_BUF + 8];
	uint8_t hashes[2][CV_HASH_BYTES];

	memset(hashes[0], 0xab, CV_HASH_BYTES);
	memset(hashes[1], 0xcd, CV_HASH_BYTES);
	snprintf(path, sizeof(path), "%s/allow", dir);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600), CV_OK);
	return ek_allow_find(
		found, line, path, (const uint8_t(*)[CV_HASH_BYTES])hashes, 2);
}

#define AB8 "abababababababab"
#define AB AB8 AB8 AB8 AB8
#define EF8 "efefefefefefefef"
#define EF EF8 EF8 EF8 EF8

static void finds_what_a_list_names(void **state)
{
	static const char *const with[] = {AB, AB "\n", "# x\n\n" EF " a\n" AB " order 7\r\n", AB "\t1"};
	static const char *const without[] = {"", "\n", EF "\n", "# " AB "\n"};
	bool found = false;
	size_t line;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(find(with[i], &found, &line), CV_OK);
		assert_true(found);
		assert_int_equal(find(without[i], &found, &line), CV_OK);
		assert_false(found);
	}
}

/* A list with a wrong line is no list: what the line meant nobody knows. */
static void refuses_a_list_with_a_wrong_line(void **state)
{
	static const char *const wrong[] = {AB "\nx\n", AB "\n" AB8 "\n", AB "\n" AB "x\n",
		AB "\n ABABABAB\n", AB "\nABABABABABABABAB" AB8 AB8 AB8 "\n"};
	bool found = false;
	size_t line;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(find(wrong[i], &found, &line), CV_ERR_CONFIG);
		assert_int_equal(line, 2);
		assert_false(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(believes_a_certificate_under_its_makers_root),
		cmocka_unit_test(believes_it_in_its_time_only),
		cmocka_unit_test(believes_nobody_without_roots),
		cmocka_unit_test(refuses_every_flipped_bit),
		cmocka_unit_test(refuses_every_truncation_and_one_byte_more),
		cmocka_unit_test(refuses_the_root_itself_for_a_chip),
		cmocka_unit_test(finds_what_a_list_names),
		cmocka_unit_test(refuses_a_list_with_a_wrong_line),
	};

	return cmocka_run_group_tests(tests, start, end);
}
