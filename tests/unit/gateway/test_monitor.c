/*
 * The whole gateway: the monitor starts its roles from the running program, which here is this
 * test, so that main hands over to role_main when argv[0] names a role.
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
#include "tests/unit/gateway/tls_fleet.h"

#define TRIES 3000 /* of 10 ms: far more than any machine needs */

struct rig {
	struct tls_fleet fleet;
	char config[TLS_FLEET_DIR_BUF + 16];
	pid_t pid;
	FILE *out, *err;
	struct config_address devices, operators, metrics;
};

static void write_config(struct rig *r, const char *more)
{
	char text[2048];
	int n = snprintf(text, sizeof(text),
		"[gateway]\nid = g1\nstate = %s\n[listen]\ndevices = 127.0.0.1:0\n"
		"operators = 127.0.0.1:0\nmetrics = 127.0.0.1:0\n[sandbox]\nmode = best-effort\n%s",
		r->fleet.state, more);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	assert_int_equal(file_write_atomic(r->config, text, (size_t)n, 0644), CV_OK);
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	tls_fleet_open(&r->fleet);
	tls_fleet_join(&r->fleet);
	snprintf(r->config, sizeof(r->config), "%s/gateway.ini", r->fleet.dir);
	write_config(r, "");
	*state = r;
	return 0;
}

static void start(struct rig *r)
{
	int out[2], err[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	fflush(stdout);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		dup2(out[1], 1);
		dup2(err[1], 2);
		log_init("conclave-gateway");
		_exit(monitor_run(r->config));
	}
	close(out[1]);
	close(err[1]);
	r->out = fdopen(out[0], "r");
	r->err = fdopen(err[0], "r");
	assert_non_null(r->out);
	assert_non_null(r->err);
}

static void start_ready(struct rig *r)
{
	char line[512], d[64], o[64], m[64];

	start(r);
	assert_non_null(fgets(line, sizeof(line), r->out));
	assert_int_equal(sscanf(line, "ready name=g1 devices=%63s operators=%63s metrics=%63s", d, o,
				 m),
		3);
	assert_int_equal(config_address_parse(&r->devices, d), CV_OK);
	assert_int_equal(config_address_parse(&r->operators, o), CV_OK);
	assert_int_equal(config_address_parse(&r->metrics, m), CV_OK);
}

static int stop(struct rig *r, int signal_number)
{
	int status = 0;

	if (signal_number != 0)
		assert_int_equal(kill(r->pid, signal_number), 0);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	r->pid = 0;
	fclose(r->out);
	fclose(r->err);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	if (r->pid != 0)
		(void)stop(r, SIGKILL);
	tls_fleet_close(&r->fleet);
	free(r);
	return 0;
}

/* The line is the next but `others` before it. */
static void expect_line(struct rig *r, const char *part)
{
	char line[1024];

	do
		assert_non_null(fgets(line, sizeof(line), r->err));
	while (strstr(line, part) == NULL);
}

/* The status of GET `path` on the plain listener; 0 if nobody answers. */
static int get(struct rig *r, const char *path, char *body, size_t cap)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(r->metrics.port) };
	char text[32768], *end;
	size_t len = 0;
	ssize_t n = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0) {
		n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
		assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
		while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
			len += (size_t)n;
	}
	close(fd);
	text[len] = '\0';
	end = strstr(text, "\r\n\r\n");
	if (end == NULL || sscanf(text, "HTTP/1.1 %d", &status) != 1)
		return 0;
	if (body != NULL)
		snprintf(body, cap, "%s", end + 4);
	return status;
}

static void wait_ready(struct rig *r)
{
	for (int i = 0; i < TRIES; i++) {
		if (get(r, "/readyz", NULL, 0) == 200)
			return;
		(void)poll(NULL, 0, 10);
	}
	fail_msg("the gateway did not come back");
}

static pid_t find_role(struct rig *r, const char *title)
{
	char path[64], children[512] = "", name[256];
	char *next = children, *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", r->pid, r->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	if (fgets(children, sizeof(children), f) == NULL)
		children[0] = '\0';
	fclose(f);
	for (long pid; (pid = strtol(next, &end, 10)) > 0; next = end) {
		snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fgets(name, sizeof(name), f) != NULL && strcmp(name, title) == 0) {
			fclose(f);
			return (pid_t)pid;
		}
		fclose(f);
	}
	return 0;
}

static void assert_answers(struct rig *r)
{
	char why[TLS_WHY_MAX] = "";

	if (tls_selftest(&r->devices, r->fleet.root, TLS_FLEET, TLS_GATEWAY, why) != CV_OK)
		fail_msg("%s", why);
}

