/*
 * What ports without hardware of their own share (host, emulated board): the pin is a line of
 * output, and an outcome an exit status.
 */
#ifndef CONCLAVE_MCU_PORTS_SOFTWARE_H
#define CONCLAVE_MCU_PORTS_SOFTWARE_H

#include "port.h"

/* Raised when a release mends what older ones must not bring back. */
#define SOFTWARE_FIRMWARE_VERSION 1

/* The port's: one line of output for the pin's level. */
void software_pin_show(const char *line);
/* Exit status of a program or of the emulation for an outcome of client_run. */
int software_exit_code(enum cv_err outcome);

#endif
