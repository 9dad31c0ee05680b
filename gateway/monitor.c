#include "gateway/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/monitor_state.h"
#include "gateway/user.h"
#include "host/clock.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "host/secret.h"
#include "notify/channel.h"

static void say(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "%s\n", line);
}

static enum cv_err read_config(struct gateway_config *cfg, const char *path, char **text,
	size_t *len, bool check_files)
{
	enum cv_err err = config_read_text(text, len, path);

	if (err != CV_OK) {
		fprintf(stderr, "%s: %s\n", path, cv_err_text(err));
		return CV_ERR_CONFIG;
	}
	return config_parse(cfg, path, *text, *len, check_files, say, NULL);
}

int monitor_check_config(const char *config_path)
{
	struct gateway_config *cfg = calloc(1, sizeof(*cfg));
	char *text = NULL;
	size_t len = 0;
	enum cv_err err = CV_ERR_MEMORY;

	if (cfg != NULL)
		err = read_config(cfg, config_path, &text, &len, true);
	if (err == CV_OK)
		printf("%s: ok: gateway %s\n", config_path, cfg->id);
	free(text);
	free(cfg);
	return err == CV_OK ? EXIT_CODE_OK : exit_code_of(CV_ERR_CONFIG);
}

/* The state must be this gateway's and joined to the fleet that the configuration names, if any. */
static enum cv_err check_pin(struct monitor *m)
{
	enum cv_err err = state_pin_read(&m->pin, m->cfg->state);

	if (err != CV_OK) {
		log_error("%s/%s: %s: run `conclave-gateway init` first", m->cfg->state, STATE_PIN,
			cv_err_text(err));
		return CV_ERR_CONFIG;
	}
	if (strcmp(m->pin.gateway, m->cfg->id) != 0) {
		log_error("%s: belongs to gateway %s, the configuration says %s", m->cfg->state,
			m->pin.gateway, m->cfg->id);
		return CV_ERR_CONFIG;
	}
	if (!m->pin.joined) {
		log_error("gateway %s has not joined a fleet: run `conclave-gateway install` with "
			  "the grant",
			m->cfg->id);
		return CV_ERR_CONFIG;
	}
	if (m->cfg->fleet[0] != '\0' && strcmp(m->cfg->fleet, m->pin.fleet) != 0) {
		log_error("gateway %s belongs to fleet %s, the configuration says %s", m->cfg->id,
			m->pin.fleet, m->cfg->fleet);
		return CV_ERR_CONFIG;
	}
	return CV_OK;
}

static enum cv_err check_users(const struct monitor *m)
{
	if (user_separation(m->cfg->state))
		return CV_OK;
	if (m->cfg->sandbox == SANDBOX_REQUIRE) {
		log_error("[sandbox] mode = require: needs root and the users " CONFIG_USER_FRONT
			  ", " CONFIG_USER_KEEPER ", " CONFIG_USER_SENDER
			  " (systemd-sysusers), or mode = best-effort");
		return CV_ERR_CONFIG;
	}
	log_warning("all processes run as one user, without capabilities: weaker than the "
		    "packaged service");
	return CV_OK;
}

static enum cv_err enter_sandbox(const struct monitor *m)
{
	const struct sandbox_spec spec = { .mode = m->cfg->sandbox, .profile = SANDBOX_MONITOR };
	enum cv_err err = sandbox_enter(&spec);

	if (err != CV_OK)
		log_error("sandbox: %s", sandbox_warning() != NULL ? sandbox_warning() :
			cv_err_text(err));
	else if (sandbox_warning() != NULL)
		log_warning("sandbox: weaker than asked for: %s", sandbox_warning());
	return err;
}

static enum cv_err open_descriptors(struct monitor *m, const char *text, size_t len)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0 };
	enum cv_err err = ipc_pair(m->ipc_fds);

	if (err == CV_OK)
		err = channel_pair(&m->alert_fds[0], &m->alert_fds[1]);
	if (err == CV_OK)
		err = process_signal_fd(&m->signal_fd, signals);
	m->config_fd = monitor_config_fd(text, len);
	if (err == CV_OK && m->config_fd < 0)
		err = CV_ERR_MEMORY;
	if (err != CV_OK)
		log_error("cannot start: %s", cv_err_text(err));
	return err;
}

