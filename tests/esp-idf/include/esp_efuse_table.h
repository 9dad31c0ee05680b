/* Declarations of ESP-IDF 5.x for the compile check; see ../README.md. */
#ifndef STUB_ESP_EFUSE_TABLE_H
#define STUB_ESP_EFUSE_TABLE_H

#include "esp_efuse.h"
#include "sdkconfig.h"

#if defined(CONFIG_IDF_TARGET_ESP32)
extern const esp_efuse_desc_t *ESP_EFUSE_JTAG_DISABLE[];
#elif defined(CONFIG_IDF_TARGET_ESP32S2)
extern const esp_efuse_desc_t *ESP_EFUSE_HARD_DIS_JTAG[];
extern const esp_efuse_desc_t *ESP_EFUSE_SOFT_DIS_JTAG[];
#else
extern const esp_efuse_desc_t *ESP_EFUSE_DIS_PAD_JTAG[];
extern const esp_efuse_desc_t *ESP_EFUSE_DIS_USB_JTAG[];
extern const esp_efuse_desc_t *ESP_EFUSE_SOFT_DIS_JTAG[];
#endif

#endif
