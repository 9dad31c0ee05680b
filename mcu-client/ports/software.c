#include "ports/software.h"

#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/settings.h"

static int mounted;
static char name[CV_NAME_MAX + 1];

uint32_t port_firmware_version(void)
{
	return SOFTWARE_FIRMWARE_VERSION;
}

enum cv_err port_sign(
	void *context, const uint8_t hash[CV_HASH_BYTES], uint8_t sig[CV_ES256_SIG_BYTES])
{
	uint8_t key[CV_ES256_PRIVATE_BYTES];
	size_t len = 0;
	enum cv_err err = port_nv_get("attest.key", key, sizeof(key), &len);

	(void)context;
	if (err == CV_OK && len != sizeof(key))
		err = CV_ERR_FORMAT;
	if (err == CV_OK)
		err = crypto_es256_sign(sig, key, hash);
	crypto_wipe(key, sizeof(key));
	return err;
}

void port_mount_signal(int on)
{
	if (on != mounted)
		software_pin_show(on ? "mount-pin high" : "mount-pin low");
	mounted = on;
}

enum cv_err port_settings_apply(const char *json, size_t len)
{
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, json, len, SETTINGS_PLAIN_MAX);

	if (err == CV_OK && json_has(tree, "name"))
		err = json_get_text(tree, "name", name, sizeof(name));
	json_free(tree);
	if (err != CV_OK)
		return err == CV_ERR_MEMORY ? err : CV_ERR_CONFIG;
	if (name[0] != 0) {
		port_log("settings applied, name:");
		port_log(name);
	}
	return CV_OK;
}

void port_settings_forget(void)
{
	crypto_wipe(name, sizeof(name));
}

int software_exit_code(enum cv_err outcome)
{
	static const struct {
		uint8_t err;
		uint8_t code;
	} codes[] = {{CV_OK, 0}, {CV_ERR_CONFIG, 3}, {CV_ERR_TOO_FEW, 10}, {CV_ERR_DENIED, 11},
		{CV_ERR_TIMEOUT, 12}, {CV_ERR_EXPIRED, 12}, {CV_ERR_SHARE_SET, 13},
		{CV_ERR_SHARE_INVALID, 14}, {CV_ERR_TAMPERED, 20}, {CV_ERR_TOO_OLD, 21}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].err == (uint8_t)outcome)
			return codes[i].code;
	return 1;
}
