#include "protocol/opcert.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/unit/protocol/documents.h"

#define KEY_TEXT "\"key\":\""

static char payload[4096]; /* the payload of v_opcert, decoded */

static int start(void **state)
{
	size_t len;

	if (crypto_start(state) != 0)
		return -1;
	return jws_verify(v_opcert, TEXT_LEN(v_opcert), OPCERT_TYP, v_root_public, payload,
		       sizeof(payload), &len) == CV_OK ?
		0 :
		-1;
}

static enum cv_err decode(const char *data, size_t len)
{
	struct opcert cert;
	enum cv_err err;

	memset(&cert, 0, sizeof(cert));
	err = opcert_decode(&cert, data, len, "acme", v_root_public);
	if (err != CV_OK)
		assert_true(all_zero(&cert, sizeof(cert)));
	return err;
}

static void decodes_what_the_reference_signed(void **state)
{
	struct opcert cert;

	(void)state;
	assert_int_equal(
		opcert_decode(&cert, v_opcert, TEXT_LEN(v_opcert), "acme", v_root_public), CV_OK);
	assert_string_equal(cert.fleet, "acme");
	assert_string_equal(cert.operator_id, "alice");
	assert_memory_equal(cert.key, v_operator_public, 65);
	assert_int_equal(cert.roles, OP_ROLES_ALL);
	assert_int_equal(cert.iat_s, VECTOR_IAT);
	assert_int_equal(cert.exp_s, VECTOR_EXP);
}

static void writes_the_payload_of_the_reference(void **state)
{
	char text[CV_OPCERT_MAX + 1];
	char got[1024];
	size_t len;

	(void)state;
	certificate_make(text, OP_ROLES_ALL);
	assert_int_equal(jws_verify(text, strlen(text), OPCERT_TYP, v_root_public, got, sizeof(got),
				 &len),
		CV_OK);
	assert_string_equal(got, payload);
}

static void refuses_truncations_flips_and_more(void **state)
{
	(void)state;
	damage_accepts(decode, v_opcert, TEXT_LEN(v_opcert));
	damage_refuses_truncations(decode, v_opcert, TEXT_LEN(v_opcert));
	damage_refuses_one_more(decode, v_opcert, TEXT_LEN(v_opcert));
	damage_refuses_flips(decode, v_opcert, TEXT_LEN(v_opcert));
	damage_reports_no_memory(decode, v_opcert, TEXT_LEN(v_opcert));
}

static void refuses_other_payloads_well_signed(void **state)
{
	static const struct {
		const char *from, *to;
		enum cv_err want;
	} rows[] = {
		{"\"v\":1", "\"v\":2", CV_ERR_RANGE},
		{"\"v\":1", "\"v\":\"1\"", CV_ERR_TYPE},
		{"\"v\":1,", "", CV_ERR_TYPE},
		{"\"v\":1", "\"v\":1,\"x\":1", CV_ERR_TYPE},
		{"acme", "other", CV_ERR_MISMATCH},
		{"acme", "Acme", CV_ERR_FORMAT},
		{"alice", "", CV_ERR_FORMAT},
		{KEY_TEXT, KEY_TEXT "A", CV_ERR_TYPE},
		{"[\"enrol\",", "[\"root\",", CV_ERR_TYPE},
		{"[\"enrol\",", "[\"revoke\",", CV_ERR_TYPE},
		{"[\"enrol\",", "[5,", CV_ERR_TYPE},
		{"[\"enrol\",\"revoke\",\"policy\",\"audit\",\"deal\"]", "[]", CV_ERR_TYPE},
		{"[\"enrol\",\"revoke\",\"policy\",\"audit\",\"deal\"]", "\"enrol\"", CV_ERR_TYPE},
		{"1798761600", "1767225600", CV_ERR_RANGE},
		{"1798761600", "-1", CV_ERR_RANGE},
		{"1798761600", "1798761600.0", CV_ERR_FORMAT},
		{"\"iat\"", "\"exp\"", CV_ERR_FORMAT},
	};
	static char text[DOCUMENT_BUF];
	char changed[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum cv_err err;

		text_replace(changed, sizeof(changed), payload, rows[i].from, rows[i].to);
		document_make(text, OPCERT_TYP, NULL, changed, v_root_private);
		err = damage_run(decode, text, strlen(text));
		if (err != rows[i].want)
			fail_msg("%s: %d, not %d", changed, err, rows[i].want);
	}
}

