/* Operators' commands, the audit chain and the fingerprints of joining. */
#include "protocol/op.h"

#include "protocol/audit_chain.h"
#include "protocol/join.h"
#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"

static struct op_command command(void)
{
	return (struct op_command){v_keeper_public, v_op_nonce, sizeof(v_op_nonce), "POST",
		"/v1/op/revoke", v_op_body, TEXT_LEN(v_op_body)};
}

static struct op_reply reply(void)
{
	struct op_reply r = {200, 99, 2, {0}, v_op_reply_body, TEXT_LEN(v_op_reply_body)};

	memcpy(r.audit_head, v_audit_2, sizeof(v_audit_2));
	return r;
}

static void hashes_are_those_of_the_reference(void **state)
{
	struct op_command c = command();
	struct op_reply r = reply();
	uint8_t hash[32];

	(void)state;
	assert_int_equal(op_command_hash(hash, &c), CV_OK);
	assert_memory_equal(hash, v_op_command_hash, 32);
	assert_int_equal(crypto_es256_verify(v_operator_public, hash, v_op_sig), CV_OK);
	assert_int_equal(op_reply_hash(hash, v_op_command_hash, &r), CV_OK);
	assert_memory_equal(hash, v_op_reply_hash, 32);
	assert_int_equal(crypto_es256_verify(v_keeper_public, hash, v_op_reply_sig), CV_OK);
	c = (struct op_command){
		v_keeper_public, NULL, 0, "POST", "/v1/op/nonce", "{}", 2};
	assert_int_equal(op_command_hash(hash, &c), CV_OK);
	assert_memory_equal(hash, v_op_first_hash, 32);
}

static void every_field_of_a_command_is_covered(void **state)
{
	struct op_command rows[] = {command(), command(), command(), command(), command(), command()};
	uint8_t hash[32];

	(void)state;
	rows[0].keeper_key = v_operator_public;
	rows[1].nonce = v_nonce;
	rows[2].nonce_len = 39;
	rows[3].method = "PUT";
	rows[4].target = "/v1/op/reinstate";
	rows[5].body_len--;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(op_command_hash(hash, &rows[i]), CV_OK);
		assert_memory_not_equal(hash, v_op_command_hash, 32);
	}
}

static void every_field_of_a_reply_is_covered(void **state)
{
	struct op_reply rows[] = {reply(), reply(), reply(), reply(), reply()};
	struct op_reply good = reply();
	uint8_t hash[32];

	(void)state;
	rows[0].status = 403;
	rows[1].store_revision = 98;
	rows[2].audit_seq = 1;
	rows[3].audit_head[31] ^= 1;
	rows[4].body_len--;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(op_reply_hash(hash, v_op_command_hash, &rows[i]), CV_OK);
		assert_memory_not_equal(hash, v_op_reply_hash, 32);
	}
	assert_int_equal(op_reply_hash(hash, v_op_first_hash, &good), CV_OK);
	assert_memory_not_equal(hash, v_op_reply_hash, 32);
}

static enum cv_err parse_op(const char *data, size_t len)
{
	uint8_t nonce[CV_NONCE_BYTES], sig[CV_ES256_SIG_BYTES];
	char again[OP_HEADER_BUF];
	enum cv_err err = op_header_parse(data, len, nonce, sig);

	if (err == CV_OK) {
		assert_int_equal(op_header(again, nonce, sig), CV_OK);
		assert_int_equal(strlen(again), len);
		assert_memory_equal(again, data, len);
	}
	return err;
}

static enum cv_err parse_reply(const char *data, size_t len)
{
	struct op_reply r = {0};
	uint8_t sig[CV_ES256_SIG_BYTES];
	char again[OP_REPLY_HEADER_BUF];
	enum cv_err err = op_reply_header_parse(data, len, &r, sig);

	if (err == CV_OK) {
		assert_int_equal(op_reply_header(again, &r, sig), CV_OK);
		assert_int_equal(strlen(again), len);
		assert_memory_equal(again, data, len);
	} else {
		assert_true(all_zero(&r, sizeof(r)));
	}
	return err;
}

static void headers_have_one_form(void **state)
{
	struct op_reply r = reply();
	char text[OP_REPLY_HEADER_BUF];

	(void)state;
	assert_int_equal(op_header(text, v_op_nonce, v_op_sig), CV_OK);
	assert_string_equal(text, v_op_header);
	assert_int_equal(op_reply_header(text, &r, v_op_reply_sig), CV_OK);
	assert_string_equal(text, v_op_reply_header);
	damage_accepts(parse_op, v_op_header, TEXT_LEN(v_op_header));
	damage_refuses_truncations(parse_op, v_op_header, TEXT_LEN(v_op_header));
	damage_refuses_one_more(parse_op, v_op_header, TEXT_LEN(v_op_header));
	damage_flips(parse_op, v_op_header, TEXT_LEN(v_op_header));
	damage_accepts(parse_reply, v_op_reply_header, TEXT_LEN(v_op_reply_header));
	damage_refuses_truncations(parse_reply, v_op_reply_header, TEXT_LEN(v_op_reply_header));
	damage_refuses_one_more(parse_reply, v_op_reply_header, TEXT_LEN(v_op_reply_header));
	damage_flips(parse_reply, v_op_reply_header, TEXT_LEN(v_op_reply_header));
}

