#include "platform.h"

#include <stdio.h>
#include <string.h>

#include <esp_efuse.h>
#include <esp_efuse_table.h>
#include <esp_flash_encrypt.h>
#include <esp_ota_ops.h>
#include <esp_partition.h>
#include <esp_secure_boot.h>
#include <sdkconfig.h>

#include "protocol/crypto.h"

#define STATE_MAX 64

static uint8_t firmware[CV_HASH_BYTES];
static char state[STATE_MAX];

enum jtag { JTAG_OPEN, JTAG_SOFT, JTAG_CLOSED };

/* "soft": the HMAC peripheral can open it again with a key from the eFuses. */
static enum jtag jtag_state(void)
{
#if defined(CONFIG_IDF_TARGET_ESP32)
	return esp_efuse_read_field_bit(ESP_EFUSE_JTAG_DISABLE) ? JTAG_CLOSED : JTAG_OPEN;
#elif defined(CONFIG_IDF_TARGET_ESP32S2)
	if (esp_efuse_read_field_bit(ESP_EFUSE_HARD_DIS_JTAG))
		return JTAG_CLOSED;
	return esp_efuse_read_field_bit(ESP_EFUSE_SOFT_DIS_JTAG) ? JTAG_SOFT : JTAG_OPEN;
#else
	size_t soft = 0;

	if (esp_efuse_read_field_bit(ESP_EFUSE_DIS_PAD_JTAG) &&
		esp_efuse_read_field_bit(ESP_EFUSE_DIS_USB_JTAG))
		return JTAG_CLOSED;
	/* an odd number of its bits closes the pads; the USB side must be closed by its own */
	if (esp_efuse_read_field_cnt(ESP_EFUSE_SOFT_DIS_JTAG, &soft) == ESP_OK && soft % 2 == 1 &&
		esp_efuse_read_field_bit(ESP_EFUSE_DIS_USB_JTAG))
		return JTAG_SOFT;
	return JTAG_OPEN;
#endif
}

static const char *encryption_word(void)
{
	switch (esp_get_flash_encryption_mode()) {
	case ESP_FLASH_ENC_MODE_DISABLED:
		return "off";
	case ESP_FLASH_ENC_MODE_DEVELOPMENT:
		return "development";
	case ESP_FLASH_ENC_MODE_RELEASE:
		return "release";
	}
	return "unknown";
}

enum cv_err platform_measure(void)
{
	static const char *const words[] = {"open", "soft", "closed"};
	const esp_partition_t *running = esp_ota_get_running_partition();

	(void)snprintf(state, sizeof(state), "secure-boot=%d flash-encryption=%s jtag=%s",
		esp_secure_boot_enabled(), encryption_word(), words[jtag_state()]);
	return running != NULL && esp_partition_get_sha256(running, firmware) == ESP_OK
		       ? CV_OK
		       : CV_ERR_IO;
}

const char *platform_state(void)
{
	return state;
}

int platform_is_secure(void)
{
	return esp_secure_boot_enabled() &&
	       esp_get_flash_encryption_mode() == ESP_FLASH_ENC_MODE_RELEASE &&
	       jtag_state() == JTAG_CLOSED;
}

static enum evidence_debug debug_claim(void)
{
	switch (jtag_state()) {
	case JTAG_OPEN:
		return EVIDENCE_DEBUG_ENABLED;
	case JTAG_SOFT:
		return EVIDENCE_DEBUG_DISABLED;
	case JTAG_CLOSED:
		return EVIDENCE_DEBUG_DISABLED_PERMANENTLY;
	}
	return EVIDENCE_DEBUG_ENABLED;
}

enum cv_err platform_claims(struct evidence_platform *platform)
{
	memset(platform, 0, sizeof(*platform));
	(void)snprintf(platform->hwmodel, sizeof(platform->hwmodel), "%s", CONFIG_CONCLAVE_HWMODEL);
	strcpy(platform->swname, "conclave-mcu");
	(void)snprintf(
		platform->swversion, sizeof(platform->swversion), "%s", CONCLAVE_VERSION);
	platform->dbgstat = debug_claim();
	platform->digest_count = 2;
	strcpy(platform->digests[0].name, "firmware");
	memcpy(platform->digests[0].value, firmware, CV_HASH_BYTES);
	strcpy(platform->digests[1].name, "boot-state");
	return crypto_sha256(platform->digests[1].value,
		&(struct crypto_part){.data = state, .len = strlen(state)}, 1);
}
