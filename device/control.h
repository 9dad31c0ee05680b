/*
 * The watcher's socket in the run directory: one request packet, one answer packet.
 *
 * Requests are words ("status", "unmount", "unmount lazy"); an answer is an exit code, a blank and
 * text. The directory is ours alone (0700), the socket 0600.
 */
#ifndef CONCLAVE_DEVICE_CONTROL_H
#define CONCLAVE_DEVICE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/err.h"

#define CONTROL_SOCKET "control.sock"
#define CONTROL_TEXT_MAX 16384

/* Makes the run directory (0700) if it is not there, and checks that it is ours. Prints. */
CV_MUST_CHECK enum cv_err control_run_dir(const char *run_dir);

/* Listens; an old socket is replaced: the caller holds the run directory's lock. */
CV_MUST_CHECK enum cv_err control_listen(int *fd, const char *run_dir);
/* Accepts one client and reads its request into text; *client is the caller's to close. */
CV_MUST_CHECK enum cv_err control_accept(int *client, char text[CONTROL_TEXT_MAX], int listener);
void control_answer(int client, int exit_code, const char *text);

/*
 * Asks the watcher; waits for the answer as long as the watcher lives. CV_ERR_NOT_FOUND: there is
 * no watcher (any more). *exit_code and text are its answer.
 */
CV_MUST_CHECK enum cv_err control_ask(
	int *exit_code, char text[CONTROL_TEXT_MAX], const char *run_dir, const char *request);

#endif
