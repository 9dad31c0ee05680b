/*
 * Quotes: two that a software TPM made, and each thing that could be wrong with one. Changed bytes are
 * signed anew with a key of the test, so that each check is reached and not only the signature's.
 */
#include "protocol/tpm_quote.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/vectors/tpm_vectors.h"

#define SIGNER 8 /* offsets in the TPMS_ATTEST of the vectors */
#define EXTRA_DATA 44
#define SAFE 92
#define SELECTION_COUNT 101
#define SELECTION 108
#define AK_ATTRIBUTES 4
#define AK_POLICY 8
#define AK_X 22

static struct tpm_quote real(void)
{
	struct tpm_quote q = {.attest_len = sizeof(v_tpm_quote_attest),
		.signature_len = sizeof(v_tpm_quote_signature)};

	memcpy(q.attest, v_tpm_quote_attest, sizeof(v_tpm_quote_attest));
	memcpy(q.signature, v_tpm_quote_signature, sizeof(v_tpm_quote_signature));
	memcpy(q.pcrs, v_tpm_quote_pcrs, sizeof(v_tpm_quote_pcrs));
	return q;
}

static enum reason verify_by(const struct tpm_quote *q, const uint8_t *area, size_t area_len)
{
	struct tpm_attest a;
	struct tpm_ak ak;

	assert_int_equal(tpm_ak_decode(&ak, area, area_len), CV_OK);
	return tpm_quote_verify(&a, q, &ak, v_tpm_ek_name, v_evidence, TEXT_LEN(v_evidence));
}

static enum reason verify(const struct tpm_quote *q)
{
	return verify_by(q, v_tpm_ak, sizeof(v_tpm_ak));
}

/* The real quote as an attestation key of the test would have signed it. */
static uint8_t test_private[CV_ES256_PRIVATE_BYTES];
static uint8_t test_area[sizeof(v_tpm_ak)];

static void sign(struct tpm_quote *q)
{
	const struct crypto_part part = {q->attest, q->attest_len};
	uint8_t sig[CV_ES256_SIG_BYTES];
	uint8_t hash[CV_HASH_BYTES];

	assert_int_equal(crypto_sha256(hash, &part, 1), CV_OK);
	assert_int_equal(crypto_es256_sign(sig, test_private, hash), CV_OK);
	memcpy(q->signature + 6, sig, 32);
	memcpy(q->signature + 40, sig + 32, 32);
}

static struct tpm_quote ours(void)
{
	uint8_t public_key[CV_ES256_PUBLIC_BYTES];
	uint8_t name[TPM_NAME_BYTES];
	struct tpm_quote q = real();

	assert_int_equal(crypto_es256_keypair(test_private, public_key), CV_OK);
	memcpy(test_area, v_tpm_ak, sizeof(test_area));
	memcpy(test_area + AK_X, public_key + 1, 32);
	memcpy(test_area + AK_X + 34, public_key + 33, 32);
	assert_int_equal(tpm_name(name, test_area, sizeof(test_area)), CV_OK);
	assert_int_equal(tpm_qualified_name(q.attest + SIGNER, v_tpm_ek_name, name), CV_OK);
	sign(&q);
	return q;
}

static enum reason verify_ours(struct tpm_quote *q)
{
	sign(q);
	return verify_by(q, test_area, sizeof(test_area));
}

static void accepts_what_the_tpm_made(void **state)
{
	const struct tpm_quote q = real();
	struct tpm_attest a;
	struct tpm_ak ak;
	uint8_t boot_id[CV_BOOT_ID_BYTES];

	(void)state;
	assert_int_equal(tpm_ak_decode(&ak, v_tpm_ak, sizeof(v_tpm_ak)), CV_OK);
	assert_memory_equal(ak.name, v_tpm_ak_name, TPM_NAME_BYTES);
	assert_int_equal(tpm_quote_verify(&a, &q, &ak, v_tpm_ek_name, v_evidence,
				 TEXT_LEN(v_evidence)),
		REASON_RELEASE);
	tpm_boot_id(boot_id, a.reset_count, a.restart_count);
	assert_memory_equal(boot_id, v_tpm_boot_id, sizeof(boot_id));
	assert_memory_equal(a.signer, v_tpm_qualified_name, TPM_NAME_BYTES);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal((uint8_t)(a.firmware >> (56 - 8 * i)), v_tpm_firmware[i]);
}

