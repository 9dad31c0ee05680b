#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/front.h"
#include "gateway/monitor_state.h"
#include "host/clock.h"
#include "host/log.h"
#include "host/ready.h"

#define KEEPER_DRAIN_MS 10000
#define SENDER_DRAIN_MS 6000
#define FRONT_GRACE_MS 3000

static bool gone(const struct monitor *m, enum role role)
{
	return m->children[role].process.pid == 0;
}

static void signal_child(struct monitor *m, enum role role, int signal_number)
{
	if (!gone(m, role))
		(void)!process_signal(&m->children[role].process, signal_number);
}

void monitor_kill_all(struct monitor *m)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		struct monitor_child *child = &m->children[i];
		int status;

		if (child->process.pid == 0)
			continue;
		(void)!process_signal(&child->process, SIGKILL);
		(void)!process_wait(&child->process, -1, &status);
	}
	m->phase = MONITOR_OVER;
}

static void drain_front(struct monitor *m, uint64_t now_ms)
{
	const char drain = FRONT_DRAIN;

	m->phase = MONITOR_DRAIN_FRONT;
	m->phase_until_ms = now_ms + m->cfg->front.request_timeout_ms +
		m->cfg->front.keeper_timeout_ms + FRONT_GRACE_MS;
	if (!gone(m, ROLE_FRONT) &&
		send(m->children[ROLE_FRONT].control_fd, &drain, 1, MSG_NOSIGNAL) != 1)
		signal_child(m, ROLE_FRONT, SIGTERM);
}

static void drain_keeper(struct monitor *m, uint64_t now_ms)
{
	const struct ipc_control control = { .type = IPC_DRAIN };
	uint8_t packet[64];
	size_t len = 0;
	enum cv_err err = ipc_control_encode(packet, sizeof(packet), &len, &control);

	m->phase = MONITOR_DRAIN_KEEPER;
	m->phase_until_ms = now_ms + KEEPER_DRAIN_MS;
	if (err == CV_OK && !gone(m, ROLE_KEEPER))
		err = ipc_send(m->children[ROLE_KEEPER].control_fd, packet, len, false);
	if (err != CV_OK)
		signal_child(m, ROLE_KEEPER, SIGTERM);
}

static void drain_sender(struct monitor *m, uint64_t now_ms)
{
	m->phase = MONITOR_DRAIN_SENDER;
	m->phase_until_ms = now_ms + SENDER_DRAIN_MS;
	signal_child(m, ROLE_SENDER, SIGTERM);
}

void monitor_stop(struct monitor *m, int exit_code)
{
	if (m->phase >= MONITOR_DRAIN_FRONT)
		return;
	m->exit_code = exit_code;
	(void)!ready_notify("STOPPING=1");
	signal_child(m, ROLE_SELFTEST, SIGKILL);
	drain_front(m, clock_monotonic_ms());
}

/* Overdue: the process that we wait for is ended, and the next look finds it gone. */
static bool wait_for(struct monitor *m, enum role role, uint64_t now_ms)
{
	if (gone(m, role))
		return true;
	if (now_ms >= m->phase_until_ms) {
		log_warning("%s: does not end in time: killed", role_name(role));
		signal_child(m, role, SIGKILL);
		m->phase_until_ms = now_ms + 1000;
	}
	return false;
}

void monitor_stop_step(struct monitor *m, uint64_t now_ms)
{
	if (m->phase == MONITOR_DRAIN_FRONT && wait_for(m, ROLE_FRONT, now_ms))
		drain_keeper(m, now_ms);
	if (m->phase == MONITOR_DRAIN_KEEPER && wait_for(m, ROLE_KEEPER, now_ms))
		drain_sender(m, now_ms);
	if (m->phase == MONITOR_DRAIN_SENDER && wait_for(m, ROLE_SENDER, now_ms) &&
		gone(m, ROLE_SELFTEST))
		m->phase = MONITOR_OVER;
}
