#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <civetweb.h>
#include <cmocka.h>

#include "gateway/front_request.h"
#include "tests/unit/gateway/tls_fleet.h"

static struct mg_request_info request(const char *method, const char *target)
{
	struct mg_request_info info;

	memset(&info, 0, sizeof(info));
	info.request_method = method;
	info.request_uri = target;
	info.http_version = "1.1";
	info.num_headers = 3;
	info.http_headers[0] = (struct mg_header){ "Content-Type", "application/json" };
	info.http_headers[1] = (struct mg_header){ "Content-Length", "17" };
	info.http_headers[2] = (struct mg_header){ "Conclave-MAC", "v1 device=d mac=00" };
	return info;
}

static void add(struct mg_request_info *info, const char *name, const char *value)
{
	info->http_headers[info->num_headers++] = (struct mg_header){ name, value };
}

static unsigned int check(const struct mg_request_info *info, enum front_listener listener,
	struct front_head *head)
{
	memset(head, 0, sizeof(*head));
	return front_head_check(head, listener, info, TLS_FLEET);
}

static unsigned int status_of(const struct mg_request_info *info)
{
	struct front_head head;

	return check(info, FRONT_DEVICES, &head);
}

static void takes_each_target_of_the_protocol(void **state)
{
	static const char *const targets[] = { "/v1/nonce", "/v1/authorize", "/v1/check",
		"/v1/events", "/v1/status" };

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct mg_request_info info = request("POST", targets[i]);
		struct front_head head;

		assert_int_equal(check(&info, FRONT_DEVICES, &head), 0);
		assert_int_equal(head.body_len, 17);
		assert_int_equal(head.request.type, IPC_DEVICE);
		assert_string_equal(head.request.target, targets[i]);
		assert_string_equal(head.request.method, "POST");
		assert_string_equal(head.request.mac, "v1 device=d mac=00");
	}
}

static void knows_no_other_target(void **state)
{
	static const char *const targets[] = { "/", "/v1/nonce/", "/v1/nonc", "//v1/nonce",
		"/V1/nonce", "/v1/op/list", "/healthz", "/v1/%6eonce", "*" };

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct mg_request_info info = request("POST", targets[i]);

		assert_int_equal(status_of(&info), 404);
	}
}

static void takes_post_alone(void **state)
{
	static const char *const methods[] = { "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "post" };

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct mg_request_info info = request(methods[i], "/v1/nonce");

		assert_int_equal(status_of(&info), 405);
	}
}

static void refuses_a_query_and_old_http(void **state)
{
	struct mg_request_info info = request("POST", "/v1/nonce");

	(void)state;
	info.query_string = "";
	assert_int_equal(status_of(&info), 400);
	info = request("POST", "/v1/nonce");
	info.http_version = "1.0";
	assert_int_equal(status_of(&info), 400);
}

static void wants_json(void **state)
{
	static const struct {
		const char *type;
		unsigned int status;
	} cases[] = { { "application/json", 0 }, { "application/json; charset=utf-8", 0 },
		{ "Application/JSON ;charset=UTF-8", 0 }, { "application/jsonx", 415 },
		{ "application/json; charset=latin1", 415 }, { "application/json;", 415 },
		{ "text/plain", 415 }, { "", 415 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mg_request_info info = request("POST", "/v1/nonce");

		info.http_headers[0].value = cases[i].type;
		assert_int_equal(status_of(&info), cases[i].status);
	}
}

static void measures_the_body(void **state)
{
	static const struct {
		const char *length;
		unsigned int status;
	} cases[] = { { "0", 0 }, { "36864", 0 }, { "36865", 413 },
		{ "99999999999999999999999999", 413 }, { "", 400 }, { "-1", 400 }, { "+1", 400 },
		{ "1 ", 400 }, { "0x10", 400 }, { "1,1", 400 } };
	struct mg_request_info info;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		info = request("POST", "/v1/nonce");
		info.http_headers[1].value = cases[i].length;
		assert_int_equal(status_of(&info), cases[i].status);
	}
	info = request("POST", "/v1/nonce");
	info.http_headers[1].name = "X-Other";
	assert_int_equal(status_of(&info), 400);
}

static void refuses_ambiguous_framing(void **state)
{
	static const char *const twice[] = { "content-length", "Content-Type", "CONCLAVE-MAC" };
	struct mg_request_info info;

	(void)state;
	for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]); i++) {
		info = request("POST", "/v1/nonce");
		add(&info, twice[i], "17");
		assert_int_equal(status_of(&info), 400);
	}
	info = request("POST", "/v1/nonce");
	add(&info, "Transfer-Encoding", "chunked");
	assert_int_equal(status_of(&info), 400);
}

