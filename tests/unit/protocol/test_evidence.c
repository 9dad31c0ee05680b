#include "protocol/evidence.h"
#include "protocol/inventory.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/unit/protocol/documents.h"

static enum cv_err decode(const char *data, size_t len)
{
	static struct evidence ev;
	enum cv_err err;

	memset(&ev, 0xaa, sizeof(ev));
	err = evidence_decode(&ev, data, len, v_attestation_public);
	if (err != CV_OK)
		assert_true(all_zero(&ev, sizeof(ev)));
	return err;
}

static struct evidence vector_evidence(void)
{
	struct evidence ev;

	assert_int_equal(
		evidence_decode(&ev, v_evidence, TEXT_LEN(v_evidence), v_attestation_public), CV_OK);
	return ev;
}

static void decodes_what_the_reference_signed(void **state)
{
	struct evidence ev = vector_evidence();
	const struct evidence_platform *p = &ev.platform;

	(void)state;
	assert_int_equal(ev.other_profile, 0);
	assert_int_equal(ev.purpose, EVIDENCE_UNLOCK);
	assert_memory_equal(ev.ueid, v_ueid, 33);
	assert_memory_equal(ev.volume_id, v_volume_id, 16);
	assert_int_equal(ev.epoch, VECTOR_EPOCH);
	assert_memory_equal(ev.share_set_hash, v_share_set_hash, 32);
	assert_memory_equal(ev.boot_key, v_boot_public, 32);
	assert_int_equal(ev.nonce_count, 2);
	assert_memory_equal(ev.nonces[0], v_nonce, 40);
	assert_memory_equal(ev.nonces[1], v_nonce_other, 40);
	assert_memory_equal(p->boot_id, v_boot_id, 16);
	assert_string_equal(p->oemid, "acme");
	assert_string_equal(p->hwmodel, "pump \"mk\\2\"");
	assert_string_equal(p->hwversion, "1.4");
	assert_string_equal(p->swname, "conclave-device");
	assert_string_equal(p->swversion, "0.1.0");
	assert_int_equal(p->bootcount, 41);
	assert_int_equal(p->uptime_s, 12);
	assert_int_equal(p->iat_s, VECTOR_IAT);
	assert_int_equal(p->dbgstat, EVIDENCE_DEBUG_DISABLED_PERMANENTLY);
	assert_int_equal(p->digest_count, 2);
	assert_string_equal(p->digests[0].name, "kernel");
	assert_string_equal(p->digests[1].name, "conclave-device");
	assert_int_equal(p->has_place, 1);
	assert_int_equal(p->lat_e7, 599139000);
	assert_int_equal(p->lon_e7, -107522000);
	assert_int_equal(p->accuracy_mm, 25000);
	assert_int_equal(p->has_region, 1);
	assert_string_equal(p->region, "NO");
	assert_string_equal(p->state, "Oslo");
	assert_string_equal(p->city, "Oslo");
	assert_string_equal(p->place_source, "gnss");
}

static void names_its_nonces_and_no_other(void **state)
{
	struct evidence ev = vector_evidence();
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	assert_int_equal(evidence_names_nonce(&ev, v_nonce), 1);
	assert_int_equal(evidence_names_nonce(&ev, v_nonce_other), 1);
	assert_int_equal(evidence_names_nonce(&ev, v_op_nonce), 0);
	memset(nonce, 0, sizeof(nonce));
	assert_int_equal(evidence_names_nonce(&ev, nonce), 0);
}

static void writes_the_claims_of_the_reference(void **state)
{
	struct jws_signer signer = jws_key_signer(v_attestation_private);
	struct evidence ev = vector_evidence();
	char text[CV_EVIDENCE_MAX + 1], work[CV_EVIDENCE_MAX], claims[CV_EVIDENCE_MAX];
	size_t len, n;

	(void)state;
	assert_int_equal(evidence_encode(text, sizeof(text), &len, &ev, &signer, work, sizeof(work)),
		CV_OK);
	assert_int_equal(jws_verify(text, len, EVIDENCE_TYP, v_attestation_public, claims,
				 sizeof(claims), &n),
		CV_OK);
	assert_string_equal(claims, v_evidence_claims);
}

