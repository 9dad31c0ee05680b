/* The messages of a TPM's enrolment, and what is derived from its secret. */
#include "protocol/enrol_tpm.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/vectors/tpm_vectors.h"

static char text[ENROL_TPM_TEXT_MAX + 1];
static size_t text_len;

static enum cv_err as_request(const char *data, size_t len)
{
	static struct enrol_tpm_request m;

	return enrol_tpm_request_decode(&m, data, len);
}

static enum cv_err as_challenge(const char *data, size_t len)
{
	struct enrol_tpm_challenge m;

	return enrol_tpm_challenge_decode(&m, data, len);
}

static enum cv_err as_response(const char *data, size_t len)
{
	struct enrol_tpm_response m;

	return enrol_tpm_response_decode(&m, data, len);
}

static void a_request_comes_back_as_it_was(void **state)
{
	static struct enrol_tpm_request m, back;

	(void)state;
	memcpy(m.ek, v_tpm_ek, m.ek_len = sizeof(v_tpm_ek));
	memcpy(m.ak, v_tpm_ak, m.ak_len = sizeof(v_tpm_ak));
	memset(m.attestation_key, 7, sizeof(m.attestation_key));
	for (m.certificate_len = 0; m.certificate_len <= ENROL_TPM_CERTIFICATE_MAX;
		m.certificate_len += ENROL_TPM_CERTIFICATE_MAX) {
		memset(m.certificate, 9, m.certificate_len);
		assert_int_equal(
			enrol_tpm_request_encode(text, sizeof(text), &text_len, &m), CV_OK);
		assert_int_equal(enrol_tpm_request_decode(&back, text, text_len), CV_OK);
		assert_memory_equal(&m, &back, sizeof(m));
	}
}

static void a_certificate_that_is_there_is_not_empty(void **state)
{
	static struct enrol_tpm_request m;
	char *at;

	(void)state;
	m.certificate_len = 3;
	assert_int_equal(enrol_tpm_request_encode(text, sizeof(text), &text_len, &m), CV_OK);
	assert_int_equal(as_request(text, text_len), CV_OK);
	at = strstr(text, "AAAA\"");
	memmove(at, at + 4, strlen(at + 4) + 1);
	assert_int_equal(as_request(text, text_len - 4), CV_ERR_TYPE);
}

static void a_challenge_comes_back_as_it_was(void **state)
{
	struct enrol_tpm_challenge m, back;

	(void)state;
	memset(&m, 0, sizeof(m));
	strcpy(m.fleet, "city");
	strcpy(m.device, "cam-1");
	memset(m.request_hash, 1, sizeof(m.request_hash));
	memset(m.credential, 2, m.credential_len = sizeof(m.credential));
	memset(m.seed, 3, m.seed_len = sizeof(m.seed));
	assert_int_equal(enrol_tpm_challenge_encode(text, sizeof(text), &text_len, &m), CV_OK);
	assert_int_equal(enrol_tpm_challenge_decode(&back, text, text_len), CV_OK);
	assert_memory_equal(&m, &back, sizeof(m));
	damage_refuses_truncations(as_challenge, text, text_len);
	damage_refuses_one_more(as_challenge, text, text_len);
	damage_reports_no_memory(as_challenge, text, text_len);
}

static void a_response_comes_back_as_it_was(void **state)
{
	struct enrol_tpm_response m, back;

	(void)state;
	memset(&m, 0, sizeof(m));
	memset(m.proof, 5, sizeof(m.proof));
	memcpy(m.quote.attest, v_tpm_quote_attest, m.quote.attest_len = sizeof(v_tpm_quote_attest));
	memcpy(m.quote.signature, v_tpm_quote_signature,
		m.quote.signature_len = sizeof(v_tpm_quote_signature));
	memcpy(m.quote.pcrs, v_tpm_quote_pcrs, sizeof(m.quote.pcrs));
	assert_int_equal(enrol_tpm_response_encode(text, sizeof(text), &text_len, &m), CV_OK);
	assert_int_equal(enrol_tpm_response_decode(&back, text, text_len), CV_OK);
	assert_memory_equal(&m, &back, sizeof(m));
	damage_refuses_truncations(as_response, text, text_len);
	damage_refuses_one_more(as_response, text, text_len);
}

static void refuses_members_that_it_does_not_know_and_too_much(void **state)
{
	static const char *const texts[] = {"{}", "{\"v\":1}", "{\"v\":2}", "[]",
		"{\"v\":1,\"proof\":\"\",\"quote\":{},\"more\":1}"};
	static char large[ENROL_TPM_TEXT_MAX + 2];

	(void)state;
	memset(large, ' ', sizeof(large));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_not_equal(as_request(texts[i], strlen(texts[i])), CV_OK);
		assert_int_not_equal(as_challenge(texts[i], strlen(texts[i])), CV_OK);
		assert_int_not_equal(as_response(texts[i], strlen(texts[i])), CV_OK);
	}
	assert_int_not_equal(as_request(large, sizeof(large)), CV_OK);
	assert_int_not_equal(as_challenge(large, sizeof(large)), CV_OK);
	assert_int_not_equal(as_response(large, sizeof(large)), CV_OK);
}

/* Proof and bundle key differ from each other, and with each part of the exchange. */
static void every_part_of_the_exchange_counts(void **state)
{
	struct enrol_tpm_transcript t[5];
	uint8_t secret[ENROL_TPM_SECRET_BYTES] = {1};
	uint8_t proof[5][CV_HASH_BYTES], key[5][ENROL_TPM_BUNDLE_KEY_BYTES];
	uint8_t quoted[5][ENROL_TPM_TRANSCRIPT_MAX] = {{0}};
	size_t len;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		memset(&t[i], 0, sizeof(t[i]));
		t[i].fleet = i == 1 ? "cit" : "city";
		t[i].device = i == 1 ? "ycam" : i == 2 ? "cam-2" : "cam";
		t[i].request_hash[0] = i == 3;
		t[i].challenge_hash[0] = i == 4;
		assert_int_equal(enrol_tpm_proof(proof[i], secret, &t[i]), CV_OK);
		assert_int_equal(enrol_tpm_bundle_key(key[i], secret, &t[i]), CV_OK);
		assert_int_equal(enrol_tpm_quoted(quoted[i], &len, &t[i]), CV_OK);
		assert_int_equal(quoted[i][0], 0); /* so it is no token */
		assert_memory_not_equal(proof[i], key[i], ENROL_TPM_BUNDLE_KEY_BYTES);
		for (size_t k = 0; k < i; k++) {
			assert_memory_not_equal(proof[i], proof[k], sizeof(proof[i]));
			assert_memory_not_equal(key[i], key[k], sizeof(key[i]));
			assert_memory_not_equal(quoted[i], quoted[k], sizeof(quoted[i]));
		}
	}
	secret[31] ^= 1;
	assert_int_equal(enrol_tpm_proof(proof[1], secret, &t[0]), CV_OK);
	assert_memory_not_equal(proof[0], proof[1], sizeof(proof[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_comes_back_as_it_was),
		cmocka_unit_test(a_certificate_that_is_there_is_not_empty),
		cmocka_unit_test(a_challenge_comes_back_as_it_was),
		cmocka_unit_test(a_response_comes_back_as_it_was),
		cmocka_unit_test(refuses_members_that_it_does_not_know_and_too_much),
		cmocka_unit_test(every_part_of_the_exchange_counts),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
