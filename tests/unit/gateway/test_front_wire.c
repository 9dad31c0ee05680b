/* What a peer can do to a running front: over TLS, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "gateway/tls.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "tests/unit/gateway/gateway_rig.h"

#define ANSWER_MAX 70000
#define HEAD "POST /v1/nonce HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

static int tcp(const struct config_address *a)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	const struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static int peer_open_version(struct peer *p, const struct config_address *a, int newest)
{
	p->ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_set_max_proto_version(p->ctx, newest), 1);
	p->ssl = SSL_new(p->ctx);
	p->fd = tcp(a);
	assert_int_equal(SSL_set_fd(p->ssl, p->fd), 1);
	return SSL_connect(p->ssl) == 1;
}

static int peer_open(struct peer *p, const struct config_address *a)
{
	return peer_open_version(p, a, TLS1_3_VERSION);
}

static void peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	close(p->fd);
	ERR_clear_error();
}

static void say(struct peer *p, const char *text)
{
	assert_int_equal(SSL_write(p->ssl, text, (int)strlen(text)), (int)strlen(text));
}

/* One answer, by its Content-Length. Its status; 0 if the connection ended. */
static int hear(struct peer *p, char answer[ANSWER_MAX])
{
	size_t len = 0, want = 0;
	char *end = NULL;
	int status = 0;

	while (end == NULL || len < want) {
		int n = SSL_read(p->ssl, answer + len, (int)(ANSWER_MAX - 1 - len));

		if (n <= 0)
			return 0;
		len += (size_t)n;
		answer[len] = '\0';
		end = strstr(answer, "\r\n\r\n");
		if (end != NULL)
			want = (size_t)(end + 4 - answer) +
				strtoul(strstr(answer, "Content-Length: ") + 16, NULL, 10);
	}
	assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &status), 1);
	return status;
}

static int exchange(struct gateway_rig *r, const char *request, char answer[ANSWER_MAX])
{
	struct peer p;
	int status;

	assert_true(peer_open(&p, &r->devices));
	say(&p, request);
	status = hear(&p, answer);
	peer_close(&p);
	return status;
}

