#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "gateway/config_state.h"
#include "gateway/tls.h"
#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "tests/unit/gateway/tls_fleet.h"

struct rig {
	struct tls_fleet fleet;
	struct tls_identity identity;
	SSL_CTX *devices, *operators, *client;
	SSL *server_ssl, *client_ssl;
};

static int admitted = 1;

static int admit(SSL *ssl)
{
	(void)ssl;
	return admitted;
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	char why[TLS_WHY_MAX] = "";

	admitted = 1;
	tls_fleet_open(&r->fleet);
	tls_fleet_join(&r->fleet);
	assert_int_equal(tls_identity_open(&r->identity, r->fleet.state, TLS_FLEET, TLS_GATEWAY,
				 why),
		CV_OK);
	r->devices = tls_devices_context(&r->identity, admit);
	r->operators = tls_operators_context(&r->identity, admit);
	r->client = SSL_CTX_new(TLS_client_method());
	assert_non_null(r->devices);
	assert_non_null(r->operators);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	SSL_free(r->server_ssl);
	SSL_free(r->client_ssl);
	SSL_CTX_free(r->devices);
	SSL_CTX_free(r->operators);
	SSL_CTX_free(r->client);
	tls_identity_close(&r->identity);
	tls_fleet_close(&r->fleet);
	free(r);
	return 0;
}

/* Both ends over memory; 1 if the handshake ended well on both sides. */
static int handshake(struct rig *r, SSL_CTX *server)
{
	BIO *a, *b;
	int done_server = 0, done_client = 0;

	SSL_free(r->server_ssl);
	SSL_free(r->client_ssl);
	r->server_ssl = SSL_new(server);
	r->client_ssl = SSL_new(r->client);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(r->server_ssl, a, a);
	SSL_set_bio(r->client_ssl, b, b);
	SSL_set_accept_state(r->server_ssl);
	SSL_set_connect_state(r->client_ssl);
	for (int i = 0; i < 20 && !(done_server && done_client); i++) {
		int c = SSL_do_handshake(r->client_ssl);
		int s = SSL_do_handshake(r->server_ssl);

		if ((c <= 0 && SSL_get_error(r->client_ssl, c) == SSL_ERROR_SSL) ||
			(s <= 0 && SSL_get_error(r->server_ssl, s) == SSL_ERROR_SSL)) {
			ERR_clear_error();
			return 0;
		}
		done_client |= c == 1;
		done_server |= s == 1;
	}
	return done_server && done_client;
}

