/*
 * A small process that keeps the right to unmount when the volume process gives it up. It holds
 * nothing but a socket: no key, no container, no /dev/fuse. It unmounts only the very mount that it
 * saw at its start, and ends when the socket closes.
 */
#ifndef CONCLAVE_FS_UNMOUNTER_H
#define CONCLAVE_FS_UNMOUNTER_H

#include <stdbool.h>

#include "protocol/err.h"

struct unmounter {
	int fd; /* becomes readable when an answer is there; -1: there is none */
};

/* Forks: before threads, and before any secret is in memory. */
CV_MUST_CHECK enum cv_err unmounter_open(struct unmounter *u, const char *mount_point);
void unmounter_close(struct unmounter *u);
/*
 * Asks; the kernel first writes back through the mount, so keep serving. Lazy: also if it is in use.
 */
CV_MUST_CHECK enum cv_err unmounter_ask(struct unmounter *u, bool lazy);
/* The answer: 0 or an errno (EINVAL: it is not mounted there any more). */
int unmounter_answer(struct unmounter *u);

#endif
