#include "tests/unit/gateway/gateway_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/monitor.h"
#include "gateway/monitor_role.h"
#include "host/file.h"
#include "host/log.h"

void gateway_rig_role(int argc, char **argv)
{
	int role = role_of_title(argv[0]);

	if (role >= 0)
		role_main((enum role)role, argc, argv);
}

void gateway_rig_config(struct gateway_rig *r, const char *more)
{
	char text[2048];
	int n = snprintf(text, sizeof(text),
		"[gateway]\nid = g1\nstate = %s\n[listen]\ndevices = 127.0.0.1:0\n"
		"operators = 127.0.0.1:0\nmetrics = 127.0.0.1:0\n[sandbox]\nmode = best-effort\n%s",
		r->fleet.state, more);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	assert_int_equal(file_write_atomic(r->config, text, (size_t)n, 0644), CV_OK);
}

int gateway_rig_open(void **state)
{
	struct gateway_rig *r = calloc(1, sizeof(*r));

	tls_fleet_open(&r->fleet);
	tls_fleet_join(&r->fleet);
	snprintf(r->config, sizeof(r->config), "%s/gateway.ini", r->fleet.dir);
	gateway_rig_config(r, "");
	*state = r;
	return 0;
}

void gateway_rig_start(struct gateway_rig *r)
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

void gateway_rig_start_ready(struct gateway_rig *r)
{
	char line[512], d[64], o[64], m[64];

	gateway_rig_start(r);
	assert_non_null(fgets(line, sizeof(line), r->out));
	assert_int_equal(sscanf(line, "ready name=g1 devices=%63s operators=%63s metrics=%63s", d, o,
				 m),
		3);
	assert_int_equal(config_address_parse(&r->devices, d), CV_OK);
	assert_int_equal(config_address_parse(&r->operators, o), CV_OK);
	assert_int_equal(config_address_parse(&r->metrics, m), CV_OK);
}

int gateway_rig_stop(struct gateway_rig *r, int signal_number)
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

int gateway_rig_close(void **state)
{
	struct gateway_rig *r = *state;

	if (r->pid != 0)
		(void)gateway_rig_stop(r, SIGKILL);
	tls_fleet_close(&r->fleet);
	free(r);
	return 0;
}

void gateway_rig_expect_line(struct gateway_rig *r, const char *part)
{
	char line[1024];

	do
		assert_non_null(fgets(line, sizeof(line), r->err));
	while (strstr(line, part) == NULL);
}

int gateway_rig_get(struct gateway_rig *r, const char *path, char *body, size_t cap)
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

void gateway_rig_wait_ready(struct gateway_rig *r)
{
	for (int i = 0; i < GATEWAY_RIG_TRIES; i++) {
		if (gateway_rig_get(r, "/readyz", NULL, 0) == 200)
			return;
		(void)poll(NULL, 0, 10);
	}
	fail_msg("the gateway did not come back");
}

pid_t gateway_rig_find(struct gateway_rig *r, const char *title)
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

