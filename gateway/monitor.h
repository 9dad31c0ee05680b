/*
 * The monitor: starts front, keeper and sender as processes of their own, restarts what dies, and
 * reads nothing that a peer sent.
 *
 * It holds both ends of every socket pair, so that what is in one survives the process that reads
 * it. SIGHUP reloads (certificates, log level, limits, alert destinations); SIGTERM and SIGINT
 * drain: the front finishes its requests, then the keeper, then the sender; a second one ends all
 * at once.
 */
#ifndef CONCLAVE_GATEWAY_MONITOR_H
#define CONCLAVE_GATEWAY_MONITOR_H

/* Runs the gateway until it is told to end; returns the exit code. */
int monitor_run(const char *config_path);

/* --check-config: says every mistake on standard error, each with its line. The exit code. */
int monitor_check_config(const char *config_path);

#endif
