#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/front.h"
#include "gateway/monitor_state.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/log.h"
#include "host/ready.h"

int monitor_config_fd(const char *text, size_t len)
{
	int fd = memfd_create("gateway.ini", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (file_write_descriptor(fd, text, len) == CV_OK &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return fd;
	close(fd);
	return -1;
}

static void say(void *context, const char *line)
{
	(void)context;
	log_error("%s", line);
}

static bool same_address(const struct config_address *a, const struct config_address *b)
{
	return strcmp(a->text, b->text) == 0;
}

/* What a running gateway cannot change is said, and stays. */
static void say_restart(const struct gateway_config *old, const struct gateway_config *new)
{
	if (!same_address(&old->devices, &new->devices) ||
		!same_address(&old->operators, &new->operators) ||
		!same_address(&old->metrics, &new->metrics))
		log_warning("reload: [listen] takes effect at the next start");
	if (old->front.threads != new->front.threads ||
		old->front.operator_threads != new->front.operator_threads ||
		old->front.request_timeout_ms != new->front.request_timeout_ms ||
		old->front.keep_alive_ms != new->front.keep_alive_ms)
		log_warning("reload: [limits] threads, operator_threads, request_timeout and "
			    "keep_alive take effect at the next start");
	if (old->sandbox != new->sandbox)
		log_warning("reload: [sandbox] takes effect at the next start");
}

static enum cv_err tell_front(struct monitor *m, const char *text, size_t len)
{
	char *packet = malloc(len + 1);
	ssize_t n;

	if (packet == NULL)
		return CV_ERR_MEMORY;
	packet[0] = FRONT_RELOAD;
	memcpy(packet + 1, text, len);
	n = send(m->children[ROLE_FRONT].control_fd, packet, len + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(packet);
	return n == (ssize_t)len + 1 ? CV_OK : CV_ERR_IO;
}

static enum cv_err tell_keeper(struct monitor *m, const struct gateway_config *cfg)
{
	const struct ipc_control control = {
		.type = IPC_RELOAD, .log_level = cfg->log_level, .limits = cfg->keeper
	};
	uint8_t packet[256];
	size_t len = 0;
	enum cv_err err = ipc_control_encode(packet, sizeof(packet), &len, &control);

	if (err == CV_OK)
		err = ipc_send(m->children[ROLE_KEEPER].control_fd, packet, len, false);
	return err;
}

/* A role that is not running now reads the new text when it starts. */
static void tell_roles(struct monitor *m, const char *text, size_t len)
{
	struct monitor_child *sender = &m->children[ROLE_SENDER];

	if (m->children[ROLE_FRONT].ready && tell_front(m, text, len) != CV_OK)
		log_error("reload: the front does not take it");
	if (m->children[ROLE_KEEPER].ready && tell_keeper(m, m->cfg) != CV_OK)
		log_error("reload: the keeper does not take it");
	/* destinations and their secrets: alerts wait in the socket while it starts again */
	if (sender->process.pid != 0) {
		sender->expected = true;
		(void)!process_signal(&sender->process, SIGTERM);
	}
}

static void take(struct monitor *m, struct gateway_config *fresh, const char *text, size_t len)
{
	int fd = monitor_config_fd(text, len);

	if (fd < 0) {
		log_error("reload: no memory: the old configuration stays");
		return;
	}
	say_restart(m->cfg, fresh);
	close(m->config_fd);
	m->config_fd = fd;
	/* what takes effect later must not differ between processes until then */
	fresh->devices = m->cfg->devices;
	fresh->operators = m->cfg->operators;
	fresh->metrics = m->cfg->metrics;
	*m->cfg = *fresh;
	log_set_level(fresh->log_level);
	tell_roles(m, text, len);
	log_info("reloaded %s", m->config_path);
}

void monitor_reload(struct monitor *m)
{
	struct gateway_config *fresh = calloc(1, sizeof(*fresh));
	char note[96], *text = NULL;
	size_t len = 0;
	enum cv_err err = CV_ERR_MEMORY;

	snprintf(note, sizeof(note), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_us());
	(void)!ready_notify(note);
	if (fresh != NULL)
		err = config_read_text(&text, &len, m->config_path);
	if (err != CV_OK)
		log_error("reload: %s: %s", m->config_path, cv_err_text(err));
	else
		err = config_parse(fresh, m->config_path, text, len, true, say, NULL);
	if (err == CV_OK && (strcmp(fresh->id, m->cfg->id) != 0 ||
		strcmp(fresh->state, m->cfg->state) != 0)) {
		log_error("reload: [gateway] id and state cannot change");
		err = CV_ERR_CONFIG;
	}
	if (err == CV_OK)
		take(m, fresh, text, len);
	else
		log_error("reload: the old configuration stays");
	free(text);
	free(fresh);
	(void)!ready_notify("READY=1");
}
