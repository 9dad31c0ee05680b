/* A secret that a person types or a program pipes: one line, or what a descriptor gives. */
#ifndef CONCLAVE_DEVICE_SECRET_LINE_H
#define CONCLAVE_DEVICE_SECRET_LINE_H

#include <stddef.h>

#include "protocol/err.h"

/*
 * NUL-terminated into `out`, which is the caller's secret memory. From a terminal: one line, not
 * shown, after `prompt` on standard error. CV_ERR_TOO_LONG, CV_ERR_IO.
 */
CV_MUST_CHECK enum cv_err secret_line_read(char *out, size_t cap, int fd, const char *prompt);

#endif
