#include "ports/software.h"

static int mounted;

uint32_t port_firmware_version(void)
{
	return SOFTWARE_FIRMWARE_VERSION;
}

void port_mount_signal(int on)
{
	if (on != mounted)
		software_pin_show(on ? "mount-pin high" : "mount-pin low");
	mounted = on;
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
