/* Declarations of ESP-IDF 5.x for the compile check; see ../README.md. */
#ifndef STUB_ESP_EFUSE_H
#define STUB_ESP_EFUSE_H

#include "esp_err.h"

typedef enum { EFUSE_BLK0 = 0, EFUSE_BLK_KEY0 = 4, EFUSE_BLK_KEY5 = 9, EFUSE_BLK_MAX = 11 } esp_efuse_block_t;
typedef enum {
	ESP_EFUSE_KEY_PURPOSE_USER = 0,
	ESP_EFUSE_KEY_PURPOSE_HMAC_UP = 8,
	ESP_EFUSE_KEY_PURPOSE_MAX = 12
} esp_efuse_purpose_t;
typedef struct {
	unsigned int efuse_block : 8, bit_start : 8, bit_count : 16;
} esp_efuse_desc_t;

bool esp_efuse_read_field_bit(const esp_efuse_desc_t *field[]);
esp_err_t esp_efuse_read_field_cnt(const esp_efuse_desc_t *field[], size_t *out_cnt);
esp_efuse_purpose_t esp_efuse_get_key_purpose(esp_efuse_block_t block);

#endif
