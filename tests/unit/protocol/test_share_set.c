#include "protocol/share_set.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/unit/protocol/documents.h"

static enum cv_err decode(const char *data, size_t len)
{
	struct share_set set;
	enum cv_err err;

	memset(&set, 0xaa, sizeof(set));
	err = share_set_decode(&set, data, len, &vector_trust);
	if (err != CV_OK)
		assert_true(all_zero(&set, sizeof(set)));
	return err;
}

static struct share_set vector_set(void)
{
	struct share_set set;

	assert_int_equal(
		share_set_decode(&set, v_share_set, TEXT_LEN(v_share_set), &vector_trust), CV_OK);
	return set;
}

static void decodes_what_the_reference_signed(void **state)
{
	static const char *const gateways[] = {"gw-a", "gw-b", "gw-c"};
	struct share_set set = vector_set();

	(void)state;
	assert_string_equal(set.fleet, "acme");
	assert_string_equal(set.device, "pump-7");
	assert_memory_equal(set.volume_id, v_volume_id, 16);
	assert_int_equal(set.epoch, VECTOR_EPOCH);
	assert_int_equal(set.threshold, 2);
	assert_int_equal(set.count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(set.members[i].gateway, gateways[i]);
		assert_int_equal(set.members[i].x, i + 1);
		assert_int_equal(share_set_find(&set, gateways[i]), i);
	}
	assert_int_equal(share_set_find(&set, "gw-d"), -1);
	assert_memory_equal(set.members[1].commitment, v_commitment, 32);
	assert_memory_equal(set.hash, v_share_set_hash, 32);
}

static void writes_the_payload_of_the_reference(void **state)
{
	struct jws_signer signer = jws_key_signer(v_operator_private);
	struct share_set set = vector_set();
	char text[CV_SHARE_SET_MAX + 1], payload[CV_SHARE_SET_MAX];
	uint8_t hash[32];
	size_t len, n;

	(void)state;
	memset(set.hash, 0, sizeof(set.hash));
	assert_int_equal(
		share_set_encode(text, sizeof(text), &len, &set, v_opcert, &signer), CV_OK);
	assert_int_equal(jws_verify_crt(text, len, SHARE_SET_TYP, v_operator_public, payload,
				 sizeof(payload), &n),
		CV_OK);
	assert_string_equal(payload, v_share_set_payload);
	assert_int_equal(crypto_sha256(hash, &(struct crypto_part){text, len}, 1), CV_OK);
	assert_memory_equal(set.hash, hash, 32);
}

static void refuses_truncations_flips_and_more(void **state)
{
	(void)state;
	damage_accepts(decode, v_share_set, TEXT_LEN(v_share_set));
	damage_refuses_truncations(decode, v_share_set, TEXT_LEN(v_share_set));
	damage_refuses_one_more(decode, v_share_set, TEXT_LEN(v_share_set));
	damage_refuses_flips(decode, v_share_set, TEXT_LEN(v_share_set));
	damage_reports_no_memory(decode, v_share_set, TEXT_LEN(v_share_set));
}

static void refuses_other_payloads_well_signed(void **state)
{
	static const struct {
		const char *from, *to;
		enum cv_err want;
	} rows[] = {
		{"\"v\":1", "\"v\":0", CV_ERR_RANGE},
		{"\"acme\"", "\"other\"", CV_ERR_MISMATCH},
		{"\"pump-7\"", "\"Pump\"", CV_ERR_FORMAT},
		{"\"epoch\":3", "\"epoch\":0", CV_ERR_RANGE},
		{"\"epoch\":3", "\"epoch\":4294967296", CV_ERR_RANGE},
		{"\"epoch\":3", "\"epoch\":3e0", CV_ERR_FORMAT},
		{"\"threshold\":2", "\"threshold\":4", CV_ERR_RANGE},
		{"\"threshold\":2", "\"threshold\":0", CV_ERR_RANGE},
		{"\"threshold\":2", "\"threshold\":true", CV_ERR_TYPE},
		{"\"x\":2", "\"x\":0", CV_ERR_RANGE},
		{"\"x\":2", "\"x\":256", CV_ERR_RANGE},
		{"\"x\":2", "\"x\":1", CV_ERR_TYPE},
		{"\"x\":2", "\"x\":2,\"y\":1", CV_ERR_TYPE},
		{"\"gw-b\"", "\"gw-a\"", CV_ERR_TYPE},
		{"\"commitment\":\"", "\"commitment\":\"A", CV_ERR_TYPE},
		{"\"members\":[", "\"members\":[5,", CV_ERR_TYPE},
		{"\"members\":[", "\"members\":[{},", CV_ERR_TYPE},
		{"\"members\":[", "\"member\":1,\"members\":[", CV_ERR_TYPE},
	};
	static char text[DOCUMENT_BUF];
	char changed[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum cv_err err;

		text_replace(
			changed, sizeof(changed), v_share_set_payload, rows[i].from, rows[i].to);
		document_make(text, SHARE_SET_TYP, v_opcert, changed, v_operator_private);
		err = damage_run(decode, text, strlen(text));
		if (err != rows[i].want)
			fail_msg("%s: %d, not %d", changed, err, rows[i].want);
	}
}

