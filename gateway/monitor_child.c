#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/monitor_state.h"
#include "host/clock.h"
#include "host/exit_code.h"
#include "host/log.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000
#define STABLE_MS 30000 /* ran so long: its next death starts the back-off anew */

static enum cv_err control_pair(enum role role, int fds[2])
{
	const int room = 2 * 65536 + 4096; /* a whole configuration in one packet */

	if (role == ROLE_KEEPER)
		return ipc_pair(fds);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return CV_ERR_IO;
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return CV_OK;
}

static size_t role_descriptors(
	const struct monitor *m, enum role role, int control, struct process_fd fds[4])
{
	size_t n = 0;

	fds[n++] = (struct process_fd){ m->config_fd, ROLE_FD_CONFIG };
	fds[n++] = (struct process_fd){ control, ROLE_FD_CONTROL };
	if (role == ROLE_FRONT)
		fds[n++] = (struct process_fd){ m->ipc_fds[0], ROLE_FD_WORK };
	if (role == ROLE_KEEPER) {
		fds[n++] = (struct process_fd){ m->ipc_fds[1], ROLE_FD_WORK };
		fds[n++] = (struct process_fd){ m->alert_fds[0], ROLE_FD_ALERTS };
	}
	if (role == ROLE_SENDER)
		fds[n++] = (struct process_fd){ m->alert_fds[1], ROLE_FD_WORK };
	return n;
}

enum cv_err monitor_spawn(struct monitor *m, enum role role)
{
	struct monitor_child *child = &m->children[role];
	const struct config_address *a[] = { &m->cfg->devices, &m->cfg->operators,
		&m->cfg->metrics };
	const char *argv[6] = { role_title(role), m->config_path };
	struct process_fd fds[4];
	struct process_spec spec = {
		.path = m->self,
		.argv = (char *const *)argv,
		.fds = fds,
		.die_with_parent = true,
		.new_session = true, /* Ctrl-C is for us: we drain in order */
	};
	int control[2];
	enum cv_err err = control_pair(role, control);

	if (err != CV_OK)
		return err;
	if (role == ROLE_SELFTEST)
		argv[2] = m->addresses[0];
	for (int i = 0; i < 3 && role == ROLE_FRONT; i++)
		argv[i + 2] = m->addresses[i][0] != '\0' ? m->addresses[i] : a[i]->text;
	spec.fd_count = role_descriptors(m, role, control[1], fds);
	err = process_spawn(&child->process, &spec);
	close(control[1]);
	if (err != CV_OK) {
		close(control[0]);
		return err;
	}
	child->control_fd = control[0];
	child->ready = false;
	child->expected = false;
	child->started_ms = clock_monotonic_ms();
	child->start_at_ms = 0;
	return CV_OK;
}

void monitor_start_due(struct monitor *m, uint64_t now_ms)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		struct monitor_child *child = &m->children[i];

		if (child->process.pid != 0 || child->start_at_ms == 0 ||
			child->start_at_ms > now_ms)
			continue;
		if (monitor_spawn(m, (enum role)i) != CV_OK) {
			log_error("%s: cannot be started", role_name((enum role)i));
			child->start_at_ms = now_ms + BACKOFF_MAX_MS;
		}
	}
}

int monitor_next_ms(const struct monitor *m, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct monitor_child *child = &m->children[i];

		if (child->process.pid == 0 && child->start_at_ms != 0 && child->start_at_ms < next)
			next = child->start_at_ms;
	}
	if (m->phase >= MONITOR_DRAIN_FRONT && m->phase_until_ms < next)
		next = m->phase_until_ms;
	if (next == UINT64_MAX)
		return -1;
	return next <= now_ms ? 0 : (int)(next - now_ms);
}

/* The code that a failed start ends the gateway with. */
static int code_of(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	return EXIT_CODE_INTERNAL;
}

static void explain(enum role role, bool testing, int status)
{
	char text[PROCESS_STATUS_BUF];

	process_status_text(text, status);
	if (role == ROLE_FRONT && testing && WIFSIGNALED(status))
		log_error("front: %s in its TLS self-test: the CivetWeb library and OpenSSL do not "
			  "fit each other: build it with deploy/civetweb.sh",
			text);
	else
		log_error("%s: %s", role_name(role), text);
}

static void restart_later(struct monitor_child *child, uint64_t now_ms)
{
	if (child->expected || now_ms - child->started_ms >= STABLE_MS)
		child->backoff_ms = 0;
	child->start_at_ms = now_ms + (child->expected ? 0 : child->backoff_ms);
	if (child->start_at_ms == 0)
		child->start_at_ms = 1;
	child->backoff_ms = child->backoff_ms == 0 ? BACKOFF_MIN_MS : child->backoff_ms * 2;
	if (child->backoff_ms > BACKOFF_MAX_MS)
		child->backoff_ms = BACKOFF_MAX_MS;
}

static void on_selftest_end(struct monitor *m, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		m->children[ROLE_SELFTEST].ready = true;
		monitor_announce(m);
		return;
	}
	/* a front that died of it says more */
	monitor_reap(m, clock_monotonic_ms());
	if (m->phase == MONITOR_STARTING) {
		explain(ROLE_SELFTEST, true, status);
		monitor_stop(m, EXIT_CODE_INTERNAL);
	} else if (m->phase == MONITOR_RUNNING) {
		log_error("self-test: failed after a restart of the front");
	}
}

static void on_end(struct monitor *m, enum role role, int status, uint64_t now_ms)
{
	struct monitor_child *child = &m->children[role];
	bool testing = m->children[ROLE_SELFTEST].process.pid != 0 ||
		(child->ready && m->phase == MONITOR_STARTING);

	if (child->control_fd >= 0)
		close(child->control_fd);
	child->control_fd = -1;
	if (role == ROLE_SELFTEST) {
		on_selftest_end(m, status);
		return;
	}
	child->ready = false;
	if (m->phase >= MONITOR_DRAIN_FRONT)
		return; /* monitor_stop_step looks at who is left */
	if (!child->expected)
		explain(role, testing, status);
	if (m->phase == MONITOR_STARTING) {
		monitor_stop(m, code_of(status));
		return;
	}
	restart_later(child, now_ms);
}

void monitor_reap(struct monitor *m, uint64_t now_ms)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		struct monitor_child *child = &m->children[i];
		int status;

		if (child->process.pid != 0 &&
			process_wait(&child->process, 0, &status) == CV_OK) {
			/* what it said last counts: the keeper's "drained", say */
			if (child->control_fd >= 0)
				monitor_on_control(m, (enum role)i);
			on_end(m, (enum role)i, status, now_ms);
		}
	}
}
