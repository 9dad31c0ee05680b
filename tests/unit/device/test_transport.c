#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/transport.h"
#include "host/clock.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/id.h"
#include "tests/unit/device/tls_server.h"

#define ANSWER                                                                                     \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nconclave-mac:  v1 mac=ab \r\n"       \
	"Content-Length: 7\r\n\r\n{\"a\":1}"

static struct tls_authority *authority;
static char right_dns[GATEWAY_DNS_BUF];
static char right_uri[SPIFFE_URI_BUF];

static int start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK)
		return -1;
	authority = tls_authority_make();
	return gateway_dns_name(right_dns, "f1", "g1") == CV_OK &&
				spiffe_uri(right_uri, "f1", "gateway", "g1") == CV_OK ?
		0 :
		-1;
}

static int stop(void **state)
{
	(void)state;
	tls_authority_free(authority);
	return 0;
}

static struct tls_server_plan good_plan(void)
{
	return (struct tls_server_plan){ .dns = right_dns, .uri = right_uri,
		.extended_key_usage = "serverAuth", .answer = ANSWER,
		.answer_len = sizeof(ANSWER) - 1 };
}

static struct identity *make_identity(const struct tls_authority *root, unsigned int port)
{
	struct identity *id = calloc(1, sizeof(*id));

	strcpy(id->fleet, "f1");
	strcpy(id->device, "d1");
	id->share_set.count = 1;
	strcpy(id->share_set.members[0].gateway, "g1");
	if (port != 0)
		snprintf(id->addresses[0], sizeof(id->addresses[0]), "127.0.0.1:%u", port);
	strcpy(id->tls_root, tls_authority_pem(root));
	return id;
}

struct exchange {
	struct identity *id;
	struct transport *transport;
	struct transport_result result;
};

/* One request to one peer, to its end. */
static void exchange_run(struct exchange *x, const struct tls_authority *root, unsigned int port,
	uint64_t patience_ms)
{
	uint64_t deadline = clock_monotonic_ms() + patience_ms;

	x->id = make_identity(root, port);
	assert_int_equal(transport_open(&x->transport, x->id), CV_OK);
	assert_int_equal(transport_send(x->transport, 0, "/v1/nonce", "v1 device=d1 mac=00",
				 "{\"x\":2}", 7, deadline),
		CV_OK);
	assert_true(transport_busy(x->transport, 0));
	while (!transport_next(x->transport, &x->result))
		(void)transport_wait(x->transport, UINT64_MAX, -1);
	assert_false(transport_busy(x->transport, 0));
}

static void exchange_end(struct exchange *x)
{
	transport_close(x->transport);
	free(x->id);
}

static void brings_the_answer_of_the_right_gateway(void **state)
{
	struct tls_server_plan plan = good_plan();
	struct exchange x;
	unsigned int port;
	struct tls_server *s = tls_server_start(authority, &plan, &port);

	(void)state;
	exchange_run(&x, authority, port, 5000);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_NONE);
	assert_int_equal(x.result.status, 200);
	assert_int_equal(x.result.body_len, 7);
	assert_memory_equal(x.result.body, "{\"a\":1}", 7);
	assert_int_equal(x.result.mac_header_len, 9);
	assert_memory_equal(x.result.mac_header, "v1 mac=ab", 9);
	assert_false(transport_dates_off(x.transport, 0));
	exchange_end(&x);
	assert_int_equal(tls_server_stop(s), 1);
	const char *request = tls_server_last_request();
	assert_non_null(strstr(request, "POST /v1/nonce HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "Conclave-MAC: v1 device=d1 mac=00\r\n"));
	assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
	assert_null(strcasestr(request, "\nexpect:"));
	assert_string_equal(strstr(request, "\r\n\r\n") + 4, "{\"x\":2}");
}

static void speaks_tls_1_2_with_the_one_suite(void **state)
{
	struct tls_server_plan plan = good_plan();
	struct exchange x;
	unsigned int port;

	(void)state;
	plan.max_version = TLS1_2_VERSION;
	struct tls_server *s = tls_server_start(authority, &plan, &port);
	exchange_run(&x, authority, port, 5000);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_NONE);
	exchange_end(&x);
	tls_server_stop(s);
}

/* The plan must be refused before a request is sent, for this reason. */
static void refused_for(const struct tls_server_plan *plan, const char *why)
{
	struct exchange x;
	unsigned int port;
	struct tls_server *s = tls_server_start(authority, plan, &port);

	exchange_run(&x, authority, port, 5000);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_TLS);
	if (strstr(x.result.detail, why) == NULL)
		assert_string_equal(x.result.detail, why);
	exchange_end(&x);
	assert_int_equal(tls_server_stop(s), 0);
}