static void refuses_headers_outside_the_alphabet(void **state)
{
	static const struct mg_header bad[] = { { "X Y", "1" }, { "X:", "1" }, { "", "1" },
		{ "X", "\x01" }, { "X", "\xc3\xa4" }, { "X\x80", "1" }, { "X", "a\tb" },
		{ "X", NULL } };
	struct mg_request_info info;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		info = request("POST", "/v1/nonce");
		add(&info, bad[i].name, bad[i].value);
		assert_int_equal(status_of(&info), 400);
	}
	info = request("POST", "/v1/nonce");
	while (info.num_headers <= FRONT_HEADERS_MAX)
		add(&info, "X", "1");
	assert_int_equal(status_of(&info), 400);
}

static void an_overlong_mac_header_is_refused_and_none_is_not(void **state)
{
	struct mg_request_info info = request("POST", "/v1/nonce");
	struct front_head head;
	char longest[MAC_REQUEST_HEADER_BUF + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[MAC_REQUEST_HEADER_BUF] = '\0';
	info.http_headers[2].value = longest;
	assert_int_equal(status_of(&info), 400);
	longest[MAC_REQUEST_HEADER_BUF - 1] = '\0';
	assert_int_equal(status_of(&info), 0);
	/* the keeper answers it as it does a wrong one */
	info.num_headers = 2;
	assert_int_equal(check(&info, FRONT_DEVICES, &head), 0);
	assert_string_equal(head.request.mac, "");
}

static void knows_who_waits_for_continue(void **state)
{
	struct mg_request_info info = request("POST", "/v1/nonce");
	struct front_head head;

	(void)state;
	add(&info, "Expect", "100-continue");
	assert_int_equal(check(&info, FRONT_DEVICES, &head), 0);
	assert_true(head.expect_continue);
	info.http_headers[3].value = "magic";
	assert_int_equal(check(&info, FRONT_DEVICES, &head), 400);
}

static void operators_come_with_a_certificate(void **state)
{
	struct mg_request_info info = request("POST", "/v1/op/list");
	struct mg_client_cert client;
	struct front_head head;
	struct tls_fleet fleet;
	EVP_PKEY *key = tls_fleet_key();
	struct tls_names names = { "spiffe://" TLS_FLEET "/device/op1", NULL, 0 };
	X509 *cert, *wrong;

	(void)state;
	tls_fleet_open(&fleet);
	cert = tls_fleet_operator(&fleet, key, "op1");
	wrong = tls_fleet_issue(&fleet, key, &names);
	add(&info, "Conclave-Op", "v1 nonce=a sig=b");
	add(&info, "Conclave-Op-Cert", "x.y.z");
	assert_int_equal(check(&info, FRONT_OPERATORS, &head), 400);
	memset(&client, 0, sizeof(client));
	client.peer_cert = wrong;
	info.client_cert = &client;
	assert_int_equal(check(&info, FRONT_OPERATORS, &head), 400);
	client.peer_cert = cert;
	assert_int_equal(check(&info, FRONT_OPERATORS, &head), 0);
	assert_int_equal(head.request.type, IPC_OPERATOR);
	assert_string_equal(head.request.operator_id, "op1");
	assert_string_equal(head.request.op, "v1 nonce=a sig=b");
	assert_string_equal(head.request.op_cert, "x.y.z");
	info.http_headers[1].value = "188416";
	assert_int_equal(check(&info, FRONT_OPERATORS, &head), 0);
	info.http_headers[1].value = "188417";
	assert_int_equal(check(&info, FRONT_OPERATORS, &head), 413);
	X509_free(cert);
	X509_free(wrong);
	EVP_PKEY_free(key);
	tls_fleet_close(&fleet);
}

static void operators_have_their_own_targets(void **state)
{
	static const char *const bad[] = { "/v1/op/", "/v1/op", "/v1/op/List", "/v1/op/a/b",
		"/v1/op/abcdefghijklmnopqrstuvwxyzabcdefgh", "/v1/nonce" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct mg_request_info info = request("POST", bad[i]);
		struct front_head head;

		assert_int_equal(check(&info, FRONT_OPERATORS, &head), 404);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_each_target_of_the_protocol),
		cmocka_unit_test(knows_no_other_target),
		cmocka_unit_test(takes_post_alone),
		cmocka_unit_test(refuses_a_query_and_old_http),
		cmocka_unit_test(wants_json),
		cmocka_unit_test(measures_the_body),
		cmocka_unit_test(refuses_ambiguous_framing),
		cmocka_unit_test(refuses_headers_outside_the_alphabet),
		cmocka_unit_test(an_overlong_mac_header_is_refused_and_none_is_not),
		cmocka_unit_test(knows_who_waits_for_continue),
		cmocka_unit_test(operators_come_with_a_certificate),
		cmocka_unit_test(operators_have_their_own_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
