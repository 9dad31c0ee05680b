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

#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/mac.h"
#include "protocol/settings.h"
#include "provisioning/deal.h"
#include "tests/unit/support/temp_dir.h"

#define N 4
#define K 3

struct stage {
	struct fleet fleet;
	struct operator op;
	struct deal_plan plan;
	struct deal_secrets *secrets;
	struct key_pair root;
	uint8_t enrolment_private[N][CV_X25519_BYTES];
	char cert[CV_OPCERT_MAX + 1];
	char tls_root[8];
};

static struct stage *open_stage(void)
{
	struct stage *s = calloc(1, sizeof(*s));
	struct opcert cert = {.fleet = "f", .operator_id = "admin", .roles = OP_ROLES_ALL,
		.iat_s = 1, .exp_s = 4102444800};
	struct jws_signer root;
	size_t len = 0;

	assert_non_null(s);
	s->op.keys = secret_alloc(sizeof(*s->op.keys));
	s->secrets = secret_alloc(sizeof(*s->secrets));
	assert_non_null(s->op.keys);
	assert_non_null(s->secrets);
	assert_int_equal(key_pair_generate(&s->root), CV_OK);
	assert_int_equal(key_pair_generate(s->op.keys), CV_OK);
	strcpy(s->fleet.id, "f");
	strcpy(s->tls_root, "PEM");
	s->fleet.tls_root = s->tls_root;
	assert_int_equal(crypto_es256_public(s->fleet.root_key, s->root.sign), CV_OK);
	assert_int_equal(crypto_es256_public(cert.key, s->op.keys->sign), CV_OK);
	root = jws_key_signer(s->root.sign);
	assert_int_equal(opcert_encode(s->cert, sizeof(s->cert), &len, &cert, &root), CV_OK);
	s->op.cert_text = s->cert;
	s->plan = (struct deal_plan){.fleet = &s->fleet, .op = &s->op, .device = "d1",
		.trust_class = TRUST_SOFTWARE, .count = N, .threshold = K, .epoch = 1,
		.policy = "{\"v\":1}", .policy_len = 7};
	for (size_t i = 0; i < N; i++) {
		struct gateway_record *g = &s->plan.gateways[i];

		snprintf(g->id, sizeof(g->id), "g%zu", i + 1);
		if (i != 1)
			snprintf(g->address, sizeof(g->address), "127.0.0.1:%zu", i + 1);
		assert_int_equal(
			crypto_x25519_keypair(s->enrolment_private[i], g->enrolment_key), CV_OK);
	}
	assert_int_equal(deal_make(&s->plan, s->secrets), CV_OK);
	return s;
}

static void close_stage(struct stage *s)
{
	secret_free(s->op.keys);
	secret_free(s->secrets);
	free(s);
}

static void any_k_shares_give_the_secret_and_hold_their_commitments(void **state)
{
	struct stage *s = open_stage();
	uint8_t secret[CV_SECRET_BYTES];

	(void)state;
	for (size_t left_out = 0; left_out < N; left_out++) {
		struct shamir_share some[K];
		size_t n = 0;

		for (size_t i = 0; i < N; i++)
			if (i != left_out)
				some[n++] = s->secrets->shares[i];
		assert_int_equal(shamir_combine(secret, some, K, K), SHAMIR_OK);
		assert_memory_equal(secret, s->secrets->unlock, sizeof(secret));
	}
	for (size_t i = 0; i < N; i++)
		assert_int_equal(
			share_set_check(&s->plan.set, i, s->secrets->shares[i].y), CV_OK);
	close_stage(s);
}

static void the_coefficients_are_gone_after_dealing(void **state)
{
	static const uint8_t zero[SHAMIR_RANDOM_BYTES(CV_MEMBERS_MAX)] = {0};
	struct stage *s = open_stage();

	(void)state;
	assert_memory_equal(s->secrets->coefficients, zero, sizeof(zero));
	close_stage(s);
}

static void the_share_set_verifies_under_the_root(void **state)
{
	struct stage *s = open_stage();
	struct op_trust trust = {.fleet = "f", .root_key = s->fleet.root_key};
	struct share_set set;

	(void)state;
	assert_int_equal(
		share_set_decode(&set, s->plan.set_text, s->plan.set_len, &trust), CV_OK);
	assert_int_equal(set.threshold, K);
	assert_int_equal(set.count, N);
	assert_memory_equal(set.hash, s->plan.set.hash, sizeof(set.hash));
	close_stage(s);
}

