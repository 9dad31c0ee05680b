/* The emulated board's half of port.h. */
#ifndef CONCLAVE_MCU_PORT_QEMU_H
#define CONCLAVE_MCU_PORT_QEMU_H

#include "protocol/err.h"

/* Opens the store and measures the firmware. Errors of store_open, CV_ERR_CRYPTO. */
CV_MUST_CHECK enum cv_err port_qemu_open(void);

#endif