static void accepts_a_quote_after_a_power_cut(void **state)
{
	struct tpm_quote q = real();

	(void)state;
	memcpy(q.attest, v_tpm_cut_attest, sizeof(v_tpm_cut_attest));
	memcpy(q.signature, v_tpm_cut_signature, sizeof(v_tpm_cut_signature));
	memcpy(q.pcrs, v_tpm_cut_pcrs, sizeof(v_tpm_cut_pcrs));
	assert_int_equal(verify(&q), REASON_RELEASE);
	/* the clock is not safe then, and the pair went up */
	assert_true(memcmp(v_tpm_cut_boot_id, v_tpm_boot_id, CV_BOOT_ID_BYTES) > 0);
}

static void computes_what_the_reference_computes(void **state)
{
	uint8_t out[TPM_NAME_BYTES];

	(void)state;
	assert_int_equal(tpm_name(out, v_tpm_ek, sizeof(v_tpm_ek)), CV_OK);
	assert_memory_equal(out, v_tpm_ek_name, TPM_NAME_BYTES);
	assert_int_equal(tpm_qualified_name(out, v_tpm_ek_name, v_tpm_ak_name), CV_OK);
	assert_memory_equal(out, v_tpm_qualified_name, TPM_NAME_BYTES);
	assert_int_equal(tpm_quote_binding(out, v_evidence, TEXT_LEN(v_evidence)), CV_OK);
	assert_memory_equal(out, v_tpm_binding, CV_HASH_BYTES);
}

static void binds_only_tokens_of_a_tokens_size(void **state)
{
	static char token[CV_EVIDENCE_MAX + 1];
	uint8_t out[CV_HASH_BYTES];

	(void)state;
	assert_int_equal(tpm_quote_binding(out, token, 0), CV_ERR_ARGUMENT);
	assert_int_equal(tpm_quote_binding(out, token, CV_EVIDENCE_MAX), CV_OK);
	assert_int_equal(tpm_quote_binding(out, token, CV_EVIDENCE_MAX + 1), CV_ERR_ARGUMENT);
}

static void the_boot_id_orders_as_the_pair(void **state)
{
	static const uint32_t pairs[][2] = {
		{0, 0}, {0, 1}, {0, UINT32_MAX}, {1, 0}, {1, 255}, {1, 256}, {255, 9}, {256, 0},
		{UINT32_MAX, 0}};
	uint8_t a[CV_BOOT_ID_BYTES], b[CV_BOOT_ID_BYTES];

	(void)state;
	for (size_t i = 1; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		tpm_boot_id(a, pairs[i - 1][0], pairs[i - 1][1]);
		tpm_boot_id(b, pairs[i][0], pairs[i][1]);
		assert_true(memcmp(a, b, sizeof(a)) < 0);
	}
}

static void selects_no_resettable_pcr(void **state)
{
	uint8_t selection[TPM_SELECTION_BYTES];
	int next = 0;

	(void)state;
	tpm_pcr_selection(selection);
	assert_memory_equal(selection, v_tpm_quote_attest + SELECTION, sizeof(selection));
	assert_int_equal(selection[2], 0);
	for (unsigned int pcr = 0; pcr < 64; pcr++) {
		const int position = tpm_pcr_position(pcr);

		assert_int_equal(position, pcr > 15 || pcr == 10 ? -1 : next);
		next += position >= 0;
	}
	assert_int_equal(next, TPM_PCR_COUNT);
	assert_int_equal(tpm_pcr_position(UINT32_MAX), -1);
}

