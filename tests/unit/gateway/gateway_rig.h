/*
 * A whole gateway that joined a fleet, run by its monitor in a child process. The monitor starts
 * its roles from the running program: a test with this rig begins its main with
 * gateway_rig_role(argc, argv).
 */
#ifndef CONCLAVE_TESTS_GATEWAY_RIG_H
#define CONCLAVE_TESTS_GATEWAY_RIG_H

#include <stdio.h>
#include <sys/types.h>

#include "gateway/config.h"
#include "tests/unit/gateway/tls_fleet.h"

#define GATEWAY_RIG_TRIES 3000 /* of 10 ms: far more than any machine needs */

struct gateway_rig {
	struct tls_fleet fleet;
	char config[TLS_FLEET_DIR_BUF + 16];
	pid_t pid;
	FILE *out, *err;
	struct config_address devices, operators, metrics;
};

/* Does not return if argv[0] names a role. */
void gateway_rig_role(int argc, char **argv);

/* cmocka's set-up and tear-down: *state is a struct gateway_rig. */
int gateway_rig_open(void **state);
int gateway_rig_close(void **state);

/* Port 0 everywhere, best-effort sandbox, and `more`. */
void gateway_rig_config(struct gateway_rig *r, const char *more);
void gateway_rig_start(struct gateway_rig *r);
/* Until the ready line, which is taken apart. */
void gateway_rig_start_ready(struct gateway_rig *r);
/* Sends the signal (0: none), waits, returns the exit code. */
int gateway_rig_stop(struct gateway_rig *r, int signal_number);

/* Reads standard error up to a line with `part` in it. */
void gateway_rig_expect_line(struct gateway_rig *r, const char *part);
/* The status of GET `path` on the plain listener; 0 if nobody answers. */
int gateway_rig_get(struct gateway_rig *r, const char *path, char *body, size_t cap);
/* Until /readyz is 200. */
void gateway_rig_wait_ready(struct gateway_rig *r);
/* The monitor's child of that argv[0], or 0. */
pid_t gateway_rig_find(struct gateway_rig *r, const char *title);

#endif
