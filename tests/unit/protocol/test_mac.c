#include "protocol/mac.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"

static const struct mac_scope scope = {"acme", "gw-b", "pump-7"};

static void key_and_macs_are_those_of_the_reference(void **state)
{
	uint8_t key[32], mac[32];

	(void)state;
	assert_int_equal(mac_key_derive(key, v_mac_root, &scope), CV_OK);
	assert_memory_equal(key, v_mac_key, 32);
	assert_int_equal(mac_request(mac, key, &scope, "POST", "/v1/nonce", v_nonce_request,
				 TEXT_LEN(v_nonce_request)),
		CV_OK);
	assert_memory_equal(mac, v_request_mac, 32);
	assert_int_equal(mac_response(mac, key, &scope, v_request_mac, 200, v_nonce_answer,
				 TEXT_LEN(v_nonce_answer)),
		CV_OK);
	assert_memory_equal(mac, v_response_mac, 32);
}

static void every_field_of_a_request_is_covered(void **state)
{
	static const struct {
		struct mac_scope scope;
		const char *method, *target, *body;
	} rows[] = {
		{{"acme2", "gw-b", "pump-7"}, "POST", "/v1/nonce", "b"},
		{{"acme", "gw-a", "pump-7"}, "POST", "/v1/nonce", "b"},
		{{"acme", "gw-b", "pump-8"}, "POST", "/v1/nonce", "b"},
		{{"acme", "gw-b", "pump-7"}, "GET", "/v1/nonce", "b"},
		{{"acme", "gw-b", "pump-7"}, "POST", "/v1/status", "b"},
		{{"acme", "gw-b", "pump-7"}, "POST", "/v1/nonce", "c"},
		/* the same text with the borders moved */
		{{"acm", "egw-b", "pump-7"}, "POST", "/v1/nonce", "b"},
		{{"acme", "gw-b", "pump-7P"}, "OST", "/v1/nonce", "b"},
	};
	uint8_t good[32], mac[32], key[32] = {9};

	(void)state;
	assert_int_equal(mac_request(good, v_mac_key, &scope, "POST", "/v1/nonce", "b", 1), CV_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(mac_request(mac, v_mac_key, &rows[i].scope, rows[i].method,
					 rows[i].target, rows[i].body, 1),
			CV_OK);
		assert_memory_not_equal(mac, good, 32);
	}
	assert_int_equal(mac_request(mac, key, &scope, "POST", "/v1/nonce", "b", 1), CV_OK);
	assert_memory_not_equal(mac, good, 32);
}

static void every_field_of_an_answer_is_covered(void **state)
{
	static const struct mac_scope others[] = {
		{"acme2", "gw-b", "pump-7"}, {"acme", "gw-a", "pump-7"}, {"acme", "gw-b", "pump-8"}};
	uint8_t good[32], mac[32], request[32];

	(void)state;
	memcpy(request, v_request_mac, 32);
	assert_int_equal(mac_response(good, v_mac_key, &scope, request, 403, "b", 1), CV_OK);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
			mac_response(mac, v_mac_key, &others[i], request, 403, "b", 1), CV_OK);
		assert_memory_not_equal(mac, good, 32);
	}
	assert_int_equal(mac_response(mac, v_mac_key, &scope, request, 200, "b", 1), CV_OK);
	assert_memory_not_equal(mac, good, 32);
	assert_int_equal(mac_response(mac, v_mac_key, &scope, request, 403, "c", 1), CV_OK);
	assert_memory_not_equal(mac, good, 32);
	request[31] ^= 1;
	assert_int_equal(mac_response(mac, v_mac_key, &scope, request, 403, "b", 1), CV_OK);
	assert_memory_not_equal(mac, good, 32);
}

static void a_key_belongs_to_one_pair(void **state)
{
	static const struct mac_scope others[] = {{"acme2", "gw-b", "pump-7"},
		{"acme", "gw-a", "pump-7"}, {"acme", "gw-b", "pump-8"}, {"acme", "pump-7", "gw-b"}};
	uint8_t key[32];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(mac_key_derive(key, v_mac_root, &others[i]), CV_OK);
		assert_memory_not_equal(key, v_mac_key, 32);
	}
}