static void every_refusal_is_a_problem_without_a_mac(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{ "GET /v1/nonce HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405 },
		{ "POST /v1/other HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404 },
		{ "POST /v1/nonce HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 415 },
		{ HEAD "\r\n", 400 },
		{ HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400 },
		{ HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400 },
		{ HEAD "Content-Length: 36865\r\nExpect: 100-continue\r\n\r\n", 413 },
		{ "POST /v1/nonce HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 400 },
		{ "POST /v1/nonce HTTP/9.9\r\nContent-Length: 0\r\n\r\n", 400 },
		{ "POST /v1/../v1/nonce HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404 },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400 },
		{ "rubbish\r\n\r\n", 400 },
	};
	static char answer[ANSWER_MAX];
	struct gateway_rig *r = *state;

	gateway_rig_start_ready(r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = exchange(r, cases[i].request, answer);

		if (status != cases[i].status)
			fail_msg("%s: %d, not %d", cases[i].request, status, cases[i].status);
		assert_non_null(strstr(answer, "Content-Type: application/problem+json\r\n"));
		assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
		assert_null(strstr(answer, "Conclave-MAC"));
	}
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void a_head_over_its_limit_is_refused(void **state)
{
	static char answer[ANSWER_MAX], request[16384];
	struct gateway_rig *r = *state;

	gateway_rig_start_ready(r);
	snprintf(request, sizeof(request), HEAD "X: ");
	memset(request + strlen(request), 'a', 9000);
	strcat(request, "\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(exchange(r, request, answer), 400);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void an_overlong_body_still_gets_its_answer(void **state)
{
	static char answer[ANSWER_MAX], request[65536];
	struct gateway_rig *r = *state;

	gateway_rig_start_ready(r);
	snprintf(request, sizeof(request), HEAD "Content-Length: 60000\r\n\r\n");
	memset(request + strlen(request), 'a', 60000);
	assert_int_equal(exchange(r, request, answer), 413);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

/* The keeper sees it: with no MAC it is its one answer to strangers, and the connection stays. */
static void a_connection_serves_request_after_request(void **state)
{
	static char answer[ANSWER_MAX];
	struct gateway_rig *r = *state;
	struct peer p;

	gateway_rig_config(r, "[limits]\nrequests_per_connection = 3\n");
	gateway_rig_start_ready(r);
	assert_true(peer_open(&p, &r->devices));
	for (int i = 0; i < 3; i++) {
		say(&p, HEAD "Content-Length: 2\r\n\r\n{}");
		assert_int_equal(hear(&p, answer), 401);
		assert_non_null(strstr(
			answer, i < 2 ? "Connection: keep-alive\r\n" : "Connection: close\r\n"));
	}
	assert_int_equal(hear(&p, answer), 0);
	peer_close(&p);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void a_body_may_come_in_pieces(void **state)
{
	static char answer[ANSWER_MAX];
	struct gateway_rig *r = *state;
	struct peer p;

	gateway_rig_start_ready(r);
	assert_true(peer_open(&p, &r->devices));
	say(&p, "POST /v1/no");
	say(&p, "nce HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-cont");
	say(&p, "inue\r\nContent-Length: 2\r\n\r\n");
	assert_true(SSL_read(p.ssl, answer, 25) == 25);
	assert_memory_equal(answer, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	say(&p, "{");
	say(&p, "}");
	assert_int_equal(hear(&p, answer), 401);
	peer_close(&p);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

/* However slowly bytes come, each stage has an end: the server ends these, not the test. */
static void slow_senders_are_cut_off(void **state)
{
	static const char *const starts[] = { "", "POST /v1/nonce HT",
		HEAD "Content-Length: 100\r\n\r\n{" };
	static char answer[ANSWER_MAX];
	struct gateway_rig *r = *state;
	struct peer peers[3];

	gateway_rig_config(r, "[limits]\nrequest_timeout = 500ms\nkeep_alive = 100ms\n");
	gateway_rig_start_ready(r);
	for (int i = 0; i < 3; i++) {
		assert_true(peer_open(&peers[i], &r->devices));
		if (starts[i][0] != '\0')
			say(&peers[i], starts[i]);
	}
	for (int i = 0; i < 3; i++) {
		int status = hear(&peers[i], answer);

		assert_true(status == 0 || status == 400);
		if (status == 400)
			assert_int_equal(hear(&peers[i], answer), 0);
		peer_close(&peers[i]);
	}
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void dribbling_does_not_buy_time(void **state)
{
	static char answer[ANSWER_MAX];
	struct gateway_rig *r = *state;
	struct pollfd pfd;
	struct peer p;
	int n = 0;

	gateway_rig_config(r, "[limits]\nrequest_timeout = 500ms\n");
	gateway_rig_start_ready(r);
	assert_true(peer_open_version(&p, &r->devices, TLS1_2_VERSION));
	signal(SIGPIPE, SIG_IGN);
	/* of TLS 1.2, where nothing waits to be read after the handshake */
	say(&p, HEAD "Content-Length: 16000\r\n\r\n");
	/* a byte at a time would take 16 seconds at this pace, thirty times the deadline */
	pfd = (struct pollfd){ .fd = p.fd, .events = POLLIN | POLLRDHUP };
	while (n < 16000 && poll(&pfd, 1, 1) == 0 && SSL_write(p.ssl, "a", 1) == 1)
		n++;
	assert_true(n < 16000);
	(void)hear(&p, answer);
	peer_close(&p);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

/* More silent connections than threads: they never reach one, and a device gets through. */
static void silent_connections_take_no_thread(void **state)
{
	static char answer[ANSWER_MAX];
	struct gateway_rig *r = *state;
	int fds[64];

	gateway_rig_config(r, "[limits]\nthreads = 4\nqueue = 3\n");
	gateway_rig_start_ready(r);
	for (int i = 0; i < 64; i++)
		fds[i] = tcp(&r->devices);
	assert_int_equal(exchange(r, HEAD "Content-Length: 2\r\n\r\n{}", answer), 401);
	for (int i = 0; i < 64; i++)
		close(fds[i]);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void an_address_that_only_fails_is_turned_away_at_the_door(void **state)
{
	static char answer[ANSWER_MAX], metrics[32768];
	struct gateway_rig *r = *state;
	struct peer p;

	gateway_rig_config(r, "[limits]\nfailures_burst = 6\nfailures_per_minute = 1\n");
	gateway_rig_start_ready(r);
	/* two of the budget went to the self-test */
	assert_true(peer_open(&p, &r->devices));
	for (int i = 0; i < 4; i++) {
		say(&p, HEAD "Content-Length: 2\r\n\r\n{}");
		assert_int_equal(hear(&p, answer), 401);
	}
	say(&p, HEAD "Content-Length: 2\r\n\r\n{}");
	assert_int_equal(hear(&p, answer), 503);
	peer_close(&p);
	assert_false(peer_open(&p, &r->devices));
	peer_close(&p);
	assert_int_equal(gateway_rig_get(r, "/metrics", metrics, sizeof(metrics)), 200);
	assert_non_null(strstr(metrics, "\nconclave_front_turned_away_total 1\n"));
	/* a reload gives everyone a new limit */
	gateway_rig_config(r, "[limits]\nfailures_burst = 0\n");
	assert_int_equal(kill(r->pid, SIGHUP), 0);
	gateway_rig_expect_line(r, "front: reloaded");
	assert_int_equal(exchange(r, HEAD "Content-Length: 2\r\n\r\n{}", answer), 401);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void operators_get_a_signed_nonce_and_strangers_nothing(void **state)
{
	static const char request[] =
		"POST /v1/op/nonce HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Length: 2\r\n\r\n{}";
	static char answer[ANSWER_MAX];
	struct gateway_rig *r = *state;
	EVP_PKEY *key = tls_fleet_key();
	X509 *cert = tls_fleet_operator(&r->fleet, key, "op1");
	struct peer p;

	gateway_rig_start_ready(r);
	/* in 1.3 the refusal of a client without certificate comes after its handshake */
	if (peer_open(&p, &r->operators))
		assert_int_equal(hear(&p, answer), 0);
	peer_close(&p);
	p.ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_use_cert_and_key(p.ctx, cert, key, NULL, 1), 1);
	p.ssl = SSL_new(p.ctx);
	p.fd = tcp(&r->operators);
	SSL_set_fd(p.ssl, p.fd);
	assert_int_equal(SSL_connect(p.ssl), 1);
	say(&p, request);
	assert_int_equal(hear(&p, answer), 200);
	assert_non_null(strstr(answer, "\r\nConclave-Op-Reply: v1 revision="));
	peer_close(&p);
	X509_free(cert);
	EVP_PKEY_free(key);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void without_a_keeper_the_front_says_so_in_time(void **state)
{
	static char answer[ANSWER_MAX];
	struct gateway_rig *r = *state;
	pid_t keeper;

	gateway_rig_config(r, "[limits]\nkeeper_timeout = 100ms\n");
	gateway_rig_start_ready(r);
	keeper = gateway_rig_find(r, "conclave-gateway: keeper");
	assert_int_equal(kill(keeper, SIGSTOP), 0);
	assert_int_equal(exchange(r, HEAD "Content-Length: 2\r\n\r\n{}", answer), 503);
	assert_non_null(strstr(answer, "\"retry\":\"later\""));
	assert_int_equal(gateway_rig_get(r, "/healthz", NULL, 0), 200);
	assert_int_equal(gateway_rig_get(r, "/readyz", NULL, 0), 503);
	assert_int_equal(kill(keeper, SIGCONT), 0);
	gateway_rig_wait_ready(r);
	assert_int_equal(exchange(r, HEAD "Content-Length: 2\r\n\r\n{}", answer), 401);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, gateway_rig_open, gateway_rig_close)
	const struct CMUnitTest tests[] = {
		TEST(every_refusal_is_a_problem_without_a_mac),
		TEST(a_head_over_its_limit_is_refused),
		TEST(an_overlong_body_still_gets_its_answer),
		TEST(a_connection_serves_request_after_request),
		TEST(a_body_may_come_in_pieces),
		TEST(slow_senders_are_cut_off),
		TEST(dribbling_does_not_buy_time),
		TEST(silent_connections_take_no_thread),
		TEST(an_address_that_only_fails_is_turned_away_at_the_door),
		TEST(operators_get_a_signed_nonce_and_strangers_nothing),
		TEST(without_a_keeper_the_front_says_so_in_time),
	};

	gateway_rig_role(argc, argv);
	log_init("test_front_wire");
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK ||
		tls_library_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
