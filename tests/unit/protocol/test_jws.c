#include "protocol/jws.h"

#include "protocol/opcert.h"
#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/unit/protocol/documents.h"

#define TYP "eat+jwt"
#define KEY v_attestation_public

static enum cv_err verify(const char *data, size_t len)
{
	static char payload[CV_JWS_MAX];
	size_t n = 77;
	enum cv_err err;

	memset(payload, 0xaa, 64);
	err = jws_verify(data, len, TYP, KEY, payload, sizeof(payload), &n);
	if (err != CV_OK) {
		assert_int_equal(n, 77);
		assert_true(all_zero(payload, 64));
	}
	return err;
}

static enum cv_err verify_text(const char *text)
{
	return damage_run(verify, text, strlen(text));
}

static void verifies_what_the_reference_signed(void **state)
{
	char payload[CV_EVIDENCE_MAX];
	size_t len;

	(void)state;
	assert_int_equal(jws_verify(v_evidence, TEXT_LEN(v_evidence), TYP, KEY, payload,
				 sizeof(payload), &len),
		CV_OK);
	assert_int_equal(len, TEXT_LEN(v_evidence_claims));
	assert_string_equal(payload, v_evidence_claims);
}

static void refuses_truncations_flips_and_more(void **state)
{
	(void)state;
	damage_accepts(verify, v_evidence, TEXT_LEN(v_evidence));
	damage_refuses_truncations(verify, v_evidence, TEXT_LEN(v_evidence));
	damage_refuses_one_more(verify, v_evidence, TEXT_LEN(v_evidence));
	damage_refuses_flips(verify, v_evidence, TEXT_LEN(v_evidence));
	damage_reports_no_memory(verify, v_evidence, TEXT_LEN(v_evidence));
}

static void signs_what_it_verifies(void **state)
{
	struct jws_signer signer = jws_key_signer(v_attestation_private);
	char text[512];
	size_t len = 0;

	(void)state;
	assert_int_equal(
		jws_sign(text, sizeof(text), &len, TYP, NULL, "{\"a\":1}", 7, &signer), CV_OK);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(text, v_evidence, strchr(v_evidence, '.') - v_evidence);
	assert_int_equal(verify_text(text), CV_OK);
}

static void signing_into_every_shorter_buffer_fails_inside_it(void **state)
{
	struct jws_signer signer = jws_key_signer(v_attestation_private);
	static const char *const crts[] = {NULL, v_opcert};

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		char *whole = malloc(4096);
		size_t len = 0, least = 0;

		assert_int_equal(jws_sign(whole, 4096, &len, TYP, crts[k], "{}", 2, &signer), CV_OK);
		for (size_t cap = 0; cap <= len + 64; cap++) {
			char *text = malloc(cap > 0 ? cap : 1);
			size_t got = 0;
			enum cv_err err =
				jws_sign(text, cap, &got, TYP, crts[k], "{}", 2, &signer);

			if (err == CV_OK) {
				assert_int_equal(got, len);
				assert_memory_equal(text, whole, len - 86);
				least = least == 0 ? cap : least;
			} else {
				assert_int_equal(err, CV_ERR_TOO_LONG);
				assert_int_equal(least, 0);
			}
			free(text);
		}
		/* the header is encoded in place; that may cost a few bytes, not more */
		assert_true(least > len && least <= len + 64);
		free(whole);
	}
}

static enum cv_err failing_sign(
	void *context, const uint8_t hash[CV_HASH_BYTES], uint8_t sig[CV_ES256_SIG_BYTES])
{
	(void)context;
	(void)hash;
	(void)sig;
	return CV_ERR_CRYPTO;
}

static void a_failing_signer_leaves_nothing(void **state)
{
	struct jws_signer signer = {failing_sign, NULL};
	char text[512];
	size_t len = 5;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(jws_sign(text, sizeof(text), &len, TYP, NULL, "{}", 2, &signer),
		CV_ERR_CRYPTO);
	assert_int_equal(len, 5);
	assert_true(all_zero(text, sizeof(text)));
}

