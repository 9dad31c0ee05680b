/* Running the programs of the demo, and reading what they said. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/log.h"
#include "provisioning/demo_stage.h"

#define ARGS_MAX 48
#define SLICE_MS 200
#define READY_MS 20000
#define LOG_TAIL 1500
#define COMMAND_MS 60000

/* Waits in slices, so that ^C is noticed. */
static enum cv_err wait_for(struct process *p, int timeout_ms, int *status)
{
	uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
	enum cv_err err;

	do
		err = process_wait(p, SLICE_MS, status);
	while (err == CV_ERR_TIMEOUT && !demo_stopped() && clock_monotonic_ms() < until);
	if (err != CV_ERR_TIMEOUT)
		return err;
	if (process_signal(p, SIGTERM) == CV_OK &&
		process_wait(p, SLICE_MS * 20, status) == CV_ERR_TIMEOUT &&
		process_signal(p, SIGKILL) == CV_OK)
		err = process_wait(p, SLICE_MS * 20, status);
	return CV_ERR_TIMEOUT;
}

static enum cv_err spawn(struct demo_stage *s, const struct demo_command *command, int out_fd,
	bool daemon, struct process *p)
{
	char *argv[ARGS_MAX];
	struct process_fd fds[5] = {{s->log_fd, 2}, {out_fd, 1}};
	struct process_spec spec = {.path = command->program, .argv = argv, .fds = fds,
		.fd_count = 2, .die_with_parent = daemon, .new_session = daemon};
	size_t n = 0;

	argv[n++] = (char *)command->program;
	for (; command->args[n - 1] != NULL && n < ARGS_MAX - 1; n++)
		argv[n] = (char *)command->args[n - 1];
	argv[n] = NULL;
	if (command->secret_in >= 0)
		fds[spec.fd_count++] = (struct process_fd){command->secret_in, 3};
	for (int i = 0; i < 2; i++)
		if (command->secret_out[i] >= 0)
			fds[spec.fd_count++] = (struct process_fd){command->secret_out[i], 4 + i};
	return process_spawn(p, &spec);
}

enum cv_err demo_run(struct demo_stage *s, const struct demo_command *command, int *code)
{
	struct process p = {.pid = 0, .pidfd = -1};
	char text[PROCESS_STATUS_BUF];
	int status = 0;
	enum cv_err err;

	if (demo_stopped())
		return CV_ERR_TIMEOUT;
	err = spawn(s, command, s->log_fd, false, &p);
	if (err != CV_OK) {
		log_error("demo: %s: %s", command->program, cv_err_text(err));
		return err;
	}
	err = wait_for(&p, command->timeout_ms, &status);
	if (err != CV_OK) {
		log_error("demo: %s %s: %s", command->program, command->args[0],
			demo_stopped() ? "stopped" : "took too long");
		return err;
	}
	if (!WIFEXITED(status)) {
		log_error("demo: %s %s: %s", command->program, command->args[0],
			process_status_text(text, status));
		return CV_ERR_INTERNAL;
	}
	*code = WEXITSTATUS(status);
	return CV_OK;
}

static void show_log_tail(const struct demo_stage *s)
{
	char path[FILE_PATH_BUF], tail[LOG_TAIL + 1];
	FILE *f;
	size_t n;

	if (demo_path(s, path, "log") != CV_OK || (f = fopen(path, "re")) == NULL)
		return;
	if (fseek(f, -LOG_TAIL, SEEK_END) != 0)
		rewind(f);
	n = fread(tail, 1, LOG_TAIL, f);
	tail[n] = '\0';
	fclose(f);
	fprintf(stderr, "--- the end of the log\n%s---\n", tail);
}

enum cv_err demo_expect(struct demo_stage *s, const struct demo_command *command, int wanted)
{
	int code = -1;
	enum cv_err err = demo_run(s, command, &code);

	if (err == CV_OK && code == wanted)
		return CV_OK;
	if (err == CV_OK) {
		log_error("demo: %s %s: exit code %d where %d was expected", command->program,
			command->args[0], code, wanted);
		err = code == 30 ? CV_ERR_FUSE : CV_ERR_INTERNAL;
	}
	if (!demo_stopped())
		show_log_tail(s);
	return err;
}

enum cv_err demo_do(struct demo_stage *s, const char *program, const char *const *args)
{
	struct demo_command command = {.program = program, .args = args, .secret_in = -1,
		.secret_out = {-1, -1}, .timeout_ms = COMMAND_MS};

	return demo_expect(s, &command, 0);
}

/* The value after " KEY=" in the ready line. */
static enum cv_err ready_value(const char *line, const char *key, char out[DEMO_ADDRESS_BUF])
{
	const char *at = strstr(line, key);
	size_t len;

