#include "protocol/id.h"

#include "tests/unit/protocol/check.h"

static void accepts_exactly_the_alphabet(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char one[1] = {(char)c};
		char two[2] = {'a', (char)c};
		int inner = c != 0 && strchr("abcdefghijklmnopqrstuvwxyz0123456789-", c) != NULL;

		assert_int_equal(id_valid(one, 1), inner && c != '-');
		assert_int_equal(id_valid(two, 2), inner);
	}
}

static void refuses_empty_and_64_characters(void **state)
{
	char text[65];
	char out[CV_ID_BUF] = "kept";

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_false(id_valid(text, 0));
	assert_true(id_valid(text, CV_ID_MAX));
	assert_false(id_valid(text, CV_ID_MAX + 1));
	assert_int_equal(id_copy(out, text, 64), CV_ERR_FORMAT);
	assert_string_equal(out, "kept");
	assert_int_equal(id_copy(out, text, 63), CV_OK);
	assert_int_equal(strlen(out), 63);
}

static void names_are_those_of_the_reference(void **state)
{
	char name[GATEWAY_DNS_BUF];
	char uri[SPIFFE_URI_BUF];

	(void)state;
	assert_int_equal(gateway_dns_name(name, "acme", "gw-b"), CV_OK);
	assert_string_equal(name, v_gateway_dns_name);
	assert_int_equal(spiffe_uri(uri, "acme", "gateway", "gw-b"), CV_OK);
	assert_string_equal(uri, v_gateway_uri);
}

static void names_need_valid_ids(void **state)
{
	char out[SPIFFE_URI_BUF];

	(void)state;
	assert_int_equal(gateway_dns_name(out, "acme", "gw/b"), CV_ERR_ARGUMENT);
	assert_int_equal(gateway_dns_name(out, "", "gw-b"), CV_ERR_ARGUMENT);
	assert_int_equal(spiffe_uri(out, "acme", "gateway", "../x"), CV_ERR_ARGUMENT);
	assert_int_equal(spiffe_uri(out, "Acme", "gateway", "x"), CV_ERR_ARGUMENT);
}

static void the_longest_names_fit(void **state)
{
	char id[CV_ID_BUF];
	char out[SPIFFE_URI_BUF];

	(void)state;
	memset(id, 'z', CV_ID_MAX);
	id[CV_ID_MAX] = '\0';
	assert_int_equal(spiffe_uri(out, id, "operator", id), CV_OK);
	assert_int_equal(gateway_dns_name(out, id, id), CV_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_exactly_the_alphabet),
		cmocka_unit_test(refuses_empty_and_64_characters),
		cmocka_unit_test(names_are_those_of_the_reference),
		cmocka_unit_test(names_need_valid_ids),
		cmocka_unit_test(the_longest_names_fit),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