static void other_headers_are_refused_even_if_well_signed(void **state)
{
	static const struct {
		const char *header;
		enum cv_err want;
	} rows[] = {
		{"{\"alg\":\"ES256\",\"typ\":\"eat+jwt\"}", CV_OK},
		{"{\"typ\":\"eat+jwt\",\"alg\":\"ES256\"}", CV_OK},
		{"{\"alg\":\"none\",\"typ\":\"eat+jwt\"}", CV_ERR_ALGORITHM},
		{"{\"alg\":\"None\",\"typ\":\"eat+jwt\"}", CV_ERR_ALGORITHM},
		{"{\"alg\":\"\",\"typ\":\"eat+jwt\"}", CV_ERR_ALGORITHM},
		{"{\"alg\":\"es256\",\"typ\":\"eat+jwt\"}", CV_ERR_ALGORITHM},
		{"{\"alg\":\"ES256 \",\"typ\":\"eat+jwt\"}", CV_ERR_ALGORITHM},
		{"{\"alg\":\"HS256\",\"typ\":\"eat+jwt\"}", CV_ERR_ALGORITHM},
		{"{\"alg\":\"ES384\",\"typ\":\"eat+jwt\"}", CV_ERR_ALGORITHM},
		{"{\"alg\":\"RS256\",\"typ\":\"eat+jwt\",\"x\":1}", CV_ERR_ALGORITHM},
		{"{\"alg\":256,\"typ\":\"eat+jwt\"}", CV_ERR_TYPE},
		{"{\"alg\":null,\"typ\":\"eat+jwt\"}", CV_ERR_TYPE},
		{"{\"typ\":\"eat+jwt\"}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\"}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"typ\":\"EAT+JWT\"}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"typ\":\"conclave-opcert+jws\"}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"typ\":\"eat+jwt\",\"kid\":\"1\"}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"typ\":\"eat+jwt\",\"jwk\":{}}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"typ\":\"eat+jwt\",\"crit\":[]}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"typ\":\"eat+jwt\",\"b64\":false}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"typ\":\"eat+jwt\",\"crt\":\"x\"}", CV_ERR_TYPE},
		{"{\"Alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"eat+jwt\"}", CV_ERR_TYPE},
		{"{\"alg\":\"ES256\",\"alg\":\"none\",\"typ\":\"eat+jwt\"}", CV_ERR_FORMAT},
		{"{\"alg\":\"none\",\"\\u0061lg\":\"ES256\",\"typ\":\"eat+jwt\"}", CV_ERR_FORMAT},
		{"{\"alg\":\"ES256\\u0000\",\"typ\":\"eat+jwt\"}", CV_ERR_FORMAT},
		{"[]", CV_ERR_FORMAT},
		{"", CV_ERR_FORMAT},
	};
	static char text[DOCUMENT_BUF];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum cv_err err;

		document_sign(text, rows[i].header, "{}", v_attestation_private);
		err = verify_text(text);
		if (err != rows[i].want)
			fail_msg("%s: %d, not %d", rows[i].header, err, rows[i].want);
	}
}

static void an_unsecured_token_is_refused(void **state)
{
	(void)state;
	/* {"alg":"none","typ":"eat+jwt"} . {} . nothing */
	assert_int_equal(verify_text("eyJhbGciOiJub25lIiwidHlwIjoiZWF0K2p3dCJ9.e30."),
		CV_ERR_ALGORITHM);
}

static void other_shapes_are_refused(void **state)
{
	static char text[DOCUMENT_BUF];
	static char changed[DOCUMENT_BUF + 8];
	const char *last;

	(void)state;
	assert_int_equal(verify_text(""), CV_ERR_FORMAT);
	assert_int_equal(verify_text("."), CV_ERR_FORMAT);
	assert_int_equal(verify_text(".."), CV_ERR_FORMAT);
	assert_int_equal(verify_text("..."), CV_ERR_FORMAT);
	document_make(text, TYP, NULL, "{}", v_attestation_private);
	last = strrchr(text, '.');
	snprintf(changed, sizeof(changed), "%s.e30", text);
	assert_int_equal(verify_text(changed), CV_ERR_FORMAT);
	snprintf(changed, sizeof(changed), "%.*s", (int)(last - text), text);
	assert_int_equal(verify_text(changed), CV_ERR_FORMAT);
	snprintf(changed, sizeof(changed), "%.*s.", (int)(last - text), text);
	assert_int_equal(verify_text(changed), CV_ERR_FORMAT);
	snprintf(changed, sizeof(changed), "%s=", text);
	assert_int_equal(verify_text(changed), CV_ERR_FORMAT);
	snprintf(changed, sizeof(changed), " %s", text);
	assert_int_equal(verify_text(changed), CV_ERR_FORMAT);
	snprintf(changed, sizeof(changed), "%s\n", text);
	assert_int_equal(verify_text(changed), CV_ERR_FORMAT);
}

