/* Declarations of ESP-IDF 5.x for the compile check; see ../README.md. */
#ifndef STUB_ESP_WIFI_H
#define STUB_ESP_WIFI_H

#include "esp_event.h"

typedef struct {
	int magic;
} wifi_init_config_t;
#define WIFI_INIT_CONFIG_DEFAULT() {.magic = 0x1f2f3f4f}
typedef enum { WIFI_MODE_NULL, WIFI_MODE_STA } wifi_mode_t;
typedef enum { WIFI_IF_STA } wifi_interface_t;
typedef enum { WIFI_STORAGE_FLASH, WIFI_STORAGE_RAM } wifi_storage_t;
typedef enum { WIFI_AUTH_OPEN = 0, WIFI_AUTH_WPA2_PSK = 3 } wifi_auth_mode_t;
typedef enum { WIFI_EVENT_STA_START = 2, WIFI_EVENT_STA_DISCONNECTED = 5 } wifi_event_t;
typedef struct {
	int8_t rssi;
	wifi_auth_mode_t authmode;
} wifi_scan_threshold_t;
typedef struct {
	uint8_t ssid[32];
	uint8_t password[64];
	wifi_scan_threshold_t threshold;
} wifi_sta_config_t;
typedef union {
	wifi_sta_config_t sta;
} wifi_config_t;
extern esp_event_base_t const WIFI_EVENT;
esp_err_t esp_wifi_init(const wifi_init_config_t *config);
esp_err_t esp_wifi_set_storage(wifi_storage_t storage);
esp_err_t esp_wifi_set_mode(wifi_mode_t mode);
esp_err_t esp_wifi_set_config(wifi_interface_t interface, wifi_config_t *conf);
esp_err_t esp_wifi_start(void);
esp_err_t esp_wifi_connect(void);

#endif