static void ueid_is_that_of_the_reference(void **state)
{
	uint8_t ueid[EVIDENCE_UEID_BYTES], other[EVIDENCE_UEID_BYTES];

	(void)state;
	assert_int_equal(evidence_ueid(ueid, "acme", "pump-7"), CV_OK);
	assert_memory_equal(ueid, v_ueid, sizeof(ueid));
	assert_int_equal(evidence_ueid(other, "acmep", "ump-7"), CV_OK);
	assert_memory_not_equal(ueid, other, sizeof(ueid));
}

static void refuses_truncations_flips_and_more(void **state)
{
	(void)state;
	damage_accepts(decode, v_evidence, TEXT_LEN(v_evidence));
	damage_refuses_truncations(decode, v_evidence, TEXT_LEN(v_evidence));
	damage_refuses_one_more(decode, v_evidence, TEXT_LEN(v_evidence));
	damage_refuses_flips(decode, v_evidence, TEXT_LEN(v_evidence));
	damage_reports_no_memory(decode, v_evidence, TEXT_LEN(v_evidence));
}

static void the_largest_token_fits(void **state)
{
	struct jws_signer signer = jws_key_signer(v_attestation_private);
	static struct evidence ev, back;
	char text[CV_EVIDENCE_MAX + 1], work[CV_EVIDENCE_MAX];
	struct evidence_platform *p = &ev.platform;
	char *const texts[] = {p->oemid, p->hwmodel, p->hwversion, p->swname, p->swversion,
		p->region, p->state, p->city, p->place_source, p->place_receiver,
		p->place_firmware, p->kernel, p->boot_state};
	size_t len;

	(void)state;
	ev = vector_evidence();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		memset(texts[i], '~', CV_NAME_MAX);
	ev.nonce_count = CV_MEMBERS_MAX;
	ev.epoch = UINT32_MAX;
	p->digest_count = CV_DIGESTS_MAX;
	for (size_t i = 0; i < CV_DIGESTS_MAX; i++) {
		memset(p->digests[i].name, 'a', CV_NAME_MAX);
		p->digests[i].name[0] = (char)('a' + i);
	}
	p->inventory_count = CV_INVENTORY_MAX;
	for (size_t i = 0; i < CV_INVENTORY_MAX; i++) {
		memset(p->inventory[i].name, 'a', CV_NAME_MAX);
		p->inventory[i].name[0] = (char)('a' + i);
	}
	p->has_cmdline = p->has_place_age = 1;
	p->place_age_s = UINT32_MAX;
	p->bootcount = p->uptime_s = p->iat_s = CV_JSON_INTEGER_MAX;
	p->lat_e7 = -900000000;
	p->lon_e7 = -1800000000;
	p->accuracy_mm = UINT32_MAX;
	p->dbgstat = EVIDENCE_DEBUG_DISABLED_FULLY;
	assert_int_equal(evidence_encode(text, sizeof(text), &len, &ev, &signer, work, sizeof(work)),
		CV_OK);
	assert_int_equal(evidence_decode(&back, text, len, v_attestation_public), CV_OK);
	assert_memory_equal(&back, &ev, sizeof(ev));
}

static void the_smallest_token_decodes(void **state)
{
	struct jws_signer signer = jws_key_signer(v_attestation_private);
	static struct evidence ev, back;
	char text[CV_EVIDENCE_MAX + 1], work[CV_EVIDENCE_MAX];
	size_t len;

	(void)state;
	memset(&ev, 0, sizeof(ev));
	ev.purpose = EVIDENCE_CHECK;
	ev.nonce_count = 1;
	ev.epoch = 1;
	strcpy(ev.platform.swname, "a");
	strcpy(ev.platform.swversion, "1");
	assert_int_equal(evidence_encode(text, sizeof(text), &len, &ev, &signer, work, sizeof(work)),
		CV_OK);
	assert_null(strstr(work, "iat"));
	assert_null(strstr(work, "place"));
	assert_null(strstr(work, "region"));
	assert_int_equal(evidence_decode(&back, text, len, v_attestation_public), CV_OK);
	assert_memory_equal(&back, &ev, sizeof(ev));
}