static void refuses_every_flipped_bit_of_a_real_quote(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(v_tpm_quote_attest); bit++) {
		struct tpm_quote q = real();

		q.attest[bit / 8] = (uint8_t)(q.attest[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(verify(&q), REASON_QUOTE_SIGNATURE);
	}
	for (size_t bit = 0; bit < 8 * sizeof(v_tpm_quote_signature); bit++) {
		struct tpm_quote q = real();

		q.signature[bit / 8] = (uint8_t)(q.signature[bit / 8] ^ 1u << bit % 8);
		assert_int_not_equal(verify(&q), REASON_RELEASE);
	}
	for (size_t bit = 0; bit < 8 * TPM_PCR_BYTES; bit++) {
		struct tpm_quote q = real();

		q.pcrs[bit / 256][bit / 8 % 32] =
			(uint8_t)(q.pcrs[bit / 256][bit / 8 % 32] ^ 1u << bit % 8);
		assert_int_equal(verify(&q), REASON_QUOTE_DIGEST);
	}
}

static void a_quote_signed_by_the_test_holds(void **state)
{
	struct tpm_quote q = ours();

	(void)state;
	assert_int_equal(verify_ours(&q), REASON_RELEASE);
}

/* One byte of what is signed is another: the reason that must come of it. */
static const struct {
	const char *what;
	size_t at;
	uint8_t value;
	enum reason reason;
} changes[] = {
	{"magic", 0, 0x00, REASON_QUOTE_TYPE},
	{"magic, last byte", 3, 0x46, REASON_QUOTE_TYPE},
	{"type: certify", 5, 0x17, REASON_QUOTE_TYPE},
	{"type: time", 5, 0x19, REASON_QUOTE_TYPE},
	{"size of the name", 7, 0x21, REASON_QUOTE_FORMAT},
	{"name by SHA-384", 9, 0x0c, REASON_QUOTE_ALGORITHM},
	{"another key", SIGNER + 2, 0xff, REASON_QUOTE_KEY},
	{"another key, last byte", SIGNER + 33, 0xff, REASON_QUOTE_KEY},
	{"size of extraData", 43, 0x1f, REASON_QUOTE_FORMAT},
	{"another token", EXTRA_DATA, 0xff, REASON_QUOTE_TOKEN},
	{"another token, last byte", EXTRA_DATA + 31, 0xff, REASON_QUOTE_TOKEN},
	{"safe is no boolean", SAFE, 2, REASON_QUOTE_FORMAT},
	{"no bank", SELECTION_COUNT + 3, 0, REASON_QUOTE_SELECTION},
	{"two banks", SELECTION_COUNT + 3, 2, REASON_QUOTE_SELECTION},
	{"very many banks", SELECTION_COUNT, 0xff, REASON_QUOTE_SELECTION},
	{"the SHA-1 bank", SELECTION - 2, 0x04, REASON_QUOTE_SELECTION},
	{"a longer bitmap", SELECTION - 1, 4, REASON_QUOTE_SELECTION},
	{"a shorter bitmap", SELECTION - 1, 2, REASON_QUOTE_SELECTION},
	{"one PCR less", SELECTION, 0xfe, REASON_QUOTE_SELECTION},
	{"no PCR", SELECTION, 0x00, REASON_QUOTE_SELECTION},
	{"PCR 10 too", SELECTION + 1, 0xff, REASON_QUOTE_SELECTION},
	{"PCR 16, resettable", SELECTION + 2, 0x01, REASON_QUOTE_SELECTION},
	{"PCR 23, resettable", SELECTION + 2, 0x80, REASON_QUOTE_SELECTION},
	{"size of the digest", SELECTION + 4, 0x1f, REASON_QUOTE_FORMAT},
	{"digest of other values", SELECTION + 5, 0xee, REASON_QUOTE_DIGEST},
};

static void each_signed_change_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct tpm_quote q = ours();

		/* a name of the test's own key may hold the value already */
		if (q.attest[changes[i].at] == changes[i].value)
			q.attest[changes[i].at] ^= 1;
		else
			q.attest[changes[i].at] = changes[i].value;
		if (verify_ours(&q) != changes[i].reason)
			print_error("%s\n", changes[i].what);
		assert_int_equal(verify_ours(&q), changes[i].reason);
	}
}

static void says_of_an_unsafe_clock_only_that_it_is(void **state)
{
	for (uint8_t safe = 0; safe < 2; safe++) {
		struct tpm_quote q = ours();
		struct tpm_attest a;

		(void)state;
		q.attest[SAFE] = safe;
		assert_int_equal(verify_ours(&q), REASON_RELEASE);
		assert_int_equal(
			tpm_attest_decode(&a, q.attest, q.attest_len), REASON_RELEASE);
		assert_int_equal(a.safe, safe);
	}
}

static void refuses_trailing_and_missing_bytes_even_when_signed(void **state)
{
	struct tpm_quote q = ours();

	(void)state;
	q.attest[q.attest_len++] = 0;
	assert_int_equal(verify_ours(&q), REASON_QUOTE_FORMAT);
	for (q.attest_len = 0; q.attest_len < sizeof(v_tpm_quote_attest); q.attest_len++)
		assert_int_equal(verify_ours(&q), REASON_QUOTE_FORMAT);
}