static void only(struct rig *r, int version)
{
	assert_int_equal(SSL_CTX_set_min_proto_version(r->client, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(r->client, version), 1);
}

static void speaks_tls_1_3(void **state)
{
	struct rig *r = *state;

	only(r, TLS1_3_VERSION);
	assert_true(handshake(r, r->devices));
	assert_int_equal(SSL_version(r->client_ssl), TLS1_3_VERSION);
	assert_int_equal(SSL_get_max_early_data(r->server_ssl), 0);
}

static void speaks_the_microcontrollers_suite(void **state)
{
	struct rig *r = *state;

	only(r, TLS1_2_VERSION);
	assert_true(handshake(r, r->devices));
	assert_string_equal(
		SSL_get_cipher_name(r->client_ssl), "ECDHE-ECDSA-AES128-GCM-SHA256");
	assert_int_equal(SSL_get_extms_support(r->client_ssl), 1);
}

static void speaks_no_other_suite_of_tls_1_2(void **state)
{
	struct rig *r = *state;

	only(r, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(r->client,
				 "ALL:!ECDHE-ECDSA-AES128-GCM-SHA256"),
		1);
	assert_false(handshake(r, r->devices));
}

static void demands_the_extended_master_secret(void **state)
{
	struct rig *r = *state;

	only(r, TLS1_2_VERSION);
	SSL_CTX_set_options(r->client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	assert_false(handshake(r, r->devices));
	/* 1.3 has no such extension to offer */
	only(r, TLS1_3_VERSION);
	assert_true(handshake(r, r->devices));
}

static void speaks_nothing_older(void **state)
{
	struct rig *r = *state;

	SSL_CTX_set_security_level(r->client, 0);
	only(r, TLS1_1_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(r->client, "ALL:@SECLEVEL=0"), 1);
	assert_false(handshake(r, r->devices));
}

static void knows_two_groups(void **state)
{
	struct rig *r = *state;

	assert_int_equal(SSL_CTX_set1_groups_list(r->client, "X25519"), 1);
	assert_true(handshake(r, r->devices));
	assert_int_equal(SSL_CTX_set1_groups_list(r->client, "P-256"), 1);
	assert_true(handshake(r, r->devices));
	assert_int_equal(SSL_CTX_set1_groups_list(r->client, "P-384:P-521:X448"), 1);
	assert_false(handshake(r, r->devices));
}

static void never_renegotiates(void **state)
{
	struct rig *r = *state;
	char byte;

	only(r, TLS1_2_VERSION);
	assert_true(handshake(r, r->devices));
	assert_int_equal(SSL_renegotiate(r->client_ssl), 1);
	(void)SSL_do_handshake(r->client_ssl);
	(void)SSL_read(r->server_ssl, &byte, 1);
	assert_int_not_equal(SSL_do_handshake(r->client_ssl), 1);
	ERR_clear_error();
}

static void resumes_devices_and_not_operators(void **state)
{
	struct rig *r = *state;
	SSL_SESSION *session;

	only(r, TLS1_2_VERSION);
	assert_true(handshake(r, r->devices));
	session = SSL_get1_session(r->client_ssl);
	assert_int_equal(SSL_SESSION_has_ticket(session), 1);
	SSL_SESSION_free(session);
	assert_true((SSL_CTX_get_options(r->operators) & SSL_OP_NO_TICKET) != 0);
	assert_int_equal(SSL_CTX_get_num_tickets(r->operators), 0);
}

static void a_client_that_is_not_admitted_gets_no_signature(void **state)
{
	struct rig *r = *state;

	admitted = 0;
	assert_false(handshake(r, r->devices));
	assert_null(SSL_get0_peer_certificate(r->client_ssl));
	admitted = 1;
	assert_true(handshake(r, r->devices));
}

static int try_operator(struct rig *r, X509 *cert, EVP_PKEY *key)
{
	char byte;
	int n;

	if (cert != NULL)
		assert_int_equal(SSL_CTX_use_cert_and_key(r->client, cert, key, NULL, 1), 1);
	if (!handshake(r, r->operators))
		return 0;
	/* in 1.3 a client learns of a refused certificate when it reads */
	n = SSL_read(r->client_ssl, &byte, 1);
	return n > 0 || SSL_get_error(r->client_ssl, n) == SSL_ERROR_WANT_READ;
}

static void operators_need_a_certificate_of_the_root(void **state)
{
	struct tls_names device = { "spiffe://" TLS_FLEET "/device/op1", NULL, 0 };
	struct tls_names server = { "spiffe://" TLS_FLEET "/operator/op1", NULL, 1 };
	struct tls_names foreign = { "spiffe://other/operator/op1", NULL, 0 };
	struct tls_names upper = { "spiffe://" TLS_FLEET "/operator/OP1", NULL, 0 };
	struct rig *r = *state;
	EVP_PKEY *key = tls_fleet_key();
	struct tls_names *wrong[] = { &device, &server, &foreign, &upper };
	struct tls_fleet other;
	X509 *cert;

	assert_false(try_operator(r, NULL, NULL));
	for (size_t i = 0; i < 4; i++) {
		cert = tls_fleet_issue(&r->fleet, key, wrong[i]);
		assert_false(try_operator(r, cert, key));
		X509_free(cert);
	}
	tls_fleet_open(&other);
	cert = tls_fleet_operator(&other, key, "op1");
	assert_false(try_operator(r, cert, key));
	X509_free(cert);
	tls_fleet_close(&other);
	/* and the right one, though it expired long ago */
	cert = tls_fleet_operator(&r->fleet, key, "op1");
	assert_true(try_operator(r, cert, key));
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void a_reload_swaps_the_certificate_for_new_connections(void **state)
{
	struct rig *r = *state;
	char why[TLS_WHY_MAX] = "";
	X509 *before, *after;

	assert_true(handshake(r, r->devices));
	before = SSL_get1_peer_certificate(r->client_ssl);
	tls_fleet_join(&r->fleet); /* another signature over the same key */
	assert_int_equal(tls_identity_load(&r->identity, r->fleet.state, why), CV_OK);
	assert_true(handshake(r, r->devices));
	after = SSL_get1_peer_certificate(r->client_ssl);
	assert_int_not_equal(X509_cmp(before, after), 0);
	X509_free(before);
	X509_free(after);
}

static void a_bad_certificate_leaves_the_old_one(void **state)
{
	struct rig *r = *state;
	char path[FILE_PATH_BUF], why[TLS_WHY_MAX] = "";
	EVP_PKEY *key = tls_fleet_key();
	struct tls_names names;
	X509 *before, *after, *wrong;
	char *pem;

	assert_true(handshake(r, r->devices));
	before = SSL_get1_peer_certificate(r->client_ssl);
	tls_fleet_gateway_names(&names, TLS_GATEWAY);
	wrong = tls_fleet_issue(&r->fleet, key, &names);
	pem = tls_fleet_pem(wrong);
	assert_int_equal(state_path(path, r->fleet.state, STATE_TLS_CRT), CV_OK);
	assert_int_equal(file_write_atomic(path, pem, strlen(pem), 0644), CV_OK);
	assert_int_equal(tls_identity_load(&r->identity, r->fleet.state, why), CV_ERR_MISMATCH);
	assert_string_equal(why, "the certificate is for another TLS key");
	assert_int_equal(file_write_atomic(path, "x", 1, 0644), CV_OK);
	assert_int_equal(tls_identity_load(&r->identity, r->fleet.state, why), CV_ERR_FORMAT);
	assert_true(handshake(r, r->devices));
	after = SSL_get1_peer_certificate(r->client_ssl);
	assert_int_equal(X509_cmp(before, after), 0);
	free(pem);
	X509_free(before);
	X509_free(after);
	X509_free(wrong);
	EVP_PKEY_free(key);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(speaks_tls_1_3),
		TEST(speaks_the_microcontrollers_suite),
		TEST(speaks_no_other_suite_of_tls_1_2),
		TEST(demands_the_extended_master_secret),
		TEST(speaks_nothing_older),
		TEST(knows_two_groups),
		TEST(never_renegotiates),
		TEST(resumes_devices_and_not_operators),
		TEST(a_client_that_is_not_admitted_gets_no_signature),
		TEST(operators_need_a_certificate_of_the_root),
		TEST(a_reload_swaps_the_certificate_for_new_connections),
		TEST(a_bad_certificate_leaves_the_old_one),
	};

	log_init("test_tls");
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK ||
		tls_library_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
