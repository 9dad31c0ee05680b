#include "protocol/enrol.h"

#include "protocol/base64url.h"
#include "protocol/hpke.h"
#include "protocol/lp.h"
#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/unit/protocol/documents.h"
#include "tests/vectors/tpm_vectors.h"

static enum cv_err open_at(const char *gateway, const uint8_t *private_key, const char *data,
	size_t len)
{
	static struct enrolment e;
	struct opcert cert;
	enum cv_err err;

	memset(&e, 0xaa, sizeof(e));
	memset(&cert, 0, sizeof(cert));
	err = enrolment_open(&e, data, len, &vector_trust, gateway, private_key, &cert);
	if (err != CV_OK) {
		assert_true(all_zero(&e, sizeof(e)));
		assert_true(all_zero(&cert, sizeof(cert)));
	}
	return err;
}

static enum cv_err open_package(const char *data, size_t len)
{
	return open_at("gw-b", v_enrolment_private, data, len);
}

static void opens_what_the_reference_sealed(void **state)
{
	static struct enrolment e;
	struct opcert cert;

	(void)state;
	assert_int_equal(enrolment_open(&e, v_enrol, TEXT_LEN(v_enrol), &vector_trust, "gw-b",
				 v_enrolment_private, &cert),
		CV_OK);
	assert_string_equal(cert.operator_id, "alice");
	assert_string_equal(e.fleet, "acme");
	assert_string_equal(e.gateway, "gw-b");
	assert_string_equal(e.device, "pump-7");
	assert_memory_equal(e.volume_id, v_volume_id, 16);
	assert_int_equal(e.epoch, VECTOR_EPOCH);
	assert_int_equal(e.x, VECTOR_X);
	assert_memory_equal(e.share, v_share, 32);
	assert_memory_equal(e.mac_key, v_mac_key, 32);
	assert_memory_equal(e.attestation_key, v_attestation_public, 65);
	assert_memory_equal(e.share_set_hash, v_share_set_hash, 32);
	assert_int_equal(e.threshold, 2);
	assert_int_equal(e.members, 3);
	assert_int_equal(e.trust_class, TRUST_SOFTWARE);
	assert_string_equal(e.policy, v_policy);
	assert_int_equal(e.policy_len, TEXT_LEN(v_policy));
}

static void what_is_sealed_opens_again_and_is_sealed_as_the_reference_says(void **state)
{
	struct jws_signer signer = jws_key_signer(v_operator_private);
	static struct enrolment e, back;
	static char text[ENROL_MAX + 1];
	struct opcert cert;
	size_t len;

	(void)state;
	assert_int_equal(enrolment_open(&e, v_enrol, TEXT_LEN(v_enrol), &vector_trust, "gw-b",
				 v_enrolment_private, &cert),
		CV_OK);
	assert_int_equal(enrolment_seal(text, sizeof(text), &len, &e, v_enrolment_public, v_opcert,
				 &signer),
		CV_OK);
	/* same plaintext, other ephemeral key: the same length */
	assert_int_equal(len, TEXT_LEN(v_enrol));
	assert_int_equal(enrolment_open(&back, text, len, &vector_trust, "gw-b",
				 v_enrolment_private, &cert),
		CV_OK);
	assert_memory_equal(&back, &e, sizeof(e));
}

static void refuses_truncations_and_more(void **state)
{
	(void)state;
	damage_accepts(open_package, v_enrol, TEXT_LEN(v_enrol));
	damage_refuses_truncations(open_package, v_enrol, TEXT_LEN(v_enrol));
	damage_refuses_one_more(open_package, v_enrol, TEXT_LEN(v_enrol));
	damage_reports_no_memory(open_package, v_enrol, TEXT_LEN(v_enrol));
}

static void refuses_every_flip(void **state)
{
	(void)state;
	damage_refuses_flips(open_package, v_enrol, TEXT_LEN(v_enrol));
}

static void it_is_for_one_gateway_and_one_key(void **state)
{
	(void)state;
	assert_int_equal(
		open_at("gw-a", v_enrolment_private, v_enrol, TEXT_LEN(v_enrol)), CV_ERR_MISMATCH);
	assert_int_equal(
		open_at("gw-b", v_boot_private, v_enrol, TEXT_LEN(v_enrol)), CV_ERR_SEAL);
}

