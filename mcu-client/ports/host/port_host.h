/* The POSIX port: values are files in a state directory, the pin is a line on stdout. */
#ifndef CONCLAVE_MCU_PORT_HOST_H
#define CONCLAVE_MCU_PORT_HOST_H

#include "protocol/err.h"

/* Opens the state directory (docs/protocol.md section 11); problem gets one line on failure. */
CV_MUST_CHECK enum cv_err port_host_open(const char *state_dir, const char **problem);
void port_host_close(void);
/* The firmware's digest claim: SHA-256 of this program's file. */
CV_MUST_CHECK enum cv_err port_host_measure(void);

#endif