static void encode_refuses_what_decode_would_refuse(void **state)
{
	struct jws_signer signer = jws_key_signer(v_attestation_private);
	static struct evidence bad[10];
	char text[CV_EVIDENCE_MAX + 1], work[CV_EVIDENCE_MAX];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 10; i++)
		bad[i] = vector_evidence();
	bad[0].nonce_count = 0;
	bad[1].nonce_count = 17;
	bad[2].purpose = (enum evidence_purpose)0;
	bad[3].epoch = 0;
	bad[4].platform.swname[0] = '\0';
	strcpy(bad[5].platform.hwmodel, "\xc3\xa9");
	strcpy(bad[6].platform.digests[1].name, "kernel");
	strcpy(bad[7].platform.digests[1].name, "Kernel");
	bad[8].platform.lat_e7 = 900000001;
	bad[9].platform.dbgstat = (enum evidence_debug)5;
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(evidence_encode(text, sizeof(text), &len, &bad[i], &signer, work,
					 sizeof(work)),
			CV_ERR_ARGUMENT);
	bad[0] = vector_evidence();
	assert_int_equal(evidence_encode(text, sizeof(text), &len, &bad[0], &signer, work, 100),
		CV_ERR_TOO_LONG);
	assert_int_equal(
		evidence_encode(text, 200, &len, &bad[0], &signer, work, sizeof(work)),
		CV_ERR_TOO_LONG);
}

#define PROFILE "tag:conclave.internal,2026:unlock-1"

