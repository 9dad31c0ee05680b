/*
 * port.h for ESP-IDF 5.x. Compile-checked against declarations of our own; never linked or run.
 */
#include "port.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <driver/gpio.h>
#include <esp_app_desc.h>
#include <esp_log.h>
#include <esp_ota_ops.h>
#include <esp_timer.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>
#include <sdkconfig.h>

#include "heap.h"
#include "network.h"
#include "platform.h"
#include "values.h"

uint64_t port_unix_s(void)
{
	time_t now = time(NULL);

	return network_clock_known() && now > 0 ? (uint64_t)now : 0;
}

uint64_t port_monotonic_ms(void)
{
	return (uint64_t)esp_timer_get_time() / 1000;
}

void port_wait_ms(uint32_t ms)
{
	vTaskDelay(pdMS_TO_TICKS(ms) + 1);
}

enum cv_err port_nv_get(const char *name, void *out, size_t cap, size_t *len)
{
	return values_get(name, out, cap, len);
}

enum cv_err port_nv_set(const char *name, const void *data, size_t len)
{
	return values_set(name, data, len);
}

enum cv_err port_platform(struct evidence_platform *platform)
{
	return platform_claims(platform);
}

/* The one that the boot loader compares with the eFuses (CONFIG_BOOTLOADER_APP_SECURE_VERSION). */
uint32_t port_firmware_version(void)
{
	return esp_app_get_description()->secure_version;
}

uint64_t port_instructions(void)
{
	return 0;
}

void port_mount_signal(int mounted)
{
	const gpio_config_t pin = {.pin_bit_mask = UINT64_C(1) << CONFIG_CONCLAVE_MOUNT_GPIO,
		.mode = GPIO_MODE_OUTPUT,
		.pull_down_en = GPIO_PULLDOWN_ENABLE};
	const gpio_num_t number = (gpio_num_t)CONFIG_CONCLAVE_MOUNT_GPIO;
	static int configured;

	/* The level first, so that the pin never shows what an earlier start left. */
	(void)gpio_set_level(number, mounted != 0);
	if (!configured && gpio_config(&pin) == ESP_OK)
		configured = 1;
	/* An update that cannot unlock is rolled back by the boot loader; this one could. */
	if (mounted)
		(void)esp_ota_mark_app_valid_cancel_rollback();
}

void *port_secret_memory(size_t len)
{
	static void *memory;
	static size_t size;

	if (memory == NULL) {
		memory = calloc(1, len);
		size = len;
	}
	return len == size ? memory : NULL;
}

void port_log(const char *line)
{
	ESP_LOGI("conclave", "%s", line);
}

void *heap_system_alloc(size_t size)
{
	return malloc(size);
}

void heap_system_free(void *p)
{
	free(p);
}
