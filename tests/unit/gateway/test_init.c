#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "gateway/config_state.h"
#include "gateway/init.h"
#include "gateway/tls_cert.h"
#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "tests/unit/gateway/tls_fleet.h"

static int set_up(void **state)
{
	struct tls_fleet *f = malloc(sizeof(*f));

	tls_fleet_open(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	tls_fleet_close(*state);
	free(*state);
	return 0;
}

static char *read_all(const char *path)
{
	uint8_t *data = NULL;
	size_t len;

	assert_int_equal(file_read(&data, &len, path, 65536), CV_OK);
	return (char *)data;
}

static enum cv_err install(struct tls_fleet *f)
{
	return init_install(tls_fleet_path(f, "g1.grant"), f->state);
}

static void a_second_init_keeps_everything(void **state)
{
	struct tls_fleet *f = *state;
	char *first, *second;

	tls_fleet_init(f);
	first = read_all(tls_fleet_path(f, "g1.req"));
	tls_fleet_init(f);
	second = read_all(tls_fleet_path(f, "g1.req"));
	assert_string_equal(first, second);
	free(first);
	free(second);
}

static void private_files_are_private(void **state)
{
	static const char *const files[] = { "front/tls.key", "keeper/store.key",
		"keeper/keys/keeper.key", "keeper/keys/enrolment.key", "keeper/store.db" };
	static const char *const dirs[] = { "front", "keeper", "keeper/keys", "sender" };
	struct tls_fleet *f = *state;
	char path[FILE_PATH_BUF];
	struct stat st;

	tls_fleet_init(f);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(state_path(path, f->state, files[i]), CV_OK);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		assert_int_equal(state_path(path, f->state, dirs[i]), CV_OK);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
}

static void a_state_belongs_to_one_gateway(void **state)
{
	struct tls_fleet *f = *state;
	const struct init_options other = {
		.gateway = "g2", .state = f->state, .request = tls_fleet_path(f, "g2.req")
	};

	tls_fleet_init(f);
	assert_int_equal(init_gateway(&other), CV_ERR_EXISTS);
	assert_false(file_exists(tls_fleet_path(f, "g2.req")));
}

static void init_refuses_what_is_no_id_and_no_path(void **state)
{
	struct tls_fleet *f = *state;
	struct init_options o = { .gateway = "G1", .state = f->state };

	assert_int_equal(init_gateway(&o), CV_ERR_ARGUMENT);
	o.gateway = "g1";
	o.state = "relative";
	assert_int_equal(init_gateway(&o), CV_ERR_ARGUMENT);
	o.state = f->state;
	o.address = "somewhere";
	assert_int_equal(init_gateway(&o), CV_ERR_ARGUMENT);
	assert_false(file_exists(f->state));
}

static void init_writes_a_configuration_once(void **state)
{
	struct tls_fleet *f = *state;
	struct init_options o = { .gateway = "g1", .state = f->state,
		.request = tls_fleet_path(f, "g1.req"), .config = tls_fleet_path(f, "g1.ini"),
		.address = "127.0.0.1:9", .reserve_records = 64 };
	char *text;

	assert_int_equal(init_gateway(&o), CV_OK);
	o.address = "127.0.0.1:10";
	assert_int_equal(init_gateway(&o), CV_OK);
	text = read_all(o.config);
	assert_non_null(strstr(text, "devices = 127.0.0.1:9\n"));
	free(text);
}

static void init_takes_id_and_state_from_a_configuration(void **state)
{
	struct tls_fleet *f = *state;
	struct init_options o = { .config = tls_fleet_path(f, "g7.ini"),
		.request = tls_fleet_path(f, "g7.req") };
	struct state_pin pin;
	struct stat small, large;
	char text[512], path[FILE_PATH_BUF];

	snprintf(text, sizeof(text), "[gateway]\nid = g7\nstate = %s\n[store]\n"
				     "reserve_records = 64\n", f->state);
	assert_int_equal(file_write_atomic(o.config, text, strlen(text), 0644), CV_OK);
	assert_int_equal(init_gateway(&o), CV_OK);
	assert_int_equal(state_pin_read(&pin, f->state), CV_OK);
	assert_string_equal(pin.gateway, "g7");
	assert_int_equal(state_path(path, f->state, STATE_STORE), CV_OK);
	assert_int_equal(stat(path, &small), 0);
	o.gateway = "g8";
	assert_int_equal(init_gateway(&o), CV_ERR_CONFIG);
	/* and the number of records is what makes the file large */
	o = (struct init_options){ .gateway = "g9", .state = tls_fleet_path(f, "other"),
		.request = tls_fleet_path(f, "g9.req"), .reserve_records = 20000 };
	assert_int_equal(init_gateway(&o), CV_OK);
	assert_int_equal(state_path(path, o.state, STATE_STORE), CV_OK);
	assert_int_equal(stat(path, &large), 0);
	assert_true(large.st_size > small.st_size);
}

static void install_pins_the_fleet(void **state)
{
	struct tls_fleet *f = *state;
	struct state_pin pin;

	tls_fleet_join(f);
	assert_int_equal(state_pin_read(&pin, f->state), CV_OK);
	assert_true(pin.joined);
	assert_string_equal(pin.fleet, TLS_FLEET);
	assert_int_equal(pin.fleet_root[1], 1);
	/* again, with a new certificate of the same root */
	tls_fleet_grant(f, TLS_GATEWAY, NULL);
	assert_int_equal(install(f), CV_OK);
}

static void install_needs_init_first(void **state)
{
	struct tls_fleet *f = *state;

	tls_fleet_init(f);
	tls_fleet_grant(f, TLS_GATEWAY, NULL);
	assert_int_equal(
		init_install(tls_fleet_path(f, "g1.grant"), "/nonexistent"), CV_ERR_NOT_FOUND);
}

static void install_refuses_another_gateway(void **state)
{
	struct tls_fleet *f = *state;

	tls_fleet_init(f);
	tls_fleet_grant(f, "g2", NULL);
	assert_int_equal(install(f), CV_ERR_MISMATCH);
}

static void install_refuses_another_key(void **state)
{
	struct tls_fleet *f = *state;
	EVP_PKEY *other = tls_fleet_key();
	struct tls_names names;
	X509 *cert;

	tls_fleet_init(f);
	tls_fleet_gateway_names(&names, TLS_GATEWAY);
	cert = tls_fleet_issue(f, other, &names);
	tls_fleet_grant(f, TLS_GATEWAY, cert);
	assert_int_equal(install(f), CV_ERR_MISMATCH);
	X509_free(cert);
	EVP_PKEY_free(other);
}

/* Issues for the right key, but with the names (and use) given. */
static enum cv_err install_with(struct tls_fleet *f, const struct tls_names *names)
{
	char path[FILE_PATH_BUF], why[TLS_WHY_MAX];
	X509_REQ *csr = NULL;
	X509 *cert;
	enum cv_err err;

	assert_int_equal(state_path(path, f->state, STATE_TLS_CSR), CV_OK);
	assert_int_equal(tls_csr_read(&csr, path, why), CV_OK);
	cert = tls_fleet_issue(f, X509_REQ_get0_pubkey(csr), names);
	tls_fleet_grant(f, TLS_GATEWAY, cert);
	err = install(f);
	X509_free(cert);
	X509_REQ_free(csr);
	return err;
}

static void install_refuses_other_names(void **state)
{
	struct tls_fleet *f = *state;
	struct tls_names right, names;

	tls_fleet_init(f);
	tls_fleet_gateway_names(&right, TLS_GATEWAY);
	names = right;
	names.uri = "spiffe://" TLS_FLEET "/gateway/g2";
	assert_int_equal(install_with(f, &names), CV_ERR_MISMATCH);
	names.uri = "spiffe://" TLS_FLEET "/operator/g1";
	assert_int_equal(install_with(f, &names), CV_ERR_MISMATCH);
	names = right;
	names.dns = "g1.conclave.internal";
	assert_int_equal(install_with(f, &names), CV_ERR_MISMATCH);
	names.dns = NULL;
	assert_int_equal(install_with(f, &names), CV_ERR_MISMATCH);
	names = right;
	names.server = 0;
	assert_int_equal(install_with(f, &names), CV_ERR_SIGNATURE);
	assert_int_equal(install_with(f, &right), CV_OK);
}

static void install_refuses_another_root_later(void **state)
{
	struct tls_fleet *f = *state, other;
	char *before, *after;
	char path[FILE_PATH_BUF];
	struct tls_fleet joined;

	tls_fleet_join(f);
	assert_int_equal(state_path(path, f->state, STATE_TLS_CRT), CV_OK);
	before = read_all(path);
	tls_fleet_open(&other);
	joined = *f;
	joined.root = other.root;
	joined.root_key = other.root_key;
	tls_fleet_grant(&joined, TLS_GATEWAY, NULL);
	assert_int_equal(install(f), CV_ERR_EXISTS);
	after = read_all(path);
	assert_string_equal(before, after);
	free(before);
	free(after);
	tls_fleet_close(&other);
}

static void install_refuses_every_truncation(void **state)
{
	struct tls_fleet *f = *state;
	const char *grant = tls_fleet_path(f, "g1.grant");
	struct state_pin pin;
	char *text;
	size_t len;

	tls_fleet_init(f);
	tls_fleet_grant(f, TLS_GATEWAY, NULL);
	text = read_all(grant);
	len = strlen(text);
	for (size_t n = 0; n < len; n += 101) {
		assert_int_equal(file_write_atomic(grant, text, n, 0644), CV_OK);
		assert_int_not_equal(init_install(grant, f->state), CV_OK);
	}
	assert_int_equal(state_pin_read(&pin, f->state), CV_OK);
	assert_false(pin.joined);
	free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_second_init_keeps_everything),
		TEST(private_files_are_private),
		TEST(a_state_belongs_to_one_gateway),
		TEST(init_refuses_what_is_no_id_and_no_path),
		TEST(init_writes_a_configuration_once),
		TEST(init_takes_id_and_state_from_a_configuration),
		TEST(install_pins_the_fleet),
		TEST(install_needs_init_first),
		TEST(install_refuses_another_gateway),
		TEST(install_refuses_another_key),
		TEST(install_refuses_other_names),
		TEST(install_refuses_another_root_later),
		TEST(install_refuses_every_truncation),
	};

	log_init("test_init");
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