static void answers_once_it_says_ready(void **state)
{
	struct rig *r = *state;
	char body[32768];

	start_ready(r);
	assert_answers(r);
	assert_int_equal(get(r, "/healthz", NULL, 0), 200);
	assert_int_equal(get(r, "/readyz", NULL, 0), 200);
	assert_int_equal(get(r, "/nothing", NULL, 0), 404);
	assert_int_equal(get(r, "/metrics", body, sizeof(body)), 200);
	assert_non_null(strstr(body, "\nconclave_keeper_up 1\n"));
	assert_non_null(strstr(body, "\nconclave_keeper_store_writable 1\n"));
	assert_non_null(strstr(body, "{listener=\"devices\",status=\"405\"} 4\n"));
	assert_int_equal(stop(r, SIGTERM), EXIT_CODE_OK);
}

static void each_role_is_a_process_of_its_own(void **state)
{
	struct rig *r = *state;
	const enum role roles[] = { ROLE_FRONT, ROLE_KEEPER, ROLE_SENDER };

	start_ready(r);
	for (int i = 0; i < 3; i++)
		assert_true(find_role(r, role_title(roles[i])) > 0);
	assert_int_equal(find_role(r, role_title(ROLE_SELFTEST)), 0);
	assert_int_equal(stop(r, SIGINT), EXIT_CODE_OK);
}

static void what_dies_is_started_again(void **state)
{
	static const struct {
		enum role role;
		const char *line;
	} cases[] = { { ROLE_KEEPER, "error: keeper: killed by SIGKILL" },
		{ ROLE_FRONT, "error: front: killed by SIGKILL" },
		{ ROLE_SENDER, "error: sender: killed by SIGKILL" } };
	struct rig *r = *state;

	start_ready(r);
	for (int i = 0; i < 3; i++) {
		pid_t pid = find_role(r, role_title(cases[i].role));

		assert_int_equal(kill(pid, SIGKILL), 0);
		expect_line(r, cases[i].line);
		wait_ready(r); /* at the ports that were announced */
	}
	assert_answers(r);
	assert_int_equal(stop(r, SIGTERM), EXIT_CODE_OK);
}

static void a_reload_changes_what_it_can(void **state)
{
	struct rig *r = *state;

	start_ready(r);
	write_config(r, "[limits]\nqueue = 7\ndevice_burst = 9\n[log]\nlevel = info\n");
	assert_int_equal(kill(r->pid, SIGHUP), 0);
	expect_line(r, "front: reloaded");
	wait_ready(r);
	assert_answers(r);
	assert_int_equal(stop(r, SIGTERM), EXIT_CODE_OK);
}

static void a_reload_with_a_mistake_changes_nothing(void **state)
{
	struct rig *r = *state;

	start_ready(r);
	write_config(r, "[limits]\nqueue = none\n");
	assert_int_equal(kill(r->pid, SIGHUP), 0);
	expect_line(r, "gateway.ini:11: [limits] queue:");
	expect_line(r, "the old configuration stays");
	assert_int_equal(get(r, "/readyz", NULL, 0), 200);
	write_config(r, "[limits]\nthreads = 5\n");
	assert_int_equal(kill(r->pid, SIGHUP), 0);
	expect_line(r, "take effect at the next start");
	assert_int_equal(stop(r, SIGTERM), EXIT_CODE_OK);
}

/* A request over TLS that nobody has answered yet. */
static SSL *ask_over_tls(struct rig *r, SSL_CTX *ctx)
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

static void wait_in_queue(struct rig *r)
{
	char body[32768];

	for (int i = 0; i < TRIES; i++)
		if (get(r, "/metrics", body, sizeof(body)) == 200 &&
			strstr(body, "\nconclave_front_requests_in_hand 1\n") != NULL)
			return;
	fail_msg("the request did not arrive");
}

static void a_drain_finishes_the_request_in_hand(void **state)
{
	struct rig *r = *state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char answer[1024] = "";
	pid_t keeper;
	SSL *ssl;

	write_config(r, "[limits]\nkeeper_timeout = 30s\n");
	start_ready(r);
	keeper = find_role(r, role_title(ROLE_KEEPER));
	assert_int_equal(kill(keeper, SIGSTOP), 0);
	ssl = ask_over_tls(r, ctx);
	wait_in_queue(r);
	assert_int_equal(kill(r->pid, SIGTERM), 0);
	/* the listener closes, the request stays */
	for (int i = 0; get(r, "/readyz", answer, sizeof(answer)) != 503 ||
		     strcmp(answer, "draining\n") != 0;
		i++)
		assert_true(i < TRIES);
	assert_int_equal(kill(keeper, SIGCONT), 0);
	assert_true(SSL_read(ssl, answer, sizeof(answer) - 1) > 0);
	assert_non_null(strstr(answer, "HTTP/1.1 401 "));
	assert_non_null(strstr(answer, "Connection: close"));
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	assert_int_equal(stop(r, 0), EXIT_CODE_OK);
}

