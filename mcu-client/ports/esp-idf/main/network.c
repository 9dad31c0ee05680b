#include "network.h"

#include <string.h>

#include <esp_event.h>
#include <esp_netif.h>
#include <esp_netif_sntp.h>
#include <esp_wifi.h>
#include <freertos/FreeRTOS.h>
#include <freertos/event_groups.h>
#include <sdkconfig.h>

#define HAS_ADDRESS BIT0

static EventGroupHandle_t events;
static volatile int clock_known;

static void on_event(void *context, esp_event_base_t base, int32_t id, void *data)
{
	(void)context;
	(void)data;
	if (base == WIFI_EVENT && id == WIFI_EVENT_STA_START) {
		(void)esp_wifi_connect();
	} else if (base == WIFI_EVENT && id == WIFI_EVENT_STA_DISCONNECTED) {
		(void)xEventGroupClearBits(events, HAS_ADDRESS);
		(void)esp_wifi_connect(); /* without end: the driver waits between its tries */
	} else if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP) {
		(void)xEventGroupSetBits(events, HAS_ADDRESS);
	}
}

static esp_err_t listen_to_events(void)
{
	esp_err_t err =
		esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, NULL);

	if (err == ESP_OK)
		err = esp_event_handler_register(
			IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, NULL);
	return err;
}

static esp_err_t start_station(void)
{
	wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
	wifi_config_t config;
	esp_err_t err = esp_wifi_init(&init);

	memset(&config, 0, sizeof(config));
	/* Kconfig's strings may fill the fields whole: they need no NUL there. */
	memcpy(config.sta.ssid, CONFIG_CONCLAVE_WIFI_SSID,
		strnlen(CONFIG_CONCLAVE_WIFI_SSID, sizeof(config.sta.ssid)));
	memcpy(config.sta.password, CONFIG_CONCLAVE_WIFI_PASSWORD,
		strnlen(CONFIG_CONCLAVE_WIFI_PASSWORD, sizeof(config.sta.password)));
	if (CONFIG_CONCLAVE_WIFI_PASSWORD[0] != '\0')
		config.sta.threshold.authmode = WIFI_AUTH_WPA2_PSK;
	/* the values of this project are in NVS already; the driver shall not add its own */
	if (err == ESP_OK)
		err = esp_wifi_set_storage(WIFI_STORAGE_RAM);
	if (err == ESP_OK)
		err = esp_wifi_set_mode(WIFI_MODE_STA);
	if (err == ESP_OK)
		err = esp_wifi_set_config(WIFI_IF_STA, &config);
	return err == ESP_OK ? esp_wifi_start() : err;
}

enum cv_err network_up(uint32_t timeout_ms)
{
	esp_err_t err;

	if (CONFIG_CONCLAVE_WIFI_SSID[0] == '\0')
		return CV_ERR_CONFIG;
	events = xEventGroupCreate();
	if (events == NULL)
		return CV_ERR_MEMORY;
	err = esp_netif_init();
	if (err == ESP_OK)
		err = esp_event_loop_create_default();
	if (err == ESP_OK && esp_netif_create_default_wifi_sta() == NULL)
		err = ESP_ERR_NO_MEM;
	if (err == ESP_OK)
		err = listen_to_events();
	if (err == ESP_OK)
		err = start_station();
	if (err != ESP_OK)
		return err == ESP_ERR_NO_MEM ? CV_ERR_MEMORY : CV_ERR_IO;
	return (xEventGroupWaitBits(
			events, HAS_ADDRESS, pdFALSE, pdTRUE, pdMS_TO_TICKS(timeout_ms)) &
		       HAS_ADDRESS) != 0
		       ? CV_OK
		       : CV_ERR_TIMEOUT;
}

static void on_time(struct timeval *now)
{
	(void)now;
	clock_known = 1;
}

void network_clock(uint32_t timeout_ms)
{
	esp_sntp_config_t config = ESP_NETIF_SNTP_DEFAULT_CONFIG(CONFIG_CONCLAVE_SNTP_SERVER);

	if (CONFIG_CONCLAVE_SNTP_SERVER[0] == '\0')
		return;
	config.sync_cb = on_time;
	if (esp_netif_sntp_init(&config) == ESP_OK)
		(void)esp_netif_sntp_sync_wait(pdMS_TO_TICKS(timeout_ms));
}

int network_clock_known(void)
{
	return clock_known;
}