static enum cv_err decode_attest(const char *data, size_t len)
{
	struct tpm_attest a;

	return tpm_attest_decode(&a, (const uint8_t *)data, len) == REASON_RELEASE ? CV_OK
										   : CV_ERR_FORMAT;
}

static void reads_no_byte_beyond_the_quote(void **state)
{
	(void)state;
	damage_accepts(decode_attest, v_tpm_quote_attest, sizeof(v_tpm_quote_attest));
	damage_refuses_truncations(decode_attest, v_tpm_quote_attest, sizeof(v_tpm_quote_attest));
	damage_refuses_one_more(decode_attest, v_tpm_quote_attest, sizeof(v_tpm_quote_attest));
}

static void refuses_a_signature_of_another_form(void **state)
{
	struct tpm_quote q;

	(void)state;
	for (size_t len = 0; len < sizeof(v_tpm_quote_signature); len++) {
		q = real();
		q.signature_len = len;
		assert_int_equal(verify(&q), REASON_QUOTE_FORMAT);
	}
	q = real();
	q.signature[1] = 0x14; /* RSASSA */
	assert_int_equal(verify(&q), REASON_QUOTE_ALGORITHM);
	q = real();
	q.signature[1] = 0x1a; /* ECDAA */
	assert_int_equal(verify(&q), REASON_QUOTE_ALGORITHM);
	q = real();
	q.signature[3] = 0x04; /* SHA-1 */
	assert_int_equal(verify(&q), REASON_QUOTE_ALGORITHM);
	q = real();
	q.signature[5] = 0x21; /* r of 33 bytes */
	assert_int_equal(verify(&q), REASON_QUOTE_FORMAT);
	q = real();
	q.signature[5] = 0; /* r of none */
	assert_int_equal(verify(&q), REASON_QUOTE_FORMAT);
}

/* A TPM may leave out leading zeros of r and s; a byte more is refused all the same. */
static void takes_a_short_scalar_and_nothing_behind_it(void **state)
{
	struct tpm_quote q = ours();

	(void)state;
	while (q.signature[6] != 0)
		sign(&q); /* each try has another r; one in 256 begins with a zero */
	memmove(q.signature + 6, q.signature + 7, q.signature_len - 7);
	q.signature[5] = 31;
	assert_int_equal(
		verify_by(&q, test_area, sizeof(test_area)), REASON_QUOTE_FORMAT);
	q.signature_len--;
	assert_int_equal(verify_by(&q, test_area, sizeof(test_area)), REASON_RELEASE);
}

static void refuses_lengths_that_no_buffer_has(void **state)
{
	struct tpm_quote q = real();

	(void)state;
	q.attest_len = TPM_ATTEST_MAX + 1;
	assert_int_equal(verify(&q), REASON_QUOTE_FORMAT);
	q = real();
	q.signature_len = TPM_SIGNATURE_MAX + 1;
	assert_int_equal(verify(&q), REASON_QUOTE_FORMAT);
}

static void refuses_another_tpms_key_or_token(void **state)
{
	struct tpm_quote q = ours();
	struct tpm_attest a;
	struct tpm_ak ak;
	uint8_t ek_name[TPM_NAME_BYTES];

	(void)state;
	assert_int_equal(verify(&q), REASON_QUOTE_SIGNATURE);
	q = real();
	assert_int_equal(tpm_ak_decode(&ak, v_tpm_ak, sizeof(v_tpm_ak)), CV_OK);
	memcpy(ek_name, v_tpm_ek_name, sizeof(ek_name));
	ek_name[33] ^= 1;
	assert_int_equal(
		tpm_quote_verify(&a, &q, &ak, ek_name, v_evidence, TEXT_LEN(v_evidence)),
		REASON_QUOTE_KEY);
	assert_int_equal(tpm_quote_verify(&a, &q, &ak, v_tpm_ek_name, v_evidence,
				 TEXT_LEN(v_evidence) - 1),
		REASON_QUOTE_TOKEN);
}

static enum cv_err decode_ak(const char *data, size_t len)
{
	struct tpm_ak ak;

	return tpm_ak_decode(&ak, (const uint8_t *)data, len);
}