static void nothing_is_left_behind(void **state)
{
	struct rig *r = *state;
	pid_t pids[3];

	start_ready(r);
	for (int i = 0; i < 3; i++)
		pids[i] = find_role(r, role_title((enum role)i));
	assert_int_equal(stop(r, SIGTERM), EXIT_CODE_OK);
	for (int i = 0; i < 3; i++)
		assert_true(kill(pids[i], 0) != 0 && errno == ESRCH);
}

static void the_roles_end_with_the_monitor(void **state)
{
	struct rig *r = *state;
	struct pollfd pfd;
	char byte;

	start_ready(r);
	assert_int_equal(kill(r->pid, SIGKILL), 0);
	assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
	/* standard error closes when the last of them is gone */
	pfd = (struct pollfd){ .fd = fileno(r->err), .events = POLLIN };
	while (poll(&pfd, 1, TRIES * 10) == 1 && read(pfd.fd, &byte, 1) == 1)
		;
	assert_true((pfd.revents & POLLHUP) != 0);
	fclose(r->out);
	fclose(r->err);
	r->pid = 0;
}

static void two_gateways_do_not_share_a_store(void **state)
{
	struct rig *r = *state, second;

	start_ready(r);
	second = *r;
	start(&second);
	assert_int_equal(stop(&second, 0), EXIT_CODE_IN_USE);
	assert_int_equal(get(r, "/readyz", NULL, 0), 200);
	assert_int_equal(stop(r, SIGTERM), EXIT_CODE_OK);
}

static void an_address_in_use_is_told(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	struct rig *r = *state;
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
	start(r);
	expect_line(r, "front: devices listener: cannot start");
	assert_int_equal(stop(r, 0), EXIT_CODE_IN_USE);
	close(fd);
}

static void a_certificate_for_another_key_is_no_start(void **state)
{
	struct rig *r = *state;
	EVP_PKEY *key = tls_fleet_key();
	struct tls_names names;
	char path[FILE_PATH_BUF], *pem;
	X509 *cert;

	tls_fleet_gateway_names(&names, TLS_GATEWAY);
	cert = tls_fleet_issue(&r->fleet, key, &names);
	pem = tls_fleet_pem(cert);
	snprintf(path, sizeof(path), "%s/front/tls.crt", r->fleet.state);
	assert_int_equal(file_write_atomic(path, pem, strlen(pem), 0644), CV_OK);
	start(r);
	expect_line(r, "front: certificate: the certificate is for another TLS key");
	assert_int_equal(stop(r, 0), EXIT_CODE_CONFIG);
	free(pem);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void a_damaged_store_is_no_start(void **state)
{
	struct rig *r = *state;
	char path[FILE_PATH_BUF];

	snprintf(path, sizeof(path), "%s/keeper/store.key", r->fleet.state);
	assert_int_equal(
		file_write_atomic(path, "0123456789abcdef0123456789abcdef", 32, 0600), CV_OK);
	start(r);
	expect_line(r, "keeper");
	assert_int_equal(stop(r, 0), EXIT_CODE_TAMPERED);
}

static void a_gateway_that_did_not_join_does_not_start(void **state)
{
	struct rig *r = *state;
	char path[FILE_PATH_BUF];

	snprintf(path, sizeof(path), "%s/gateway.json", r->fleet.state);
	assert_int_equal(
		file_write_atomic(path, "{\"v\":1,\"gateway\":\"g1\"}", 22, 0644), CV_OK);
	start(r);
	expect_line(r, "has not joined a fleet");
	assert_int_equal(stop(r, 0), EXIT_CODE_CONFIG);
	assert_int_equal(
		file_write_atomic(path, "{\"v\":1,\"gateway\":\"g2\"}", 22, 0644), CV_OK);
	start(r);
	expect_line(r, "belongs to gateway g2, the configuration says g1");
	assert_int_equal(stop(r, 0), EXIT_CODE_CONFIG);
}

static void a_wrong_configuration_is_code_3(void **state)
{
	struct rig *r = *state;

	write_config(r, "[limits]\nthreads = 0\n");
	start(r);
	expect_line(r, "gateway.ini:11: [limits] threads:");
	assert_int_equal(stop(r, 0), EXIT_CODE_CONFIG);
	assert_int_equal(monitor_check_config(r->config), EXIT_CODE_CONFIG);
	assert_int_equal(monitor_check_config("/no/such/file"), EXIT_CODE_CONFIG);
	write_config(r, "");
	assert_int_equal(monitor_check_config(r->config), EXIT_CODE_OK);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
	int role = role_of_title(argv[0]);

	if (role >= 0)
		role_main((enum role)role, argc, argv);
	log_init("test_monitor");
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK ||
		tls_library_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