	if (at == NULL)
		return CV_ERR_FORMAT;
	at += strlen(key);
	len = strcspn(at, " \n");
	if (len == 0 || len >= DEMO_ADDRESS_BUF)
		return CV_ERR_FORMAT;
	memcpy(out, at, len);
	out[len] = '\0';
	return CV_OK;
}

/* Up to the first newline, within READY_MS. */
static enum cv_err read_line(int fd, char *line, size_t cap)
{
	uint64_t until = clock_monotonic_ms() + READY_MS;
	size_t len = 0;

	while (clock_monotonic_ms() < until && !demo_stopped()) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, SLICE_MS) <= 0)
			continue;
		n = read(fd, line + len, cap - 1 - len);
		if (n <= 0)
			return CV_ERR_IO;
		len += (size_t)n;
		line[len] = '\0';
		if (strchr(line, '\n') != NULL)
			return CV_OK;
		if (len == cap - 1)
			return CV_ERR_TOO_LONG;
	}
	return CV_ERR_TIMEOUT;
}

static enum cv_err write_config(
	const struct demo_stage *s, const struct demo_gateway *g, char config[FILE_PATH_BUF])
{
	char text[FILE_PATH_BUF + 512], name[32];
	int n;
	enum cv_err err;

	snprintf(name, sizeof(name), "%s.ini", g->id);
	err = demo_path(s, config, name);
	if (err != CV_OK)
		return err;
	n = snprintf(text, sizeof(text),
		"[gateway]\nid = %s\nstate = %s/%s\n\n[listen]\ndevices = %s\noperators = %s\n"
		"metrics = 127.0.0.1:0\n\n[store]\nreserve_records = 1000\n\n"
		"[sandbox]\nmode = best-effort\n",
		g->id, s->dir, g->id, g->devices, g->operators);
	return n > 0 && (size_t)n < sizeof(text) ? file_write_atomic(config, text, (size_t)n, 0600)
						 : CV_ERR_TOO_LONG;
}

enum cv_err demo_gateway_start(struct demo_stage *s, struct demo_gateway *g)
{
	char config[FILE_PATH_BUF], line[512];
	const char *const args[] = {"run", "--config", config, NULL};
	struct demo_command command = {
		.program = s->gateway, .args = args, .secret_in = -1, .secret_out = {-1, -1}};
	int out[2] = {-1, -1};
	enum cv_err err = write_config(s, g, config);

	if (err == CV_OK && pipe2(out, O_CLOEXEC) != 0)
		err = file_error(errno);
	if (err == CV_OK)
		err = spawn(s, &command, out[1], true, &g->process);
	if (out[1] >= 0)
		close(out[1]);
	if (err == CV_OK)
		err = read_line(out[0], line, sizeof(line));
	if (out[0] >= 0)
		close(out[0]);
	if (err == CV_OK)
		err = ready_value(line, " devices=", g->devices);
	if (err == CV_OK)
		err = ready_value(line, " operators=", g->operators);
	if (err != CV_OK && !demo_stopped()) {
		log_error("demo: gateway %s did not start: %s", g->id, cv_err_text(err));
		show_log_tail(s);
	}
	return err;
}

enum cv_err demo_gateway_stop(struct demo_stage *s, struct demo_gateway *g)
{
	int status = 0;
	enum cv_err err = process_signal(&g->process, SIGTERM);

	if (err == CV_OK)
		err = wait_for(&g->process, READY_MS, &status);
	if (err == CV_OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		err = CV_ERR_INTERNAL;
	if (err != CV_OK && !demo_stopped()) {
		log_error("demo: gateway %s did not end well", g->id);
		show_log_tail(s);
	}
	return err;
}

enum cv_err demo_find_word(const struct demo_stage *s, const char *file, const char *word,
	char *out, size_t cap)
{
	char path[FILE_PATH_BUF];
	uint8_t *text = NULL;
	size_t len = 0, n;
	const char *at, *last = NULL;
	enum cv_err err = demo_path(s, path, file);

	if (err == CV_OK)
		err = file_read(&text, &len, path, (size_t)1 << 24);
	if (err != CV_OK)
		return err;
	for (at = (const char *)text; (at = strstr(at, word)) != NULL; at += strlen(word))
		last = at + strlen(word);
	err = CV_ERR_NOT_FOUND;
	if (last != NULL) {
		n = strcspn(last, " \n");
		if (n > 0 && n < cap) {
			memcpy(out, last, n);
			out[n] = '\0';
			err = CV_OK;
		}
	}
	free(text);
	return err;
}
