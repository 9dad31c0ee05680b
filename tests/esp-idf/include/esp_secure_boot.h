/* Declarations of ESP-IDF 5.x for the compile check; see ../README.md. */
#ifndef STUB_ESP_SECURE_BOOT_H
#define STUB_ESP_SECURE_BOOT_H

#include "esp_err.h"

bool esp_secure_boot_enabled(void);

#endif