static void the_longest_names_fit(void **state)
{
	char id[CV_ID_BUF], target[CV_TARGET_MAX + 1];
	struct mac_scope longest = {id, id, id};
	uint8_t mac[32];

	(void)state;
	memset(id, 'a', CV_ID_MAX);
	id[CV_ID_MAX] = '\0';
	memset(target, '/', CV_TARGET_MAX);
	target[CV_TARGET_MAX] = '\0';
	assert_int_equal(mac_key_derive(mac, v_mac_root, &longest), CV_OK);
	assert_int_equal(mac_request(mac, v_mac_key, &longest, "POST", target, "", 0), CV_OK);
	assert_int_equal(mac_response(mac, v_mac_key, &longest, mac, 200, "", 0), CV_OK);
}

/* A flipped header may name another device or MAC: then that is what must come out. */
static enum cv_err parse_request(const char *data, size_t len)
{
	char device[CV_ID_BUF] = "";
	char again[MAC_REQUEST_HEADER_BUF];
	uint8_t mac[32];
	enum cv_err err = mac_request_header_parse(data, len, device, mac);

	if (err == CV_OK) {
		assert_int_equal(mac_request_header(again, device, mac), CV_OK);
		assert_int_equal(strlen(again), len);
		assert_memory_equal(again, data, len);
	} else {
		assert_string_equal(device, "");
	}
	return err;
}

static enum cv_err parse_response(const char *data, size_t len)
{
	char again[MAC_RESPONSE_HEADER_BUF];
	uint8_t mac[32];
	enum cv_err err = mac_response_header_parse(data, len, mac);

	if (err == CV_OK) {
		assert_int_equal(mac_response_header(again, mac), CV_OK);
		assert_int_equal(strlen(again), len);
		assert_memory_equal(again, data, len);
	}
	return err;
}

static void headers_have_one_form(void **state)
{
	char header[MAC_REQUEST_HEADER_BUF], answer[MAC_RESPONSE_HEADER_BUF];

	(void)state;
	assert_int_equal(mac_request_header(header, "pump-7", v_request_mac), CV_OK);
	assert_string_equal(header, v_request_header);
	assert_int_equal(mac_response_header(answer, v_response_mac), CV_OK);
	assert_string_equal(answer, v_response_header);
	assert_int_equal(mac_request_header(header, "Pump", v_request_mac), CV_ERR_ARGUMENT);

	damage_accepts(parse_request, v_request_header, TEXT_LEN(v_request_header));
	damage_refuses_truncations(parse_request, v_request_header, TEXT_LEN(v_request_header));
	damage_refuses_one_more(parse_request, v_request_header, TEXT_LEN(v_request_header));
	damage_flips(parse_request, v_request_header, TEXT_LEN(v_request_header));
	damage_accepts(parse_response, v_response_header, TEXT_LEN(v_response_header));
	damage_refuses_truncations(parse_response, v_response_header, TEXT_LEN(v_response_header));
	damage_refuses_one_more(parse_response, v_response_header, TEXT_LEN(v_response_header));
	damage_flips(parse_response, v_response_header, TEXT_LEN(v_response_header));
}

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void other_forms_of_the_header_are_refused(void **state)
{
	static const char *const bad[] = {
		"v2 device=a mac=" HEX64, " v1 device=a mac=" HEX64, "v1  device=a mac=" HEX64,
		"v1 device=a  mac=" HEX64, "v1 device=a mac=" HEX64 " ", "v1 mac=" HEX64 " device=a",
		"v1 device= mac=" HEX64, "v1 device=A mac=" HEX64, "v1 device=-a mac=" HEX64,
		"v1 device=a mac=" HEX64 "00", "v1 device=a, mac=" HEX64, "V1 device=a mac=" HEX64,
		"v1 device=a\tmac=" HEX64, "v1 device=a mac=0x" HEX64, "v1 device=a",
		"v1 device=a mac=00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"};

	(void)state;
	assert_int_equal(damage_run(parse_request, "v1 device=a mac=" HEX64, 80), CV_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (damage_run(parse_request, bad[i], strlen(bad[i])) == CV_OK)
			fail_msg("accepted: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_and_macs_are_those_of_the_reference),
		cmocka_unit_test(every_field_of_a_request_is_covered),
		cmocka_unit_test(every_field_of_an_answer_is_covered),
		cmocka_unit_test(a_key_belongs_to_one_pair),
		cmocka_unit_test(the_longest_names_fit),
		cmocka_unit_test(headers_have_one_form),
		cmocka_unit_test(other_forms_of_the_header_are_refused),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