static enum cv_err start_roles(struct monitor *m)
{
	static const enum role order[] = { ROLE_KEEPER, ROLE_SENDER, ROLE_FRONT };
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && err == CV_OK; i++) {
		err = monitor_spawn(m, order[i]);
		if (err != CV_OK)
			log_error("%s: cannot be started: %s", role_name(order[i]),
				cv_err_text(err));
	}
	return err;
}

static void on_signal(struct monitor *m)
{
	int signal_number;

	while ((signal_number = process_signal_read(m->signal_fd)) != 0) {
		if (signal_number == SIGHUP && m->phase == MONITOR_RUNNING)
			monitor_reload(m);
		if (signal_number != SIGTERM && signal_number != SIGINT)
			continue;
		if (m->phase >= MONITOR_DRAIN_FRONT)
			monitor_kill_all(m); /* asked twice */
		else
			monitor_stop(m, EXIT_CODE_OK);
	}
}

static void wait_events(struct monitor *m)
{
	struct pollfd fds[1 + 2 * ROLE_COUNT];
	nfds_t n = 0;

	fds[n++] = (struct pollfd){ .fd = m->signal_fd, .events = POLLIN };
	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct monitor_child *child = &m->children[i];

		/* poll skips negative numbers */
		fds[n++] = (struct pollfd){ .fd = child->control_fd, .events = POLLIN };
		fds[n++] = (struct pollfd){
			.fd = child->process.pid != 0 ? child->process.pidfd : -1, .events = POLLIN
		};
	}
	if (poll(fds, n, monitor_next_ms(m, clock_monotonic_ms())) < 0 && errno != EINTR)
		log_error("poll: %s", strerror(errno));
	if (fds[0].revents != 0)
		on_signal(m);
	for (int i = 0; i < ROLE_COUNT; i++)
		if (fds[1 + 2 * i].revents != 0 && m->children[i].control_fd >= 0)
			monitor_on_control(m, (enum role)i);
}

static int run_loop(struct monitor *m)
{
	while (m->phase != MONITOR_OVER) {
		uint64_t now_ms;

		wait_events(m);
		now_ms = clock_monotonic_ms();
		if (m->phase == MONITOR_OVER)
			break;
		monitor_reap(m, now_ms);
		if (m->phase < MONITOR_DRAIN_FRONT)
			monitor_start_due(m, now_ms);
		else
			monitor_stop_step(m, now_ms);
	}
	return m->exit_code;
}

static enum cv_err prepare(struct monitor *m)
{
	char *text = NULL;
	size_t len = 0;
	enum cv_err err = read_config(m->cfg, m->config_path, &text, &len, false);

	if (err == CV_OK) {
		log_set_level(m->cfg->log_level);
		err = check_pin(m);
	}
	if (err == CV_OK)
		err = check_users(m);
	if (err == CV_OK)
		err = open_descriptors(m, text, len);
	if (err == CV_OK)
		err = enter_sandbox(m);
	free(text);
	return err;
}

int monitor_run(const char *config_path)
{
	static char self[FILE_PATH_BUF];
	static struct monitor m;
	enum cv_err err = process_self_path(self, sizeof(self));
	int code;

	m.config_path = config_path;
	m.self = self;
	m.signal_fd = -1;
	m.config_fd = -1;
	for (int i = 0; i < ROLE_COUNT; i++)
		m.children[i].control_fd = -1;
	m.cfg = calloc(1, sizeof(*m.cfg));
	if (m.cfg == NULL)
		return EXIT_CODE_INTERNAL;
	if (err == CV_OK)
		err = prepare(&m);
	if (err == CV_OK)
		err = start_roles(&m);
	code = err == CV_OK ? run_loop(&m) : exit_code_of(err);
	monitor_kill_all(&m);
	free(m.cfg);
	return code;
}