static void numbers_in_a_reply_header_are_plain_decimals(void **state)
{
	static const char *const bad[] = {"", "00", "01", "+1", "-1", "1.0", "0x1", "1e3",
		"9007199254740992", "99999999999999999999"};
	const char *const tail = strchr(v_op_reply_header + 12, ' ');
	char text[OP_REPLY_HEADER_BUF];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "v1 revision=%s%s", bad[i], tail);
		if (damage_run(parse_reply, text, strlen(text)) == CV_OK)
			fail_msg("accepted revision %s", bad[i]);
	}
	snprintf(text, sizeof(text), "v1 revision=9007199254740991%s", tail);
	assert_int_equal(damage_run(parse_reply, text, strlen(text)), CV_OK);
}

static void the_audit_chain_is_that_of_the_reference(void **state)
{
	uint8_t head[32] = {0}, hash[32];

	(void)state;
	assert_int_equal(
		audit_chain_next(head, "gw-b", 1, v_audit_text_1, TEXT_LEN(v_audit_text_1)), CV_OK);
	assert_memory_equal(head, v_audit_1, 32);
	assert_int_equal(
		audit_chain_next(head, "gw-b", 2, v_audit_text_2, TEXT_LEN(v_audit_text_2)), CV_OK);
	assert_memory_equal(head, v_audit_2, 32);
	assert_int_equal(audit_head_hash(hash, "gw-b", 2, head, VECTOR_IAT), CV_OK);
	assert_memory_equal(hash, v_audit_head_hash, 32);
}

static void an_edit_a_deletion_and_a_swap_change_the_head(void **state)
{
	uint8_t head[32];

	(void)state;
	memcpy(head, v_audit_1, 32);
	assert_int_equal(audit_chain_next(head, "gw-b", 2, "{}", 2), CV_OK);
	assert_memory_not_equal(head, v_audit_2, 32);
	memset(head, 0, 32);
	assert_int_equal(
		audit_chain_next(head, "gw-b", 1, v_audit_text_2, TEXT_LEN(v_audit_text_2)), CV_OK);
	assert_memory_not_equal(head, v_audit_2, 32);
	memcpy(head, v_audit_1, 32);
	assert_int_equal(
		audit_chain_next(head, "gw-b", 3, v_audit_text_2, TEXT_LEN(v_audit_text_2)), CV_OK);
	assert_memory_not_equal(head, v_audit_2, 32);
	memcpy(head, v_audit_1, 32);
	assert_int_equal(
		audit_chain_next(head, "gw-a", 2, v_audit_text_2, TEXT_LEN(v_audit_text_2)), CV_OK);
	assert_memory_not_equal(head, v_audit_2, 32);
}

static void a_record_that_is_too_long_leaves_the_head(void **state)
{
	static char text[AUDIT_TEXT_MAX + 1];
	uint8_t head[32];

	(void)state;
	memcpy(head, v_audit_1, 32);
	assert_int_equal(
		audit_chain_next(head, "gw-b", 2, text, sizeof(text)), CV_ERR_TOO_LONG);
	assert_memory_equal(head, v_audit_1, 32);
}

static void fingerprints_are_those_of_the_reference(void **state)
{
	uint8_t print[32];
	char text[FINGERPRINT_BUF];

	(void)state;
	assert_int_equal(fleet_fingerprint(print, "acme", v_root_public), CV_OK);
	assert_memory_equal(print, v_fleet_fingerprint, 32);
	assert_int_equal(gateway_request_fingerprint(print, "gw-b", v_keeper_public,
				 v_enrolment_public, v_csr, sizeof(v_csr)),
		CV_OK);
	assert_memory_equal(print, v_gateway_request_fingerprint, 32);
	fingerprint_text(text, print);
	assert_string_equal(text, v_fingerprint_text);
}

static enum cv_err parse_fingerprint(const char *data, size_t len)
{
	uint8_t print[32];
	char *text = calloc(1, len + 1);
	enum cv_err err;

	memcpy(text, data, len);
	err = strlen(text) == len ? fingerprint_parse(print, text) : CV_ERR_FORMAT;
	free(text);
	return err;
}

static void people_may_type_a_fingerprint_their_way(void **state)
{
	char spaced[200];
	uint8_t print[32];
	size_t n = 0;

	(void)state;
	for (const char *c = v_fingerprint_text; *c != '\0'; c++) {
		spaced[n++] = *c == '-' ? ':' : (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
		spaced[n++] = ' ';
	}
	spaced[n] = '\0';
	assert_int_equal(fingerprint_parse(print, spaced), CV_OK);
	assert_memory_equal(print, v_gateway_request_fingerprint, 32);
	damage_accepts(parse_fingerprint, v_fingerprint_text, TEXT_LEN(v_fingerprint_text));
	damage_refuses_truncations(
		parse_fingerprint, v_fingerprint_text, TEXT_LEN(v_fingerprint_text));
	assert_int_not_equal(fingerprint_parse(print, "g0"), CV_OK);
	spaced[n++] = '0';
	spaced[n] = '\0';
	assert_int_not_equal(fingerprint_parse(print, spaced), CV_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_the_reference),
		cmocka_unit_test(every_field_of_a_command_is_covered),
		cmocka_unit_test(every_field_of_a_reply_is_covered),
		cmocka_unit_test(headers_have_one_form),
		cmocka_unit_test(numbers_in_a_reply_header_are_plain_decimals),
		cmocka_unit_test(the_audit_chain_is_that_of_the_reference),
		cmocka_unit_test(an_edit_a_deletion_and_a_swap_change_the_head),
		cmocka_unit_test(a_record_that_is_too_long_leaves_the_head),
		cmocka_unit_test(fingerprints_are_those_of_the_reference),
		cmocka_unit_test(people_may_type_a_fingerprint_their_way),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