static void another_key_does_not_verify(void **state)
{
	static char text[DOCUMENT_BUF];

	(void)state;
	document_make(text, TYP, NULL, "{}", v_operator_private);
	assert_int_equal(verify_text(text), CV_ERR_SIGNATURE);
}

static void a_header_or_document_over_its_limit_is_refused(void **state)
{
	static char text[DOCUMENT_BUF];
	static char payload[CV_JWS_MAX];
	char header[512];

	(void)state;
	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",%300s\"typ\":\"eat+jwt\"}", " ");
	document_sign(text, header, "{}", v_attestation_private);
	assert_int_equal(verify_text(text), CV_ERR_TOO_LONG);
	memset(payload, ' ', sizeof(payload) - 1);
	document_make(text, TYP, NULL, payload, v_attestation_private);
	assert_true(strlen(text) > CV_JWS_MAX);
	assert_int_equal(verify_text(text), CV_ERR_TOO_LONG);
}

static void the_payload_keeps_to_its_buffer(void **state)
{
	char payload[8];
	size_t len;
	static char text[DOCUMENT_BUF];

	(void)state;
	document_make(text, TYP, NULL, "{\"a\":1}", v_attestation_private);
	assert_int_equal(
		jws_verify(text, strlen(text), TYP, KEY, payload, 7, &len), CV_ERR_TOO_LONG);
	assert_int_equal(jws_verify(text, strlen(text), TYP, KEY, payload, 8, &len), CV_OK);
	assert_string_equal(payload, "{\"a\":1}");
	assert_int_equal(
		jws_verify(text, strlen(text), TYP, KEY, payload, 0, &len), CV_ERR_ARGUMENT);
}

static void the_certificate_can_be_taken_out(void **state)
{
	char crt[CV_OPCERT_MAX + 1];
	size_t len = 0;

	(void)state;
	assert_int_equal(jws_peek_crt(v_share_set, TEXT_LEN(v_share_set), "conclave-share-set+jws",
				 crt, sizeof(crt), &len),
		CV_OK);
	assert_string_equal(crt, v_opcert);
	assert_int_equal(len, TEXT_LEN(v_opcert));
	assert_int_equal(jws_peek_crt(v_share_set, TEXT_LEN(v_share_set), "conclave-share-set+jws",
				 crt, TEXT_LEN(v_opcert), &len),
		CV_ERR_TOO_LONG);
	assert_int_equal(jws_peek_crt(v_share_set, TEXT_LEN(v_share_set), "conclave-enrol+jws", crt,
				 sizeof(crt), &len),
		CV_ERR_TYPE);
	assert_int_equal(jws_peek_crt(v_evidence, TEXT_LEN(v_evidence), TYP, crt, sizeof(crt), &len),
		CV_ERR_TYPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verifies_what_the_reference_signed),
		cmocka_unit_test(refuses_truncations_flips_and_more),
		cmocka_unit_test(signs_what_it_verifies),
		cmocka_unit_test(signing_into_every_shorter_buffer_fails_inside_it),
		cmocka_unit_test(a_failing_signer_leaves_nothing),
		cmocka_unit_test(other_headers_are_refused_even_if_well_signed),
		cmocka_unit_test(an_unsecured_token_is_refused),
		cmocka_unit_test(other_shapes_are_refused),
		cmocka_unit_test(another_key_does_not_verify),
		cmocka_unit_test(a_header_or_document_over_its_limit_is_refused),
		cmocka_unit_test(the_payload_keeps_to_its_buffer),
		cmocka_unit_test(the_certificate_can_be_taken_out),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