static void refuses_other_claims_well_signed(void **state)
{
	static const struct {
		const char *from, *to;
		enum cv_err want;
	} rows[] = {
		{"\"purpose\":\"unlock\"", "\"purpose\":\"check\"", CV_OK},
		{"\"purpose\":\"unlock\"", "\"purpose\":\"Unlock\"", CV_ERR_TYPE},
		{"\"purpose\":\"unlock\"", "\"purpose\":1", CV_ERR_TYPE},
		{"\"purpose\":\"unlock\",", "", CV_ERR_TYPE},
		{"\"purpose\"", "\"exp\":1,\"purpose\"", CV_ERR_TYPE},
		{"\"eat_profile\":\"" PROFILE "\",", "", CV_ERR_TYPE},
		{"\"eat_profile\":\"" PROFILE "\"", "\"eat_profile\":5", CV_ERR_TYPE},
		{"\"eat_nonce\":[", "\"eat_nonce\":[5,", CV_ERR_TYPE},
		{"\"eat_nonce\":[", "\"eat_nonce\":[\"AAAA\",", CV_ERR_TYPE},
		{"\"eat_nonce\":[", "\"eat_nonce\":\"x\",\"y\":[", CV_ERR_TYPE},
		{"\"ueid\":\"", "\"ueid\":\"A", CV_ERR_TYPE},
		{"\"kty\":\"OKP\"", "\"kty\":\"EC\"", CV_ERR_TYPE},
		{"\"crv\":\"X25519\"", "\"crv\":\"Ed25519\"", CV_ERR_TYPE},
		{"\"crv\":\"X25519\"", "\"crv\":\"X25519\",\"d\":\"x\"", CV_ERR_TYPE},
		{"\"cnf\":{", "\"cnf\":{\"kid\":\"x\",", CV_ERR_TYPE},
		{"\"epoch\":3", "\"epoch\":0", CV_ERR_RANGE},
		{"\"epoch\":3", "\"epoch\":4294967296", CV_ERR_RANGE},
		{"\"epoch\":3", "\"epoch\":\"3\"", CV_ERR_TYPE},
		{"\"swname\":\"conclave-device\"", "\"swname\":\"\"", CV_ERR_FORMAT},
		{"\"swversion\":\"0.1.0\",", "", CV_ERR_TYPE},
		{"\"oemid\":\"acme\"", "\"oemid\":\"\"", CV_ERR_FORMAT},
		{"\"oemid\":\"acme\"", "\"oemid\":\"\\u00e9\"", CV_ERR_FORMAT},
		{"\"oemid\":\"acme\"", "\"oemid\":\"\\u007f\"", CV_ERR_FORMAT},
		{"\"oemid\":\"acme\"", "\"oemid\":null", CV_ERR_TYPE},
		{"\"oemid\":\"acme\",", "", CV_OK},
		{"\"bootcount\":41", "\"bootcount\":-1", CV_ERR_RANGE},
		{"\"uptime\":12,", "", CV_ERR_TYPE},
		{"\"dbgstat\":\"disabled-permanently\"", "\"dbgstat\":\"off\"", CV_ERR_TYPE},
		{"\"dbgstat\":\"disabled-permanently\"", "\"dbgstat\":\"enabled\"", CV_OK},
		{"\"iat\":1767225600", "\"iat\":0", CV_ERR_RANGE},
		{"\"iat\":1767225600", "\"iat\":1767225600.5", CV_ERR_FORMAT},
		{"\"digests\":{", "\"digests\":{\"Kernel\":\"x\",", CV_ERR_FORMAT},
		{"\"digests\":{", "\"digests\":{\"k\":5,", CV_ERR_TYPE},
		{"\"digests\":{", "\"digests\":{\"k\":\"AAAA\",", CV_ERR_TYPE},
		{"\"digests\":{", "\"digests\":{\"\":\"AAAA\",", CV_ERR_FORMAT},
		{"\"digests\":{", "\"digests\":{\"kerne\\u006c\":\"AAAA\",", CV_ERR_FORMAT},
		{"\"lat_e7\":599139000", "\"lat_e7\":900000001", CV_ERR_RANGE},
		{"\"lon_e7\":-107522000", "\"lon_e7\":-1800000001", CV_ERR_RANGE},
		{"\"accuracy_mm\":25000", "\"accuracy_mm\":-1", CV_ERR_RANGE},
		{"\"accuracy_mm\":25000", "\"accuracy_mm\":25000,\"alt\":1", CV_ERR_TYPE},
		{",\"accuracy_mm\":25000", "", CV_ERR_TYPE},
		{"\"state\":\"Oslo\"", "\"state\":\"\"", CV_ERR_FORMAT},
		{"\"state\":\"Oslo\",", "", CV_ERR_TYPE},
		{"\"place_source\":\"gnss\"", "\"place_source\":[\"gnss\"]", CV_ERR_TYPE},
	};
	static char text[DOCUMENT_BUF];
	char changed[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum cv_err err;

		text_replace(changed, sizeof(changed), v_evidence_claims, rows[i].from, rows[i].to);
		document_make(text, EVIDENCE_TYP, NULL, changed, v_attestation_private);
		err = damage_run(decode, text, strlen(text));
		if (err != rows[i].want)
			fail_msg("%s: %d, not %d", rows[i].to, err, rows[i].want);
	}
}

static void too_many_nonces_or_digests_are_refused(void **state)
{
	static char text[DOCUMENT_BUF];
	char more[2048] = "\"eat_nonce\":[";
	char changed[4096];

	(void)state;
	for (int i = 0; i < 15; i++)
		strcat(more, "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",");
	text_replace(changed, sizeof(changed), v_evidence_claims, "\"eat_nonce\":[", more);
	document_make(text, EVIDENCE_TYP, NULL, changed, v_attestation_private);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_ERR_RANGE);

	strcpy(more, "\"digests\":{");
	for (int i = 0; i < 15; i++)
		snprintf(more + strlen(more), sizeof(more) - strlen(more),
			"\"d%d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",", i);
	text_replace(changed, sizeof(changed), v_evidence_claims, "\"digests\":{", more);
	document_make(text, EVIDENCE_TYP, NULL, changed, v_attestation_private);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_ERR_TOO_LONG);
}