/* A package with any payload and plaintext, well sealed and well signed. */
static void make_package(char text[DOCUMENT_BUF], const char *gateway, const char *bound_to,
	const char *plain, const char *crt)
{
	static uint8_t sealed[20000];
	static char payload[40000], enc[64], ct[30000];
	uint8_t info[256];
	struct hpke_context_info ci = {info, 0, NULL, 0};
	struct lp lp;

	lp_begin(&lp, info, sizeof(info), "conclave-enrol-v1");
	lp_text(&lp, "acme");
	lp_text(&lp, bound_to);
	lp_text(&lp, "pump-7");
	assert_int_equal(lp_end(&lp, &ci.info_len), CV_OK);
	assert_int_equal(hpke_seal(sealed, v_enrolment_public, &ci, (const uint8_t *)plain,
				 strlen(plain)),
		CV_OK);
	assert_int_equal(base64url_encode(enc, sizeof(enc), sealed, 32), CV_OK);
	assert_int_equal(base64url_encode(ct, sizeof(ct), sealed + 32, strlen(plain) + 16), CV_OK);
	snprintf(payload, sizeof(payload),
		"{\"v\":1,\"fleet\":\"acme\",\"gateway\":\"%s\",\"device\":\"pump-7\",\"enc\":\"%s\","
		"\"ct\":\"%s\"}",
		gateway, enc, ct);
	document_make(text, ENROL_TYP, crt, payload, v_operator_private);
}

static void refuses_other_plaintexts_well_sealed(void **state)
{
	static const struct {
		const char *from, *to;
		enum cv_err want;
	} rows[] = {
		{"\"v\":1", "\"v\":1 ", CV_OK},
		{"\"v\":1", "\"v\":2", CV_ERR_RANGE},
		{"\"v\":1", "\"v\":1,\"y\":0", CV_ERR_TYPE},
		{"\"epoch\":3", "\"epoch\":0", CV_ERR_RANGE},
		{"\"x\":2", "\"x\":0", CV_ERR_RANGE},
		{"\"x\":2", "\"x\":256", CV_ERR_RANGE},
		{"\"share\":\"", "\"share\":\"A", CV_ERR_TYPE},
		{"\"mac_key\":\"", "\"mac_key\":\"!", CV_ERR_TYPE},
		{"\"threshold\":2", "\"threshold\":4", CV_ERR_RANGE},
		{"\"members\":3", "\"members\":17", CV_ERR_RANGE},
		{"\"software\"", "\"hardware\"", CV_ERR_TYPE},
		{"\"software\"", "5", CV_ERR_TYPE},
		{"\"policy\":{", "\"policy\":5,\"p\":{", CV_ERR_TYPE},
		{"\"policy\":{\"v\"", "\"policy\":{\"policy\":{},\"v\"", CV_OK},
		{"{", "", CV_ERR_FORMAT},
	};
	static char text[DOCUMENT_BUF], changed[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum cv_err err;

		text_replace(changed, sizeof(changed), v_enrol_plain, rows[i].from, rows[i].to);
		make_package(text, "gw-b", "gw-b", changed, v_opcert);
		err = open_package(text, strlen(text));
		if (err != rows[i].want)
			fail_msg("%s: %d, not %d", rows[i].to, err, rows[i].want);
	}
}

static void a_seal_for_another_gateway_does_not_open_here(void **state)
{
	static char text[DOCUMENT_BUF];

	(void)state;
	make_package(text, "gw-b", "gw-b", v_enrol_plain, v_opcert);
	assert_int_equal(open_package(text, strlen(text)), CV_OK);
	make_package(text, "gw-b", "gw-a", v_enrol_plain, v_opcert);
	assert_int_equal(open_package(text, strlen(text)), CV_ERR_SEAL);
}

static void only_the_role_enrol_may_sign(void **state)
{
	static char text[DOCUMENT_BUF];
	char crt[CV_OPCERT_MAX + 1];

	(void)state;
	certificate_make(crt, OP_ROLE_DEAL | OP_ROLE_POLICY | OP_ROLE_REVOKE | OP_ROLE_AUDIT);
	make_package(text, "gw-b", "gw-b", v_enrol_plain, crt);
	assert_int_equal(open_package(text, strlen(text)), CV_ERR_ROLE);
	certificate_make(crt, OP_ROLE_ENROL);
	make_package(text, "gw-b", "gw-b", v_enrol_plain, crt);
	assert_int_equal(open_package(text, strlen(text)), CV_OK);
}

static void the_largest_policy_travels_and_a_larger_one_does_not(void **state)
{
	struct jws_signer signer = jws_key_signer(v_operator_private);
	static struct enrolment e, back;
	static char text[ENROL_MAX + 1];
	struct opcert cert;
	size_t len;

	(void)state;
	assert_int_equal(enrolment_open(&e, v_enrol, TEXT_LEN(v_enrol), &vector_trust, "gw-b",
				 v_enrolment_private, &cert),
		CV_OK);
	memset(e.policy, ' ', CV_POLICY_MAX);
	e.policy[0] = '{';
	e.policy[CV_POLICY_MAX - 1] = '}';
	e.policy[CV_POLICY_MAX] = '\0';
	e.policy_len = CV_POLICY_MAX;
	memset(e.device, 'd', CV_ID_MAX);
	assert_int_equal(enrolment_seal(text, sizeof(text), &len, &e, v_enrolment_public, v_opcert,
				 &signer),
		CV_OK);
	assert_int_equal(enrolment_open(&back, text, len, &vector_trust, "gw-b",
				 v_enrolment_private, &cert),
		CV_OK);
	assert_memory_equal(&back, &e, sizeof(e));
	e.policy_len++;
	assert_int_equal(enrolment_seal(text, sizeof(text), &len, &e, v_enrolment_public, v_opcert,
				 &signer),
		CV_ERR_ARGUMENT);
}

