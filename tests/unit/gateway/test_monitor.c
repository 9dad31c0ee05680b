/*
 * The whole gateway: the monitor starts its roles from the running program, which here is this
 * test, so that main hands over when argv[0] names a role.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/monitor.h"
#include "gateway/monitor_role.h"
#include "gateway/tls.h"
#include "gateway/tls_selftest.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "tests/unit/gateway/gateway_rig.h"

static void assert_answers(struct gateway_rig *r)
{
	char why[TLS_WHY_MAX] = "";

	if (tls_selftest(&r->devices, r->fleet.root, TLS_FLEET, TLS_GATEWAY, why) != CV_OK)
		fail_msg("%s", why);
}

static void answers_once_it_says_ready(void **state)
{
	struct gateway_rig *r = *state;
	char body[32768];

	gateway_rig_start_ready(r);
	assert_answers(r);
	assert_int_equal(gateway_rig_get(r, "/healthz", NULL, 0), 200);
	assert_int_equal(gateway_rig_get(r, "/readyz", NULL, 0), 200);
	assert_int_equal(gateway_rig_get(r, "/nothing", NULL, 0), 404);
	assert_int_equal(gateway_rig_get(r, "/metrics", body, sizeof(body)), 200);
	assert_non_null(strstr(body, "\nconclave_keeper_up 1\n"));
	assert_non_null(strstr(body, "\nconclave_keeper_store_writable 1\n"));
	assert_non_null(strstr(body, "{listener=\"devices\",status=\"405\"} 4\n"));
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void each_role_is_a_process_of_its_own(void **state)
{
	struct gateway_rig *r = *state;
	const enum role roles[] = { ROLE_FRONT, ROLE_KEEPER, ROLE_SENDER };

	gateway_rig_start_ready(r);
	for (int i = 0; i < 3; i++)
		assert_true(gateway_rig_find(r, role_title(roles[i])) > 0);
	assert_int_equal(gateway_rig_find(r, role_title(ROLE_SELFTEST)), 0);
	assert_int_equal(gateway_rig_stop(r, SIGINT), EXIT_CODE_OK);
}

static void what_dies_is_started_again(void **state)
{
	static const struct {
		enum role role;
		const char *line;
	} cases[] = { { ROLE_KEEPER, "error: keeper: killed by SIGKILL" },
		{ ROLE_FRONT, "error: front: killed by SIGKILL" },
		{ ROLE_SENDER, "error: sender: killed by SIGKILL" } };
	struct gateway_rig *r = *state;

	gateway_rig_start_ready(r);
	for (int i = 0; i < 3; i++) {
		pid_t pid = gateway_rig_find(r, role_title(cases[i].role));

		assert_int_equal(kill(pid, SIGKILL), 0);
		gateway_rig_expect_line(r, cases[i].line);
		gateway_rig_wait_ready(r); /* at the ports that were announced */
	}
	assert_answers(r);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void a_reload_changes_what_it_can(void **state)
{
	struct gateway_rig *r = *state;

	gateway_rig_start_ready(r);
	gateway_rig_config(r, "[limits]\nqueue = 7\ndevice_burst = 9\n[log]\nlevel = info\n");
	assert_int_equal(kill(r->pid, SIGHUP), 0);
	gateway_rig_expect_line(r, "front: reloaded");
	gateway_rig_wait_ready(r);
	assert_answers(r);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void a_reload_with_a_mistake_changes_nothing(void **state)
{
	struct gateway_rig *r = *state;

	gateway_rig_start_ready(r);
	gateway_rig_config(r, "[limits]\nqueue = none\n");
	assert_int_equal(kill(r->pid, SIGHUP), 0);
	gateway_rig_expect_line(r, "gateway.ini:11: [limits] queue:");
	gateway_rig_expect_line(r, "the old configuration stays");
	assert_int_equal(gateway_rig_get(r, "/readyz", NULL, 0), 200);
	gateway_rig_config(r, "[limits]\nthreads = 5\n");
	assert_int_equal(kill(r->pid, SIGHUP), 0);
	gateway_rig_expect_line(r, "take effect at the next start");
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

/* A request over TLS that nobody has answered yet. */
static SSL *ask_over_tls(struct gateway_rig *r, SSL_CTX *ctx)
{
	static const char request[] =
		"POST /v1/nonce HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Length: 2\r\n\r\n{}";
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(r->devices.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(ctx);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	assert_int_equal(SSL_connect(ssl), 1);
	assert_int_equal(SSL_write(ssl, request, (int)strlen(request)), (int)strlen(request));
	return ssl;
}

static void wait_in_queue(struct gateway_rig *r)
{
	char body[32768];

	for (int i = 0; i < GATEWAY_RIG_TRIES; i++)
		if (gateway_rig_get(r, "/metrics", body, sizeof(body)) == 200 &&
			strstr(body, "\nconclave_front_requests_in_hand 1\n") != NULL)
			return;
	fail_msg("the request did not arrive");
}

static void a_drain_finishes_the_request_in_hand(void **state)
{
	struct gateway_rig *r = *state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char answer[1024] = "";
	pid_t keeper;
	SSL *ssl;

	gateway_rig_config(r, "[limits]\nkeeper_timeout = 30s\n");
	gateway_rig_start_ready(r);
	keeper = gateway_rig_find(r, role_title(ROLE_KEEPER));
	assert_int_equal(kill(keeper, SIGSTOP), 0);
	ssl = ask_over_tls(r, ctx);
	wait_in_queue(r);
	assert_int_equal(kill(r->pid, SIGTERM), 0);
	/* the listener closes, the request stays */
	for (int i = 0; gateway_rig_get(r, "/readyz", answer, sizeof(answer)) != 503 ||
		     strcmp(answer, "draining\n") != 0;
		i++)
		assert_true(i < GATEWAY_RIG_TRIES);
	assert_int_equal(kill(keeper, SIGCONT), 0);
	assert_true(SSL_read(ssl, answer, sizeof(answer) - 1) > 0);
	assert_non_null(strstr(answer, "HTTP/1.1 401 "));
	assert_non_null(strstr(answer, "Connection: close"));
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	assert_int_equal(gateway_rig_stop(r, 0), EXIT_CODE_OK);
}

static void nothing_is_left_behind(void **state)
{
	struct gateway_rig *r = *state;
	pid_t pids[3];

	gateway_rig_start_ready(r);
	for (int i = 0; i < 3; i++)
		pids[i] = gateway_rig_find(r, role_title((enum role)i));
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
	for (int i = 0; i < 3; i++)
		assert_true(kill(pids[i], 0) != 0 && errno == ESRCH);
}

static void the_roles_end_with_the_monitor(void **state)
{
	struct gateway_rig *r = *state;
	struct pollfd pfd;
	char byte;

	gateway_rig_start_ready(r);
	assert_int_equal(kill(r->pid, SIGKILL), 0);
	assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
	/* standard error closes when the last of them is gone */
	pfd = (struct pollfd){ .fd = fileno(r->err), .events = POLLIN };
	while (poll(&pfd, 1, GATEWAY_RIG_TRIES * 10) == 1 && read(pfd.fd, &byte, 1) == 1)
		;
	assert_true((pfd.revents & POLLHUP) != 0);
	fclose(r->out);
	fclose(r->err);
	r->pid = 0;
}

static void two_gateways_do_not_share_a_store(void **state)
{
	struct gateway_rig *r = *state, second;

	gateway_rig_start_ready(r);
	second = *r;
	gateway_rig_start(&second);
	assert_int_equal(gateway_rig_stop(&second, 0), EXIT_CODE_IN_USE);
	assert_int_equal(gateway_rig_get(r, "/readyz", NULL, 0), 200);
	assert_int_equal(gateway_rig_stop(r, SIGTERM), EXIT_CODE_OK);
}

static void an_address_in_use_is_told(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	struct gateway_rig *r = *state;
	char more[64];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(more, sizeof(more), "127.0.0.1:%d", ntohs(sin.sin_port));
	{
		char text[1024];
		int n = snprintf(text, sizeof(text),
			"[gateway]\nid = g1\nstate = %s\n[listen]\ndevices = %s\n"
			"operators = 127.0.0.1:0\nmetrics = 127.0.0.1:0\n"
			"[sandbox]\nmode = best-effort\n",
			r->fleet.state, more);

		assert_int_equal(file_write_atomic(r->config, text, (size_t)n, 0644), CV_OK);
	}
	gateway_rig_start(r);
	gateway_rig_expect_line(r, "front: devices listener: cannot start");
	assert_int_equal(gateway_rig_stop(r, 0), EXIT_CODE_IN_USE);
	close(fd);
}

static void a_certificate_for_another_key_is_no_start(void **state)
{
	struct gateway_rig *r = *state;
	EVP_PKEY *key = tls_fleet_key();
	struct tls_names names;
	char path[FILE_PATH_BUF], *pem;
	X509 *cert;

	tls_fleet_gateway_names(&names, TLS_GATEWAY);
	cert = tls_fleet_issue(&r->fleet, key, &names);
	pem = tls_fleet_pem(cert);
	snprintf(path, sizeof(path), "%s/front/tls.crt", r->fleet.state);
	assert_int_equal(file_write_atomic(path, pem, strlen(pem), 0644), CV_OK);
	gateway_rig_start(r);
	gateway_rig_expect_line(r, "front: certificate: the certificate is for another TLS key");
	assert_int_equal(gateway_rig_stop(r, 0), EXIT_CODE_CONFIG);
	free(pem);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void a_damaged_store_is_no_start(void **state)
{
	struct gateway_rig *r = *state;
	char path[FILE_PATH_BUF];

	snprintf(path, sizeof(path), "%s/keeper/store.key", r->fleet.state);
	assert_int_equal(
		file_write_atomic(path, "0123456789abcdef0123456789abcdef", 32, 0600), CV_OK);
	gateway_rig_start(r);
	gateway_rig_expect_line(r, "keeper");
	assert_int_equal(gateway_rig_stop(r, 0), EXIT_CODE_TAMPERED);
}

static void a_gateway_that_did_not_join_does_not_start(void **state)
{
	struct gateway_rig *r = *state;
	char path[FILE_PATH_BUF];

	snprintf(path, sizeof(path), "%s/gateway.json", r->fleet.state);
	assert_int_equal(
		file_write_atomic(path, "{\"v\":1,\"gateway\":\"g1\"}", 22, 0644), CV_OK);
	gateway_rig_start(r);
	gateway_rig_expect_line(r, "has not joined a fleet");
	assert_int_equal(gateway_rig_stop(r, 0), EXIT_CODE_CONFIG);
	assert_int_equal(
		file_write_atomic(path, "{\"v\":1,\"gateway\":\"g2\"}", 22, 0644), CV_OK);
	gateway_rig_start(r);
	gateway_rig_expect_line(r, "belongs to gateway g2, the configuration says g1");
	assert_int_equal(gateway_rig_stop(r, 0), EXIT_CODE_CONFIG);
}

static void a_wrong_configuration_is_code_3(void **state)
{
	struct gateway_rig *r = *state;

	gateway_rig_config(r, "[limits]\nthreads = 0\n");
	gateway_rig_start(r);
	gateway_rig_expect_line(r, "gateway.ini:11: [limits] threads:");
	assert_int_equal(gateway_rig_stop(r, 0), EXIT_CODE_CONFIG);
	assert_int_equal(monitor_check_config(r->config), EXIT_CODE_CONFIG);
	assert_int_equal(monitor_check_config("/no/such/file"), EXIT_CODE_CONFIG);
	gateway_rig_config(r, "");
	assert_int_equal(monitor_check_config(r->config), EXIT_CODE_OK);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, gateway_rig_open, gateway_rig_close)
	const struct CMUnitTest tests[] = {
		TEST(answers_once_it_says_ready),
		TEST(each_role_is_a_process_of_its_own),
		TEST(what_dies_is_started_again),
		TEST(a_reload_changes_what_it_can),
		TEST(a_reload_with_a_mistake_changes_nothing),
		TEST(a_drain_finishes_the_request_in_hand),
		TEST(nothing_is_left_behind),
		TEST(the_roles_end_with_the_monitor),
		TEST(two_gateways_do_not_share_a_store),
		TEST(an_address_in_use_is_told),
		TEST(a_certificate_for_another_key_is_no_start),
		TEST(a_damaged_store_is_no_start),
		TEST(a_gateway_that_did_not_join_does_not_start),
		TEST(a_wrong_configuration_is_code_3),
	};

	gateway_rig_role(argc, argv);
	log_init("test_monitor");
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK ||
		tls_library_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
