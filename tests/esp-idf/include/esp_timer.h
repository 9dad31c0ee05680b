/* Declarations of ESP-IDF 5.x for the compile check; see ../README.md. */
#ifndef STUB_ESP_TIMER_H
#define STUB_ESP_TIMER_H

#include "esp_err.h"

int64_t esp_timer_get_time(void);

#endif
