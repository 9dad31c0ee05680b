/* Declarations of ESP-IDF 5.x for the compile check; see ../README.md. */
#ifndef STUB_ESP_SYSTEM_H
#define STUB_ESP_SYSTEM_H

#include "esp_err.h"

void esp_restart(void) __attribute__((noreturn));

#endif
