/* Inside the reader of device.ini: what its sections share. Not for other modules. */
#ifndef CONCLAVE_DEVICE_SETTINGS_READ_H
#define CONCLAVE_DEVICE_SETTINGS_READ_H

#include "device/settings.h"
#include "host/ini.h"

/* Text that becomes a claim: 1..63 printable ASCII characters; "" stays if it is absent. */
void settings_claim(struct ini_file *ini, const char *section, const char *name,
	char out[EVIDENCE_TEXT_BUF]);
void settings_place_read(struct settings_place *s, struct ini_file *ini);

#endif