static void refuses_another_gateways_certificate(void **state)
{
	struct tls_server_plan plan = good_plan();

	(void)state;
	plan.uri = "spiffe://f1/gateway/g2";
	refused_for(&plan, "another gateway or role");
	plan.uri = "spiffe://f2/gateway/g1";
	refused_for(&plan, "another gateway or role");
	plan = good_plan();
	plan.dns = "g-0000000000000000.conclave.internal";
	refused_for(&plan, "no alternative certificate subject name matches");
}

static void refuses_another_roles_certificate(void **state)
{
	struct tls_server_plan plan = good_plan();

	(void)state;
	plan.uri = "spiffe://f1/operator/g1";
	refused_for(&plan, "another gateway or role");
	plan = good_plan();
	plan.extended_key_usage = "clientAuth";
	refused_for(&plan, "purpose");
	plan.extended_key_usage = NULL;
	refused_for(&plan, "not for a server");
}

static void refuses_a_certificate_with_two_identities(void **state)
{
	struct tls_server_plan plan = good_plan();
	char two[2 * SPIFFE_URI_BUF];

	(void)state;
	snprintf(two, sizeof(two), "spiffe://f1/gateway/g2,URI:%s", right_uri);
	plan.uri = two;
	refused_for(&plan, "another gateway or role");
}

static void refuses_another_root(void **state)
{
	struct tls_authority *other = tls_authority_make();
	struct tls_server_plan plan = good_plan();
	struct exchange x;
	unsigned int port;
	struct tls_server *s = tls_server_start(other, &plan, &port);

	(void)state;
	exchange_run(&x, authority, port, 5000);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_TLS);
	exchange_end(&x);
	assert_int_equal(tls_server_stop(s), 0);
	tls_authority_free(other);
}

static void tolerates_dates_and_says_so_once(void **state)
{
	struct tls_server_plan plan = good_plan();
	struct exchange x;
	unsigned int port;

	(void)state;
	plan.expired = true;
	struct tls_server *s = tls_server_start(authority, &plan, &port);
	exchange_run(&x, authority, port, 5000);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_NONE);
	assert_true(transport_dates_off(x.transport, 0));
	assert_false(transport_dates_off(x.transport, 0));
	exchange_end(&x);
	tls_server_stop(s);
}

static void names_a_refused_connection(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, not listening: nobody else gets it */
	char want[96];
	struct exchange x;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	exchange_run(&x, authority, ntohs(at.sin_port), 5000);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_REFUSED);
	snprintf(want, sizeof(want), "connection refused (127.0.0.1:%u)", ntohs(at.sin_port));
	assert_string_equal(x.result.detail, want);
	exchange_end(&x);
	close(fd);
}

static void a_gateway_without_address_is_not_reachable(void **state)
{
	struct exchange x;

	(void)state;
	exchange_run(&x, authority, 0, 5000);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_REFUSED);
	assert_string_equal(x.result.detail, "gateways.json has no address for it");
	exchange_end(&x);
}

static void the_deadline_is_hard(void **state)
{
	struct tls_server_plan plan = good_plan();
	struct exchange x;
	unsigned int port;

	(void)state;
	plan.answer = NULL;
	struct tls_server *s = tls_server_start(authority, &plan, &port);
	exchange_run(&x, authority, port, 300);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_TIMEOUT);
	exchange_end(&x);
	tls_server_stop(s);
}

static void answered_with(const char *answer, size_t len, struct exchange *x, int *requests)
{
	struct tls_server_plan plan = good_plan();
	unsigned int port;

	plan.answer = answer;
	plan.answer_len = len;
	struct tls_server *s = tls_server_start(authority, &plan, &port);
	exchange_run(x, authority, port, 2000);
	transport_close(x->transport);
	x->transport = NULL;
	*requests = tls_server_stop(s);
}

static void refuses_an_answer_without_end(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 36865\r\n\r\n";
	size_t len = sizeof(head) - 1 + CV_BODY_MAX + 1;
	char *answer = malloc(len);
	struct exchange x;
	int requests;

	(void)state;
	memset(answer, 'x', len);
	memcpy(answer, head, sizeof(head) - 1);
	answered_with(answer, len, &x, &requests);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_TRANSPORT);
	free(x.id);
	free(answer);
}

