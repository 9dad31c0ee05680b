#include "floors.h"

#include "port.h"

#define FLOORS_BYTES 8

struct floors {
	uint32_t firmware;
	uint32_t settings;
};

static uint32_t u32_get(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static void u32_put(uint8_t *out, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> (24 - 8 * i));
}

static enum cv_err floors_read(struct floors *f)
{
	uint8_t raw[FLOORS_BYTES] = {0};
	size_t len = 0;
	enum cv_err err = port_nv_get("floors", raw, sizeof(raw), &len);

	if (err != CV_OK && err != CV_ERR_NOT_FOUND)
		return err;
	if (err == CV_OK && len != sizeof(raw))
		return CV_ERR_TAMPERED;
	f->firmware = u32_get(raw);
	f->settings = u32_get(raw + 4);
	return CV_OK;
}

enum cv_err floors_check(void)
{
	struct floors f = {0, 0};
	enum cv_err err = floors_read(&f);

	if (err == CV_OK && port_firmware_version() < f.firmware)
		err = CV_ERR_TOO_OLD;
	return err;
}

enum cv_err floors_raise(const struct settings_rules *rules)
{
	struct floors f = {0, 0};
	uint8_t raw[FLOORS_BYTES];
	enum cv_err err = floors_read(&f);

	if (err != CV_OK)
		return err;
	if (rules->settings_version < f.settings)
		return CV_ERR_TOO_OLD;
	if (rules->settings_version > f.settings || rules->min_firmware > f.firmware) {
		f.settings = rules->settings_version;
		if (rules->min_firmware > f.firmware)
			f.firmware = rules->min_firmware;
		u32_put(raw, f.firmware);
		u32_put(raw + 4, f.settings);
		err = port_nv_set("floors", raw, sizeof(raw));
	}
	if (err == CV_OK && port_firmware_version() < f.firmware)
		err = CV_ERR_TOO_OLD;
	return err;
}
