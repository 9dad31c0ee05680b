/*
 * The users that the roles run as when the gateway is installed for root: conclave-front,
 * conclave-keeper, conclave-sender. Without them (a demo, a test) everything belongs to whoever
 * started the gateway.
 *
 * Threads  none may be running.
 */
#ifndef CONCLAVE_GATEWAY_USER_H
#define CONCLAVE_GATEWAY_USER_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/err.h"

/*
 * The roles have users of their own: we are root, all three users exist, and others can get
 * through to the directory `state` (into a private directory of a demo they could not).
 */
bool user_separation(const char *state);
/* `name` where the roles have users of their own, else NULL. */
const char *user_for_role(const char *state, const char *name);

/*
 * Becomes the user for good: groups, user ids, no way back; the death signal of the parent, which
 * such a change clears, is set again. NULL: nothing to do. One line to the log on failure.
 */
CV_MUST_CHECK enum cv_err user_become(const char *name);

/*
 * Runs `step` in a child process that became `user` (NULL: still in a child), so that what it
 * makes belongs to that user. `result` of `len` bytes (0: none) is carried back.
 */
typedef enum cv_err (*user_step)(void *argument, void *result);
CV_MUST_CHECK enum cv_err user_run(
	const char *user, user_step step, void *argument, void *result, size_t len);

/* The directory becomes that user's (NULL: stays), mode 0700, made if missing. */
CV_MUST_CHECK enum cv_err user_directory(const char *path, const char *user);
/* The file becomes that user's (NULL: stays); CV_OK if there is none. Links are not followed. */
CV_MUST_CHECK enum cv_err user_own_file(const char *path, const char *user);

#endif
