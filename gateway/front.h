/*
 * The front process: ends TLS, checks the framing of requests, hands raw bytes to the keeper. It
 * holds the TLS key and no share, MAC key or store key.
 *
 * Control (SOCK_SEQPACKET, with the monitor; the first byte is the type)
 *   to the monitor    'L' DEVICES SPACE OPERATORS SPACE METRICS: listening there
 *                     'd' drained: every answer has been written
 *   from the monitor  'R' the configuration's text: certificates, log level, limits
 *                     'D' drain: no new connections, finish, end
 */
#ifndef CONCLAVE_GATEWAY_FRONT_H
#define CONCLAVE_GATEWAY_FRONT_H

#include "gateway/config.h"
#include "gateway/config_state.h"

#define FRONT_LISTENING 'L'
#define FRONT_DRAINED 'd'
#define FRONT_RELOAD 'R'
#define FRONT_DRAIN 'D'

struct front_config {
	const struct gateway_config *cfg; /* with the addresses to bind */
	const struct state_pin *pin;
	const char *config_name; /* for messages about a new text */
	const char *user;	 /* NULL: stay */
	int keeper_fd;
	int control_fd;
};

/*
 * Until drained or until the monitor is gone; returns the exit code. Threads are still running
 * then: leave with _exit.
 */
int front_run(const struct front_config *config);

#endif
