/* Declarations of ESP-IDF 5.x for the compile check; see ../README.md. */
#ifndef STUB_ESP_APP_DESC_H
#define STUB_ESP_APP_DESC_H

#include "esp_err.h"

typedef struct {
	uint32_t magic_word;
	uint32_t secure_version;
	char version[32];
	char project_name[32];
} esp_app_desc_t;
const esp_app_desc_t *esp_app_get_description(void);

#endif
