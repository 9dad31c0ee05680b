#include "gateway/front.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/front_conn.h"
#include "gateway/front_server.h"
#include "host/clock.h"
#include "host/exit_code.h"
#include "host/ini.h"
#include "host/log.h"
#include "host/process.h"

#define TICK_MS 100
#define DRAIN_GRACE_MS 1000

struct front_loop {
	struct front *front;
	const struct front_config *config;
	int signal_fd;
	bool draining;
	bool over;
	uint64_t drain_until_ms;
};

static enum cv_err enter_sandbox(const struct front_config *config)
{
	char dir[FILE_PATH_BUF];
	const struct sandbox_path paths[] = { { dir, false } };
	const struct sandbox_spec spec = {
		.mode = config->cfg->sandbox,
		.profile = SANDBOX_FRONT,
		.user = config->user,
		.paths = paths,
		.path_count = 1,
	};
	enum cv_err err = state_path(dir, config->cfg->state, STATE_FRONT);

	if (err == CV_OK)
		err = sandbox_enter(&spec);
	if (err != CV_OK)
		log_error("front: sandbox: %s", sandbox_warning() != NULL ? sandbox_warning() :
			cv_err_text(err));
	else if (sandbox_warning() != NULL)
		log_warning("front: sandbox: weaker than asked for: %s", sandbox_warning());
	return err;
}

static void apply_limits(struct front *f, const struct front_limits *l)
{
	atomic_store(&f->request_timeout_ms, f->cfg->front.request_timeout_ms);
	atomic_store(&f->keep_alive_ms, f->cfg->front.keep_alive_ms);
	atomic_store(&f->keeper_timeout_ms, l->keeper_timeout_ms);
	atomic_store(&f->requests_per_connection, l->requests_per_connection);
	front_budget_limits(&f->budget, l->failures_burst, l->failures_per_minute);
	front_pending_limit(f->pending, l->queue);
}

static enum cv_err open_front(struct front *f, const struct front_config *config)
{
	const struct front_limits *l = &config->cfg->front;
	char why[TLS_WHY_MAX] = "";
	enum cv_err err = tls_identity_open(&f->identity, config->cfg->state, config->pin->fleet,
		config->cfg->id, why);

	if (err != CV_OK) {
		log_error("front: certificate: %s", why);
		return CV_ERR_CONFIG;
	}
	f->cfg = config->cfg;
	f->fleet = config->pin->fleet;
	err = front_budget_init(&f->budget, l->failures_burst, l->failures_per_minute);
	/* a worker thread waits for one request at most: more slots than these are never used */
	if (err == CV_OK)
		err = front_pending_open(&f->pending, config->keeper_fd, l->queue,
			l->threads + l->operator_threads + 8);
	if (err != CV_OK) {
		log_error("front: cannot start: %s", cv_err_text(err));
		return err;
	}
	apply_limits(f, l);
	return front_server_start(f);
}

static enum cv_err send_control(const struct front_loop *loop, const char *text)
{
	ssize_t n = send(loop->config->control_fd, text, strlen(text), MSG_NOSIGNAL);

	return n == (ssize_t)strlen(text) ? CV_OK : CV_ERR_UNREACHABLE;
}

static void say_mistake(void *context, const char *line)
{
	(void)context;
	log_error("front: reload: %s", line);
}

static void reload(struct front_loop *loop, const char *text, size_t len)
{
	struct gateway_config *fresh = calloc(1, sizeof(*fresh));
	struct front *f = loop->front;
	char why[TLS_WHY_MAX] = "";

	if (fresh == NULL)
		return;
	if (config_parse(fresh, loop->config->config_name, text, len, false, say_mistake, NULL) ==
		CV_OK) {
		log_set_level(fresh->log_level);
		apply_limits(f, &fresh->front);
		if (tls_identity_load(&f->identity, f->cfg->state, why) == CV_OK)
			log_info("front: reloaded");
		else
			log_error("front: reload: certificate: %s: the old one stays", why);
	}
	free(fresh);
}

static void begin_drain(struct front_loop *loop)
{
	const struct front_limits *l = &loop->front->cfg->front;

	if (loop->draining)
		return;
	loop->draining = true;
	loop->drain_until_ms = clock_monotonic_ms() + l->request_timeout_ms +
		atomic_load(&loop->front->keeper_timeout_ms) + DRAIN_GRACE_MS;
	front_server_close_listeners(loop->front);
}

static void on_control(struct front_loop *loop)
{
	static char packet[INI_FILE_MAX + 2];
	ssize_t n = recv(loop->config->control_fd, packet, sizeof(packet) - 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop->over = true; /* the monitor is gone */
		return;
	}
	packet[n] = '\0';
	if (packet[0] == FRONT_DRAIN)
		begin_drain(loop);
	else if (packet[0] == FRONT_RELOAD)
		reload(loop, packet + 1, (size_t)n - 1);
}

static void tick(struct front_loop *loop)
{
	uint64_t now = clock_monotonic_ms();
	uint32_t open, busy, ended = front_conn_expire(now);

	if (ended > 0)
		atomic_fetch_add(&loop->front->expired, ended);
	if (!loop->draining)
		return;
	front_conn_count(&open, &busy);
	if (busy == 0 || now >= loop->drain_until_ms) {
		if (busy > 0)
			log_warning("front: drain: %u requests are cut off", busy);
		(void)!send_control(loop, (const char[]){ FRONT_DRAINED, '\0' });
		loop->over = true;
	}
}

static int run_loop(struct front_loop *loop)
{
	while (!loop->over) {
		struct pollfd fds[] = { { .fd = loop->config->control_fd, .events = POLLIN },
			{ .fd = loop->signal_fd, .events = POLLIN } };

		if (poll(fds, 2, TICK_MS) < 0 && errno != EINTR)
			return EXIT_CODE_INTERNAL;
		if (fds[0].revents != 0)
			on_control(loop);
		if (fds[1].revents != 0 && process_signal_read(loop->signal_fd) == SIGTERM)
			begin_drain(loop);
		tick(loop);
	}
	return EXIT_CODE_OK;
}

int front_run(const struct front_config *config)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT, 0 };
	static struct front front;
	struct front_loop loop = { .front = &front, .config = config, .signal_fd = -1 };
	char line[4 * CONFIG_ADDRESS_BUF];
	/* signals are blocked before the first thread starts: all inherit that */
	enum cv_err err = process_signal_fd(&loop.signal_fd, signals);

	if (err == CV_OK)
		err = tls_library_init();
	if (err == CV_OK)
		err = enter_sandbox(config);
	if (err == CV_OK)
		err = open_front(&front, config);
	if (err != CV_OK)
		return err == CV_ERR_BUSY ? EXIT_CODE_IN_USE : exit_code_of(err);
	snprintf(line, sizeof(line), "%c%s %s %s", FRONT_LISTENING, front.addresses[FRONT_DEVICES],
		front.addresses[FRONT_OPERATORS], front.addresses[FRONT_METRICS]);
	if (send_control(&loop, line) != CV_OK)
		return EXIT_CODE_INTERNAL;
	return run_loop(&loop);
}
