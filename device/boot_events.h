/* The events of this boot, as the firmware's log tells them (protocol/eventlog.h). */
#ifndef CONCLAVE_DEVICE_BOOT_EVENTS_H
#define CONCLAVE_DEVICE_BOOT_EVENTS_H

#include <stdbool.h>

#include "protocol/eventlog.h"

/* False, with one line unless the file is not there, when there is no log to send. */
bool boot_events_read(struct eventlog *out, const char *path);

#endif