static enum cv_err ak_with(size_t at, uint8_t value)
{
	uint8_t area[sizeof(v_tpm_ak)];
	struct tpm_ak ak;

	memcpy(area, v_tpm_ak, sizeof(area));
	assert_int_not_equal(area[at], value);
	area[at] = value;
	return tpm_ak_decode(&ak, area, sizeof(area));
}

static void refuses_a_key_with_other_attributes(void **state)
{
	static const uint32_t needed[] = {1u << 1, 1u << 4, 1u << 5, 1u << 16, 1u << 18};
	const uint32_t now = (uint32_t)v_tpm_ak[AK_ATTRIBUTES] << 24 |
			     (uint32_t)v_tpm_ak[AK_ATTRIBUTES + 1] << 16 |
			     (uint32_t)v_tpm_ak[AK_ATTRIBUTES + 2] << 8 | v_tpm_ak[AK_ATTRIBUTES + 3];

	(void)state;
	assert_int_equal(now, 0x50072);
	for (unsigned int bit = 0; bit < 32; bit++) {
		const size_t at = AK_ATTRIBUTES + 3 - bit / 8;
		const uint8_t value = (uint8_t)(v_tpm_ak[at] ^ 1u << bit % 8);
		const int optional = bit == 6 || bit == 10; /* userWithAuth, noDA */

		assert_int_equal(ak_with(at, value), optional ? CV_OK : CV_ERR_ROLE);
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		assert_int_equal(now & needed[i], needed[i]);
}

static void refuses_a_key_of_another_kind(void **state)
{
	(void)state;
	assert_int_equal(ak_with(1, 0x01), CV_ERR_ALGORITHM);  /* RSA */
	assert_int_equal(ak_with(3, 0x0c), CV_ERR_ALGORITHM);  /* name by SHA-384 */
	assert_int_equal(ak_with(11, 0x06), CV_ERR_ALGORITHM); /* AES: a storage key */
	assert_int_equal(ak_with(13, 0x1a), CV_ERR_ALGORITHM); /* ECDAA */
	assert_int_equal(ak_with(15, 0x04), CV_ERR_ALGORITHM); /* SHA-1 */
	assert_int_equal(ak_with(17, 0x04), CV_ERR_ALGORITHM); /* P-384 */
	assert_int_equal(ak_with(19, 0x20), CV_ERR_ALGORITHM); /* a KDF */
	assert_int_equal(ak_with(AK_POLICY + 1, 1), CV_ERR_FORMAT);
	assert_int_equal(ak_with(AK_X - 1, 0x1f), CV_ERR_FORMAT);
	damage_accepts(decode_ak, v_tpm_ak, sizeof(v_tpm_ak));
	damage_refuses_truncations(decode_ak, v_tpm_ak, sizeof(v_tpm_ak));
	damage_refuses_one_more(decode_ak, v_tpm_ak, sizeof(v_tpm_ak));
	assert_int_not_equal(decode_ak((const char *)v_tpm_ek, sizeof(v_tpm_ek)), CV_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_tpm_made),
		cmocka_unit_test(accepts_a_quote_after_a_power_cut),
		cmocka_unit_test(computes_what_the_reference_computes),
		cmocka_unit_test(binds_only_tokens_of_a_tokens_size),
		cmocka_unit_test(the_boot_id_orders_as_the_pair),
		cmocka_unit_test(selects_no_resettable_pcr),
		cmocka_unit_test(refuses_every_flipped_bit_of_a_real_quote),
		cmocka_unit_test(a_quote_signed_by_the_test_holds),
		cmocka_unit_test(each_signed_change_has_its_reason),
		cmocka_unit_test(says_of_an_unsafe_clock_only_that_it_is),
		cmocka_unit_test(refuses_trailing_and_missing_bytes_even_when_signed),
		cmocka_unit_test(reads_no_byte_beyond_the_quote),
		cmocka_unit_test(refuses_a_signature_of_another_form),
		cmocka_unit_test(takes_a_short_scalar_and_nothing_behind_it),
		cmocka_unit_test(refuses_lengths_that_no_buffer_has),
		cmocka_unit_test(refuses_another_tpms_key_or_token),
		cmocka_unit_test(refuses_a_key_with_other_attributes),
		cmocka_unit_test(refuses_a_key_of_another_kind),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
