/* What the parts of the monitor share. */
#ifndef CONCLAVE_GATEWAY_MONITOR_STATE_H
#define CONCLAVE_GATEWAY_MONITOR_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/config.h"
#include "gateway/config_state.h"
#include "gateway/monitor_role.h"
#include "host/process.h"

enum monitor_phase {
	MONITOR_STARTING,
	MONITOR_RUNNING,
	MONITOR_DRAIN_FRONT,
	MONITOR_DRAIN_KEEPER,
	MONITOR_DRAIN_SENDER,
	MONITOR_OVER
};

struct monitor_child {
	struct process process; /* pid 0: not running */
	int control_fd;		/* ours; -1: none */
	bool ready;
	bool expected; /* we told it to end: start it again at once */
	uint64_t started_ms;
	uint64_t start_at_ms; /* not running: when to try again; 0: not at all */
	uint64_t backoff_ms;
};

struct monitor {
	const char *config_path;
	const char *self; /* path of this program */
	struct gateway_config *cfg;
	struct state_pin pin;
	int config_fd;	   /* memfd with the text */
	int ipc_fds[2];	   /* front's end, keeper's end */
	int alert_fds[2];  /* keeper's end, sender's end */
	int signal_fd;
	enum monitor_phase phase;
	uint64_t phase_until_ms;
	int exit_code;
	/* as the front bound them; "" before it did */
	char addresses[3][CONFIG_ADDRESS_BUF];
	struct monitor_child children[ROLE_COUNT];
};

/* monitor_child.c: CV_OK if the process was started. */
CV_MUST_CHECK enum cv_err monitor_spawn(struct monitor *m, enum role role);
/* Starts what is due; reaps what ended and decides what that means. */
void monitor_start_due(struct monitor *m, uint64_t now_ms);
void monitor_reap(struct monitor *m, uint64_t now_ms);
/* Milliseconds until something is due, or -1. */
int monitor_next_ms(const struct monitor *m, uint64_t now_ms);

/* monitor_control.c: what a child said. */
void monitor_on_control(struct monitor *m, enum role role);
/* All roles are up and the self-test passed. */
void monitor_announce(struct monitor *m);

/* monitor_stop.c */
void monitor_stop(struct monitor *m, int exit_code);
void monitor_stop_step(struct monitor *m, uint64_t now_ms);
void monitor_kill_all(struct monitor *m);

/* monitor_reload.c */
void monitor_reload(struct monitor *m);
/* The text as a sealed memfd; -1 on failure. */
int monitor_config_fd(const char *text, size_t len);

#endif
