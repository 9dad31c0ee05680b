/*
 * Telling whoever started us that we are up: one line on standard output for people, tests and
 * scripts, and the sd_notify datagram for systemd (documented in sd_notify(3); no library).
 */
#ifndef CONCLAVE_HOST_READY_H
#define CONCLAVE_HOST_READY_H

#include "protocol/err.h"

/* Prints the line, adds the newline, flushes. */
CV_MUST_CHECK enum cv_err ready_line(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
/* "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...", ...; CV_OK without systemd. */
CV_MUST_CHECK enum cv_err ready_notify(const char *state);

#endif