/* Opens with its own gateway's key and holds that gateway's share and key, and no other opens. */
static void each_package_is_for_its_gateway_alone(void **state)
{
	struct stage *s = open_stage();
	struct op_trust trust = {.fleet = "f", .root_key = s->fleet.root_key};
	struct enrolment *e = secret_alloc(sizeof(*e));
	struct opcert signer;
	uint8_t key[CV_MAC_KEY_BYTES];

	assert_int_equal(deal_write_packages(&s->plan, s->secrets, *state), CV_OK);
	for (size_t i = 0; i < N; i++) {
		const char *id = s->plan.gateways[i].id;
		struct mac_scope scope = {"f", id, "d1"};
		char name[32];
		uint8_t *text = NULL;
		size_t len = 0;

		snprintf(name, sizeof(name), "%s.jws", id);
		assert_int_equal(file_read(&text, &len, temp_path(state, name), CV_JWS_MAX), CV_OK);
		assert_int_equal(enrolment_open(e, (char *)text, len, &trust, id,
					 s->enrolment_private[i], &signer),
			CV_OK);
		assert_int_equal(e->x, s->secrets->shares[i].x);
		assert_memory_equal(e->share, s->secrets->shares[i].y, sizeof(e->share));
		assert_int_equal(mac_key_derive(key, s->secrets->mac_root, &scope), CV_OK);
		assert_memory_equal(e->mac_key, key, sizeof(key));
		assert_memory_equal(e->attestation_key, s->plan.attestation_key,
			sizeof(e->attestation_key));
		assert_string_equal(e->policy, "{\"v\":1}");
		assert_int_equal(enrolment_open(e, (char *)text, len, &trust, id,
					 s->enrolment_private[(i + 1) % N], &signer),
			CV_ERR_SEAL);
		assert_int_equal(enrolment_open(e, (char *)text, len, &trust,
					 s->plan.gateways[(i + 1) % N].id,
					 s->enrolment_private[(i + 1) % N], &signer),
			CV_ERR_MISMATCH);
		free(text);
	}
	secret_free(e);
	close_stage(s);
}

static void the_bundle_holds_what_a_device_needs_and_no_share(void **state)
{
	static const char *const names[] = {"device.json", "gateways.json", "share-set.jws",
		"mac.root", "attest.key", "roots/fleet.pub", "roots/tls.pem"};
	struct stage *s = open_stage();
	struct bundle b = {.count = 0};

	(void)state;
	assert_int_equal(deal_bundle(&b, &s->plan, s->secrets), CV_OK);
	assert_int_equal(b.count, sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(bundle_find(&b, names[i]));
	/* g2 has no address yet */
	assert_null(memmem(bundle_find(&b, "gateways.json")->data,
		bundle_find(&b, "gateways.json")->len, "\"g2\"", 4));
	for (size_t i = 0; i < b.count; i++) {
		assert_null(memmem(b.files[i].data, b.files[i].len, s->secrets->unlock, 32));
		for (size_t k = 0; k < N; k++)
			assert_null(memmem(
				b.files[i].data, b.files[i].len, s->secrets->shares[k].y, 32));
	}
	bundle_wipe(&b);
	close_stage(s);
}

static void a_microcontrollers_settings_open_with_the_secret(void **state)
{
	static const uint8_t settings[] = "{\"v\":1}";
	struct stage *s = open_stage();
	struct bundle b = {.count = 0};
	const struct bundle_file *blob;
	uint8_t plain[SETTINGS_PLAIN_MAX];

	(void)state;
	s->plan.settings = settings;
	s->plan.settings_len = sizeof(settings) - 1;
	assert_int_equal(deal_bundle(&b, &s->plan, s->secrets), CV_OK);
	blob = bundle_find(&b, "settings.sealed");
	assert_non_null(blob);
	assert_int_equal(
		settings_open(plain, &s->plan.set, s->secrets->unlock, blob->data, blob->len),
		CV_OK);
	assert_memory_equal(plain, settings, sizeof(settings) - 1);
	bundle_wipe(&b);
	close_stage(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_k_shares_give_the_secret_and_hold_their_commitments),
		cmocka_unit_test(the_coefficients_are_gone_after_dealing),
		cmocka_unit_test(the_share_set_verifies_under_the_root),
		cmocka_unit_test(each_package_is_for_its_gateway_alone),
		cmocka_unit_test(the_bundle_holds_what_a_device_needs_and_no_share),
		cmocka_unit_test(a_microcontrollers_settings_open_with_the_secret),
	};

	return cmocka_run_group_tests(tests, temp_dir_setup, temp_dir_teardown);
}