static void follows_no_redirect(void **state)
{
	static const char answer[] = "HTTP/1.1 307 Temporary Redirect\r\n"
				     "Location: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
	struct exchange x;
	int requests;

	(void)state;
	answered_with(answer, sizeof(answer) - 1, &x, &requests);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_NONE);
	assert_int_equal(x.result.status, 307);
	assert_null(x.result.mac_header);
	assert_int_equal(requests, 1);
	free(x.id);
}

static void two_macs_are_no_mac(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nConclave-MAC: v1 mac=aa\r\n"
				     "Conclave-MAC: v1 mac=bb\r\nContent-Length: 0\r\n\r\n";
	struct exchange x;
	int requests;

	(void)state;
	answered_with(answer, sizeof(answer) - 1, &x, &requests);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_NONE);
	assert_null(x.result.mac_header);
	free(x.id);
}

static void uses_no_proxy(void **state)
{
	struct tls_server_plan plan = good_plan();
	struct exchange x;
	unsigned int port;

	(void)state;
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	struct tls_server *s = tls_server_start(authority, &plan, &port);
	exchange_run(&x, authority, port, 5000);
	assert_int_equal(x.result.fault, HANDSHAKE_FAULT_NONE);
	exchange_end(&x);
	tls_server_stop(s);
	unsetenv("https_proxy");
	unsetenv("ALL_PROXY");
}

static void one_request_at_a_time_per_gateway(void **state)
{
	struct tls_server_plan plan = good_plan();
	struct transport *t = NULL;
	struct transport_result r;
	unsigned int port;
	struct tls_server *s = tls_server_start(authority, &plan, &port);
	struct identity *id = make_identity(authority, port);
	uint64_t deadline = clock_monotonic_ms() + 5000;

	(void)state;
	assert_int_equal(transport_open(&t, id), CV_OK);
	assert_int_equal(transport_send(t, 0, "/v1/nonce", "v1", "{}", 2, deadline), CV_OK);
	assert_int_equal(transport_send(t, 0, "/v1/nonce", "v1", "{}", 2, deadline), CV_ERR_BUSY);
	assert_int_equal(transport_send(t, 1, "/v1/nonce", "v1", "{}", 2, deadline),
		CV_ERR_ARGUMENT);
	while (!transport_next(t, &r))
		(void)transport_wait(t, UINT64_MAX, -1);
	assert_int_equal(transport_send(t, 0, "/v1/nonce", "v1", "{}", 2, deadline), CV_OK);
	transport_close(t); /* with a request under way */
	free(id);
	tls_server_stop(s);
}

static void a_broken_root_is_refused_at_once(void **state)
{
	struct identity *id = make_identity(authority, 1);
	struct transport *t = NULL;

	(void)state;
	strcpy(id->tls_root, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(transport_open(&t, id), CV_ERR_FORMAT);
	assert_null(t);
	free(id);
}

static void addresses_have_a_host_and_a_port(void **state)
{
	static const char *const good[] = { "127.0.0.1:7443", "[::1]:7443", "gw-1.example:1",
		"[fe80::1:2]:65535" };
	static const char *const bad[] = { "", "host", ":1", "host:", "host:0", "host:65536",
		"host:1x", "::1:7443", "a b:1", "a/b:1", "[::1:1", "user@host:1", "[]:1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(identity_address_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(identity_address_ok(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(brings_the_answer_of_the_right_gateway),
		cmocka_unit_test(speaks_tls_1_2_with_the_one_suite),
		cmocka_unit_test(refuses_another_gateways_certificate),
		cmocka_unit_test(refuses_another_roles_certificate),
		cmocka_unit_test(refuses_a_certificate_with_two_identities),
		cmocka_unit_test(refuses_another_root),
		cmocka_unit_test(tolerates_dates_and_says_so_once),
		cmocka_unit_test(names_a_refused_connection),
		cmocka_unit_test(a_gateway_without_address_is_not_reachable),
		cmocka_unit_test(the_deadline_is_hard),
		cmocka_unit_test(refuses_an_answer_without_end),
		cmocka_unit_test(follows_no_redirect),
		cmocka_unit_test(two_macs_are_no_mac),
		cmocka_unit_test(uses_no_proxy),
		cmocka_unit_test(one_request_at_a_time_per_gateway),
		cmocka_unit_test(a_broken_root_is_refused_at_once),
		cmocka_unit_test(addresses_have_a_host_and_a_port),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