static void seal_refuses_what_open_would_refuse(void **state)
{
	struct jws_signer signer = jws_key_signer(v_operator_private);
	static struct enrolment good, bad;
	static char text[ENROL_MAX + 1];
	struct opcert cert;
	size_t len;

	(void)state;
	assert_int_equal(enrolment_open(&good, v_enrol, TEXT_LEN(v_enrol), &vector_trust, "gw-b",
				 v_enrolment_private, &cert),
		CV_OK);
	for (int i = 0; i < 7; i++) {
		bad = good;
		switch (i) {
		case 0: bad.x = 0; break;
		case 1: bad.threshold = 4; break;
		case 2: bad.epoch = 0; break;
		case 3: bad.trust_class = (enum trust_class)0; break;
		case 4: bad.policy_len = 0; break;
		case 5: bad.policy[0] = '['; break;
		default: strcpy(bad.gateway, "GW"); break;
		}
		assert_int_equal(enrolment_seal(text, sizeof(text), &len, &bad, v_enrolment_public,
					 v_opcert, &signer),
			CV_ERR_ARGUMENT);
	}
}

static enum cv_err seal_tpm(const struct enrolment *e, char *text, size_t cap, size_t *len)
{
	struct jws_signer signer = jws_key_signer(v_operator_private);

	return enrolment_seal(text, cap, len, e, v_enrolment_public, v_opcert, &signer);
}

/* What the vector holds, for a device whose TPM is the one of the TPM's vectors. */
static void tpm_enrolment(struct enrolment *e)
{
	struct opcert cert;

	assert_int_equal(enrolment_open(e, v_enrol, TEXT_LEN(v_enrol), &vector_trust, "gw-b",
				 v_enrolment_private, &cert),
		CV_OK);
	e->trust_class = TRUST_TPM;
	memcpy(e->tpm.ek_name, v_tpm_ek_name, sizeof(e->tpm.ek_name));
	memcpy(e->tpm.ak, v_tpm_ak, sizeof(v_tpm_ak));
	e->tpm.ak_len = sizeof(v_tpm_ak);
}

static void names_the_tpm_of_a_device_that_has_one(void **state)
{
	static struct enrolment e, again;
	static char text[ENROL_MAX + 1];
	struct opcert cert;
	size_t len;

	(void)state;
	tpm_enrolment(&e);
	assert_int_equal(seal_tpm(&e, text, sizeof(text), &len), CV_OK);
	assert_int_equal(enrolment_open(&again, text, len, &vector_trust, "gw-b",
				 v_enrolment_private, &cert),
		CV_OK);
	assert_int_equal(again.trust_class, TRUST_TPM);
	assert_memory_equal(&again.tpm, &e.tpm, sizeof(e.tpm));
}

static void refuses_a_tpm_that_may_not_attest(void **state)
{
	static struct enrolment good, bad;
	static char text[ENROL_MAX + 1];
	size_t len;

	(void)state;
	tpm_enrolment(&good);
	for (int i = 0; i < 5; i++) {
		bad = good;
		switch (i) {
		case 0: bad.tpm.ak_len = 0; break;
		case 1: bad.tpm.ak_len--; break;
		case 2: bad.tpm.ak[5] ^= 0x01; break; /* not restricted */
		case 3: bad.tpm.ak_len = TPM_PUBLIC_MAX + 1; break;
		default: bad.trust_class = TRUST_SOFTWARE; break;
		}
		assert_int_equal(seal_tpm(&bad, text, sizeof(text), &len), CV_ERR_ARGUMENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_the_reference_sealed),
		cmocka_unit_test(what_is_sealed_opens_again_and_is_sealed_as_the_reference_says),
		cmocka_unit_test(refuses_truncations_and_more),
		cmocka_unit_test(refuses_every_flip),
		cmocka_unit_test(it_is_for_one_gateway_and_one_key),
		cmocka_unit_test(refuses_other_plaintexts_well_sealed),
		cmocka_unit_test(a_seal_for_another_gateway_does_not_open_here),
		cmocka_unit_test(only_the_role_enrol_may_sign),
		cmocka_unit_test(the_largest_policy_travels_and_a_larger_one_does_not),
		cmocka_unit_test(seal_refuses_what_open_would_refuse),
		cmocka_unit_test(names_the_tpm_of_a_device_that_has_one),
		cmocka_unit_test(refuses_a_tpm_that_may_not_attest),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