static void another_profile_is_reported_and_nothing_else(void **state)
{
	static struct evidence ev;
	static char text[DOCUMENT_BUF];

	(void)state;
	document_make(text, EVIDENCE_TYP, NULL, "{\"eat_profile\":\"tag:other\",\"x\":1}",
		v_attestation_private);
	memset(&ev, 0xaa, sizeof(ev));
	assert_int_equal(
		evidence_decode(&ev, text, strlen(text), v_attestation_public), CV_OK);
	assert_int_equal(ev.other_profile, 1);
	ev.other_profile = 0;
	assert_true(all_zero(&ev, sizeof(ev)));
}

static void decodes_every_claim_that_the_reference_wrote(void **state)
{
	static struct evidence full;
	const struct evidence_platform *p = &full.platform;

	(void)state;
	assert_int_equal(evidence_decode(&full, v_evidence_full, TEXT_LEN(v_evidence_full),
				 v_attestation_public),
		CV_OK);
	assert_string_equal(p->kernel, "6.1.0-31-amd64");
	assert_string_equal(p->boot_state, "secure");
	assert_int_equal(p->has_cmdline, 1);
	assert_int_equal(p->inventory_count, 2);
	assert_string_equal(p->inventory[1].name, "net.eth0");
	assert_memory_equal(p->inventory[1].value, v_inventory_digest, CV_HASH_BYTES);
	assert_int_equal(p->has_place_age, 1);
	assert_int_equal(p->place_age_s, 7);
	assert_string_equal(p->place_source, "gpsd");
	assert_string_equal(p->place_receiver, "u-blox");
	assert_string_equal(p->place_firmware, "SPG 3.01");
}

static void the_digest_of_a_part_is_the_references(void **state)
{
	static const char address[] = "02:00:00:00:00:01";
	uint8_t digest[CV_HASH_BYTES];

	(void)state;
	assert_int_equal(
		inventory_digest(digest, "net.eth0", address, sizeof(address) - 1), CV_OK);
	assert_memory_equal(digest, v_inventory_digest, sizeof(digest));
}

static void a_token_over_its_limit_is_refused(void **state)
{
	static char text[DOCUMENT_BUF], claims[CV_EVIDENCE_MAX];

	(void)state;
	snprintf(claims, sizeof(claims), "%-7600s", v_evidence_claims);
	document_make(text, EVIDENCE_TYP, NULL, claims, v_attestation_private);
	assert_true(strlen(text) > CV_EVIDENCE_MAX);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_ERR_TOO_LONG);
	snprintf(claims, sizeof(claims), "%-7400s", v_evidence_claims);
	document_make(text, EVIDENCE_TYP, NULL, claims, v_attestation_private);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_what_the_reference_signed),
		cmocka_unit_test(names_its_nonces_and_no_other),
		cmocka_unit_test(writes_the_claims_of_the_reference),
		cmocka_unit_test(ueid_is_that_of_the_reference),
		cmocka_unit_test(refuses_truncations_flips_and_more),
		cmocka_unit_test(the_largest_token_fits),
		cmocka_unit_test(the_smallest_token_decodes),
		cmocka_unit_test(encode_refuses_what_decode_would_refuse),
		cmocka_unit_test(refuses_other_claims_well_signed),
		cmocka_unit_test(too_many_nonces_or_digests_are_refused),
		cmocka_unit_test(another_profile_is_reported_and_nothing_else),
		cmocka_unit_test(decodes_every_claim_that_the_reference_wrote),
		cmocka_unit_test(the_digest_of_a_part_is_the_references),
		cmocka_unit_test(a_token_over_its_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