static void only_the_root_can_certify(void **state)
{
	static char text[DOCUMENT_BUF];

	(void)state;
	document_make(text, OPCERT_TYP, NULL, payload, v_operator_private);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_ERR_SIGNATURE);
}

static void encode_refuses_what_decode_would_refuse(void **state)
{
	struct jws_signer signer = jws_key_signer(v_root_private);
	struct opcert good = {"acme", "alice", {4}, OP_ROLE_ENROL, 1, 2};
	struct opcert bad[5];
	char text[CV_OPCERT_MAX + 1];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		bad[i] = good;
	bad[0].roles = 0;
	bad[1].roles = 32;
	bad[2].exp_s = 1;
	strcpy(bad[3].fleet, "Acme");
	bad[4].operator_id[0] = '\0';
	assert_int_equal(opcert_encode(text, sizeof(text), &len, &good, &signer), CV_OK);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(opcert_encode(text, sizeof(text), &len, &bad[i], &signer),
			CV_ERR_ARGUMENT);
}

static void role_and_expiry_are_judged(void **state)
{
	struct opcert cert = {"acme", "alice", {0}, OP_ROLE_ENROL | OP_ROLE_AUDIT, 10, 20};

	(void)state;
	assert_int_equal(opcert_allows(&cert, OP_ROLE_ENROL, 19), CV_OK);
	assert_int_equal(opcert_allows(&cert, OP_ROLE_ENROL, 20), CV_ERR_EXPIRED);
	assert_int_equal(opcert_allows(&cert, OP_ROLE_ENROL, 0), CV_OK);
	assert_int_equal(opcert_allows(&cert, OP_ROLE_REVOKE, 19), CV_ERR_ROLE);
	assert_int_equal(opcert_allows(&cert, OP_ROLE_ENROL | OP_ROLE_REVOKE, 19), CV_ERR_ROLE);
	assert_int_equal(opcert_allows(&cert, 0, 19), CV_OK);
}

static enum cv_err decode_list(const char *data, size_t len)
{
	static struct revocations list;
	enum cv_err err;

	memset(&list, 0xaa, sizeof(list));
	err = revocations_decode(&list, data, len, "acme", v_root_public);
	if (err != CV_OK)
		assert_true(all_zero(&list, sizeof(list)));
	return err;
}

static void lists_of_the_reference_decode(void **state)
{
	static struct revocations list;

	(void)state;
	assert_int_equal(revocations_decode(&list, v_revocations, TEXT_LEN(v_revocations), "acme",
				 v_root_public),
		CV_OK);
	assert_int_equal(list.version, 5);
	assert_int_equal(list.iat_s, VECTOR_IAT);
	assert_int_equal(list.count, 2);
	assert_true(revocations_names(&list, "mallory"));
	assert_true(revocations_names(&list, "trudy"));
	assert_false(revocations_names(&list, "alice"));
	assert_false(revocations_names(&list, "mallor"));
	damage_refuses_truncations(decode_list, v_revocations, TEXT_LEN(v_revocations));
	damage_refuses_one_more(decode_list, v_revocations, TEXT_LEN(v_revocations));
	damage_refuses_flips(decode_list, v_revocations, TEXT_LEN(v_revocations));
	damage_reports_no_memory(decode_list, v_revocations, TEXT_LEN(v_revocations));
}

static void the_longest_list_travels_and_one_more_is_refused(void **state)
{
	static struct revocations list, back;
	static char text[CV_JWS_MAX], longer[DOCUMENT_BUF], names[40000];
	struct jws_signer signer = jws_key_signer(v_root_private);
	size_t len, n;

	(void)state;
	strcpy(list.fleet, "acme");
	list.version = CV_JSON_INTEGER_MAX;
	list.count = REVOCATIONS_MAX;
	n = (size_t)snprintf(names, sizeof(names),
		"{\"v\":1,\"fleet\":\"acme\",\"version\":1,\"iat\":1,\"operators\":[\"x\"");
	for (size_t i = 0; i < REVOCATIONS_MAX; i++) {
		memset(list.operators[i], 'o', CV_ID_MAX);
		list.operators[i][0] = (char)('a' + i % 26);
		n += (size_t)snprintf(
			names + n, sizeof(names) - n, ",\"%s\"", list.operators[i]);
	}
	snprintf(names + n, sizeof(names) - n, "]}");
	assert_int_equal(revocations_encode(text, sizeof(text), &len, &list, &signer), CV_OK);
	assert_int_equal(revocations_decode(&back, text, len, "acme", v_root_public), CV_OK);
	assert_memory_equal(&back, &list, sizeof(list));
	document_make(longer, REVOCATIONS_TYP, NULL, names, v_root_private);
	assert_int_equal(damage_run(decode_list, longer, strlen(longer)), CV_ERR_TOO_LONG);
	assert_int_equal(
		revocations_decode(&back, text, len, "other", v_root_public), CV_ERR_MISMATCH);
}

