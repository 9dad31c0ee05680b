#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/front.h"
#include "gateway/monitor_state.h"
#include "host/log.h"
#include "host/ready.h"

void monitor_announce(struct monitor *m)
{
	if (m->phase != MONITOR_STARTING)
		return;
	for (int i = 0; i < ROLE_COUNT; i++)
		if (!m->children[i].ready)
			return;
	m->phase = MONITOR_RUNNING;
	if (ready_line("ready name=%s devices=%s operators=%s metrics=%s", m->cfg->id,
		    m->addresses[0], m->addresses[1], m->addresses[2]) != CV_OK)
		log_warning("the ready line could not be written");
	if (ready_notify("READY=1") != CV_OK)
		log_warning("systemd could not be told that we are ready");
}

/* "LDEVICES OPERATORS METRICS" */
static void on_listening(struct monitor *m, const char *text)
{
	char addresses[3][CONFIG_ADDRESS_BUF];
	struct config_address parsed;

	if (sscanf(text, "%63s %63s %63s", addresses[0], addresses[1], addresses[2]) != 3)
		return;
	for (int i = 0; i < 3; i++)
		if (config_address_parse(&parsed, addresses[i]) != CV_OK)
			return;
	memcpy(m->addresses, addresses, sizeof(addresses));
	m->children[ROLE_FRONT].ready = true;
	if (m->children[ROLE_SELFTEST].process.pid == 0 &&
		monitor_spawn(m, ROLE_SELFTEST) != CV_OK)
		log_error("self-test: cannot be started");
}

static void on_text(struct monitor *m, enum role role, const char *text)
{
	if (role == ROLE_FRONT && text[0] == FRONT_LISTENING)
		on_listening(m, text + 1);
	if (role == ROLE_SENDER && text[0] == ROLE_SENDER_READY)
		m->children[role].ready = true;
}

static void on_keeper(struct monitor *m, const uint8_t *packet, size_t len)
{
	struct ipc_control control;

	if (ipc_control_decode(&control, packet, len) != CV_OK)
		log_error("keeper: a control message that is none");
	else if (control.type == IPC_READY)
		m->children[ROLE_KEEPER].ready = true;
}

void monitor_on_control(struct monitor *m, enum role role)
{
	struct monitor_child *child = &m->children[role];
	char packet[1024];

	for (;;) {
		ssize_t n = recv(child->control_fd, packet, sizeof(packet) - 1, MSG_DONTWAIT);

		if (n <= 0)
			break; /* its end is told by the process, not by the socket */
		packet[n] = '\0';
		if (role == ROLE_KEEPER)
			on_keeper(m, (const uint8_t *)packet, (size_t)n);
		else
			on_text(m, role, packet);
	}
	monitor_announce(m);
}
