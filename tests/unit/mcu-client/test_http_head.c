#include "tests/unit/mcu-client/cmocka_all.h"

#include "http_head.h"

/* Exactly as long as the text, so that a sanitizer sees a byte too far. */
static enum cv_err parse_n(const char *text, size_t len, struct http_answer *a)
{
	char *copy = malloc(len + 1);
	enum cv_err err;

	assert_non_null(copy);
	memcpy(copy, text, len);
	copy[len] = 0;
	memset(a, 0, sizeof(*a));
	err = http_head_parse(copy, a);
	free(copy);
	return err;
}

static enum cv_err parse(const char *text, struct http_answer *a)
{
	return parse_n(text, strlen(text), a);
}

static void takes_status_length_and_mac(void **state)
{
	struct http_answer a;

	(void)state;
	assert_int_equal(parse("HTTP/1.1 403 Forbidden\r\ncontent-length: 17\r\n"
			       "Conclave-MAC: v1 mac=00\r\nConnection: close\r\n\r\n",
				 &a),
		CV_OK);
	assert_int_equal(a.status, 403);
	assert_int_equal(a.body_len, 17);
	assert_string_equal(a.mac_header, "v1 mac=00");
	assert_true(a.has_mac);
	assert_true(a.closes);
}

static void refuses_what_is_not_the_protocols_http(void **state)
{
	static const char *const bad[] = {"", "\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConclave-MAC: a\r\nConclave-MAC: a\r\n\r\n"};
	struct http_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(parse(bad[i], &a), CV_OK);
}

static void refuses_a_body_over_the_limit(void **state)
{
	struct http_answer a;

	(void)state;
	assert_int_equal(parse("HTTP/1.1 200 OK\r\nContent-Length: 1537\r\n\r\n", &a), CV_ERR_TOO_LONG);
	assert_int_equal(parse("HTTP/1.1 200 OK\r\nContent-Length: 1536\r\n\r\n", &a), CV_OK);
}

static void refuses_a_mac_header_over_its_buffer(void **state)
{
	char text[512];
	struct http_answer a;

	(void)state;
	(void)snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConclave-MAC: %0*d\r\n\r\n",
		MAC_RESPONSE_HEADER_BUF, 0);
	assert_int_equal(parse(text, &a), CV_ERR_FORMAT);
}

static void survives_every_truncation(void **state)
{
	static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConclave-MAC: v1\r\n\r\n";
	struct http_answer a;

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		if (parse_n(whole, n, &a) == CV_OK)
			assert_true(a.body_len <= 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(takes_status_length_and_mac),
		cmocka_unit_test(refuses_what_is_not_the_protocols_http),
		cmocka_unit_test(refuses_a_body_over_the_limit),
		cmocka_unit_test(refuses_a_mac_header_over_its_buffer),
		cmocka_unit_test(survives_every_truncation)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