static void sixteen_members_with_long_names_travel(void **state)
{
	struct jws_signer signer = jws_key_signer(v_operator_private);
	static struct share_set set, back;
	char text[CV_SHARE_SET_MAX + 1], crt[CV_OPCERT_MAX + 1];
	size_t len;

	(void)state;
	set = vector_set();
	set.count = CV_MEMBERS_MAX;
	set.threshold = CV_MEMBERS_MAX;
	set.epoch = UINT32_MAX;
	for (size_t i = 0; i < CV_MEMBERS_MAX; i++) {
		memset(set.members[i].gateway, 'g', CV_ID_MAX);
		set.members[i].gateway[CV_ID_MAX] = '\0';
		set.members[i].gateway[0] = (char)('a' + i);
		set.members[i].x = (uint8_t)(255 - i);
		memset(set.members[i].commitment, (int)i, 32);
	}
	certificate_make(crt, OP_ROLES_ALL);
	assert_int_equal(share_set_encode(text, sizeof(text), &len, &set, crt, &signer), CV_OK);
	assert_int_equal(share_set_decode(&back, text, len, &vector_trust), CV_OK);
	assert_memory_equal(&back, &set, sizeof(set));
}

static void encode_refuses_what_decode_would_refuse(void **state)
{
	struct jws_signer signer = jws_key_signer(v_operator_private);
	struct share_set bad[8];
	char text[CV_SHARE_SET_MAX + 1];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 8; i++)
		bad[i] = vector_set();
	bad[0].threshold = 4;
	bad[1].threshold = 0;
	bad[2].count = 17;
	bad[3].members[0].x = 0;
	bad[4].members[0].x = 2;
	strcpy(bad[5].members[0].gateway, "gw-b");
	bad[6].epoch = 0;
	strcpy(bad[7].members[2].gateway, "GW");
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(
			share_set_encode(text, sizeof(text), &len, &bad[i], v_opcert, &signer),
			CV_ERR_ARGUMENT);
	bad[0] = vector_set();
	assert_int_equal(
		share_set_encode(text, sizeof(text), &len, &bad[0], NULL, &signer), CV_ERR_ARGUMENT);
}

static void a_commitment_holds_for_its_share_only(void **state)
{
	struct share_set set = vector_set();
	uint8_t share[32], commitment[32];

	(void)state;
	assert_int_equal(
		share_commitment(commitment, v_volume_id, VECTOR_EPOCH, VECTOR_X, v_share), CV_OK);
	assert_memory_equal(commitment, v_commitment, 32);
	assert_int_equal(share_set_check(&set, 1, v_share), CV_OK);
	assert_int_equal(share_set_check(&set, 0, v_share), CV_ERR_SHARE_INVALID);
	assert_int_equal(share_set_check(&set, 3, v_share), CV_ERR_ARGUMENT);
	memcpy(share, v_share, 32);
	for (size_t bit = 0; bit < 256; bit++) {
		share[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(share_set_check(&set, 1, share), CV_ERR_SHARE_INVALID);
		share[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	set.epoch++;
	assert_int_equal(share_set_check(&set, 1, v_share), CV_ERR_SHARE_INVALID);
	set.epoch--;
	set.volume_id[0] ^= 1;
	assert_int_equal(share_set_check(&set, 1, v_share), CV_ERR_SHARE_INVALID);
	set.volume_id[0] ^= 1;
	set.members[1].x++;
	assert_int_equal(share_set_check(&set, 1, v_share), CV_ERR_SHARE_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_what_the_reference_signed),
		cmocka_unit_test(writes_the_payload_of_the_reference),
		cmocka_unit_test(refuses_truncations_flips_and_more),
		cmocka_unit_test(refuses_other_payloads_well_signed),
		cmocka_unit_test(sixteen_members_with_long_names_travel),
		cmocka_unit_test(encode_refuses_what_decode_would_refuse),
		cmocka_unit_test(a_commitment_holds_for_its_share_only),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