static enum cv_err verify_with(const struct op_trust *trust, uint32_t role, const char *text)
{
	static char out[CV_JWS_MAX];
	struct opcert cert;
	size_t len;

	return op_document_verify(trust, role, text, strlen(text), "conclave-share-set+jws", &cert,
		out, sizeof(out), &len);
}

static void a_document_needs_the_right_signer(void **state)
{
	static struct revocations revoked;
	static char text[DOCUMENT_BUF];
	struct op_trust trust = vector_trust;
	char crt[CV_OPCERT_MAX + 1];

	(void)state;
	assert_int_equal(verify_with(&trust, OP_ROLE_DEAL, v_share_set), CV_OK);
	trust.now_s = VECTOR_EXP;
	assert_int_equal(verify_with(&trust, OP_ROLE_DEAL, v_share_set), CV_ERR_EXPIRED);
	trust.now_s = 0;
	assert_int_equal(verify_with(&trust, OP_ROLE_DEAL, v_share_set), CV_OK);
	trust.fleet = "other";
	assert_int_equal(verify_with(&trust, OP_ROLE_DEAL, v_share_set), CV_ERR_MISMATCH);
	trust = vector_trust;
	trust.root_key = v_keeper_public;
	assert_int_equal(verify_with(&trust, OP_ROLE_DEAL, v_share_set), CV_ERR_SIGNATURE);
	trust = vector_trust;
	trust.revoked = &revoked;
	assert_int_equal(verify_with(&trust, OP_ROLE_DEAL, v_share_set), CV_OK);
	revoked.count = 1;
	strcpy(revoked.operators[0], "alice");
	assert_int_equal(verify_with(&trust, OP_ROLE_DEAL, v_share_set), CV_ERR_DENIED);

	certificate_make(crt, OP_ROLE_ENROL);
	document_make(text, "conclave-share-set+jws", crt, "{}", v_operator_private);
	assert_int_equal(verify_with(&vector_trust, OP_ROLE_DEAL, text), CV_ERR_ROLE);
	certificate_make(crt, OP_ROLE_DEAL);
	document_make(text, "conclave-share-set+jws", crt, "{}", v_keeper_private);
	assert_int_equal(verify_with(&vector_trust, OP_ROLE_DEAL, text), CV_ERR_SIGNATURE);
	document_make(text, "conclave-share-set+jws", NULL, "{}", v_operator_private);
	assert_int_equal(verify_with(&vector_trust, OP_ROLE_DEAL, text), CV_ERR_TYPE);
	document_make(text, "conclave-share-set+jws", "", "{}", v_operator_private);
	assert_int_equal(verify_with(&vector_trust, OP_ROLE_DEAL, text), CV_ERR_FORMAT);
	document_make(text, "conclave-share-set+jws", v_evidence, "{}", v_operator_private);
	assert_int_equal(verify_with(&vector_trust, OP_ROLE_DEAL, text), CV_ERR_TYPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_what_the_reference_signed),
		cmocka_unit_test(writes_the_payload_of_the_reference),
		cmocka_unit_test(refuses_truncations_flips_and_more),
		cmocka_unit_test(refuses_other_payloads_well_signed),
		cmocka_unit_test(only_the_root_can_certify),
		cmocka_unit_test(encode_refuses_what_decode_would_refuse),
		cmocka_unit_test(role_and_expiry_are_judged),
		cmocka_unit_test(lists_of_the_reference_decode),
		cmocka_unit_test(the_longest_list_travels_and_one_more_is_refused),
		cmocka_unit_test(a_document_needs_the_right_signer),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
