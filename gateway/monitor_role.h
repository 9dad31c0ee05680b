/*
 * The gateway's processes below the monitor. Each is this program again, started with its name in
 * argv[0] ("conclave-gateway: keeper") and a fixed set of descriptors:
 *
 *   3  the configuration's text (a memfd)
 *   4  control: with the monitor
 *   5  front: the keeper's socket; keeper: the front's; sender: the keeper's alerts
 *   6  keeper: alerts to the sender
 *
 * Arguments: the configuration's name for messages; then the front's three addresses, or the
 * address that the self-test asks.
 */
#ifndef CONCLAVE_GATEWAY_MONITOR_ROLE_H
#define CONCLAVE_GATEWAY_MONITOR_ROLE_H

#define ROLE_FD_CONFIG 3
#define ROLE_FD_CONTROL 4
#define ROLE_FD_WORK 5
#define ROLE_FD_ALERTS 6

#define ROLE_SENDER_READY 'Y'

enum role { ROLE_FRONT, ROLE_KEEPER, ROLE_SENDER, ROLE_SELFTEST, ROLE_COUNT };

/* "front", "keeper", ... */
const char *role_name(enum role role);
/* argv[0] of that process. */
const char *role_title(enum role role);
/* The role that argv[0] names, or -1. */
int role_of_title(const char *title);
/* Runs the role; does not return. */
_Noreturn void role_main(enum role role, int argc, char **argv);

#endif
