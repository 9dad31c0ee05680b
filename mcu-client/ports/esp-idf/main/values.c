#include "values.h"

#include <string.h>

#include <nvs.h>
#include <nvs_flash.h>

#include "partition.h"
#include "protocol/crypto.h"
#include "protocol/scratch.h"
#include "seal.h"
#include "store.h"

#define NAMESPACE "conclave"
#define MOVED "image.moved"
#define VALUE_MAX 8192 /* NV_DATA_MAX */

static nvs_handle_t handle;

/* NVS allows 15 characters; every name of section 11 has at most as many. */
static const char *const names[] = {"device.json", "mac.root", "attest.key", "share-set.jws",
	"gateways.json", "roots/fleet.pub", "roots/tls.pem", "settings.sealed", "boot.timeout"};

static int is_key(const char *name)
{
	return strcmp(name, "mac.root") == 0 || strcmp(name, "attest.key") == 0;
}

static enum cv_err nvs_error(esp_err_t err)
{
	switch (err) {
	case ESP_OK:
		return CV_OK;
	case ESP_ERR_NVS_NOT_FOUND:
		return CV_ERR_NOT_FOUND;
	case ESP_ERR_NVS_INVALID_LENGTH:
		return CV_ERR_TOO_LONG;
	case ESP_ERR_NVS_NOT_ENOUGH_SPACE:
		return CV_ERR_FULL;
	default:
		return CV_ERR_IO;
	}
}

static enum cv_err raw_get(const char *name, void *out, size_t cap, size_t *len)
{
	size_t got = cap;
	enum cv_err err = nvs_error(nvs_get_blob(handle, name, out, &got));

	if (err == CV_OK)
		*len = got;
	return err;
}

static enum cv_err raw_set(const char *name, const void *data, size_t len)
{
	esp_err_t err = nvs_set_blob(handle, name, data, len);

	return nvs_error(err == ESP_OK ? nvs_commit(handle) : err);
}

static enum cv_err raw_forget(const char *name)
{
	esp_err_t err = nvs_erase_key(handle, name);

	if (err == ESP_ERR_NVS_NOT_FOUND)
		return CV_OK;
	return nvs_error(err == ESP_OK ? nvs_commit(handle) : err);
}

enum cv_err values_get(const char *name, void *out, size_t cap, size_t *len)
{
	uint8_t sealed[SEAL_PLAIN_MAX + SEAL_OVERHEAD];
	size_t sealed_len = 0;
	enum cv_err err;

	if (!is_key(name) || !seal_available())
		return raw_get(name, out, cap, len);
	err = raw_get(name, sealed, sizeof(sealed), &sealed_len);
	if (err == CV_OK)
		err = seal_open(out, cap, len, name, sealed, sealed_len);
	return err;
}

enum cv_err values_set(const char *name, const void *data, size_t len)
{
	uint8_t sealed[SEAL_PLAIN_MAX + SEAL_OVERHEAD];
	size_t sealed_len = 0;
	enum cv_err err;

	if (!is_key(name) || !seal_available())
		return raw_set(name, data, len);
	err = seal_close(sealed, sizeof(sealed), &sealed_len, name, data, len);
	return err == CV_OK ? raw_set(name, sealed, sealed_len) : err;
}

/* Reads back: the image is erased only when NVS has the same. */
static enum cv_err move_one(struct store *s, const char *name, uint8_t *value, uint8_t *check)
{
	size_t len = 0, check_len = 0;
	enum cv_err err = store_get(s, name, value, VALUE_MAX, &len);

	if (err == CV_ERR_NOT_FOUND) /* what an earlier image had must not mix with this one */
		return raw_forget(name);
	if (err == CV_OK)
		err = values_set(name, value, len);
	if (err == CV_OK)
		err = values_get(name, check, VALUE_MAX, &check_len);
	if (err == CV_OK && (check_len != len || !crypto_equal(check, value, len)))
		err = CV_ERR_IO;
	return err;
}

static enum cv_err move_image(struct store *s)
{
	uint8_t *value = scratch_alloc(VALUE_MAX), *check = scratch_alloc(VALUE_MAX);
	enum cv_err err = value != NULL && check != NULL ? CV_OK : CV_ERR_MEMORY;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && err == CV_OK; i++)
		err = move_one(s, names[i], value, check);
	if (value != NULL)
		scratch_free(value, VALUE_MAX);
	if (check != NULL)
		scratch_free(check, VALUE_MAX);
	if (err == CV_OK)
		err = raw_set(MOVED, "", 1);
	return err == CV_OK ? partition_erase() : err;
}

/* No image, or the rest of one whose erasing was cut: then everything is in NVS already. */
static enum cv_err without_image(enum cv_err image)
{
	uint8_t mark;
	size_t len = 0;
	enum cv_err err = raw_get(MOVED, &mark, sizeof(mark), &len);

	if (err != CV_OK)
		return err == CV_ERR_NOT_FOUND ? image : err;
	return image == CV_ERR_NOT_FOUND ? CV_OK : partition_erase();
}

static enum cv_err open_nvs(void)
{
	/* Never erased here, whatever is wrong with it: it holds the boot counter. */
	if (nvs_flash_init() != ESP_OK)
		return CV_ERR_IO;
	return nvs_error(nvs_open(NAMESPACE, NVS_READWRITE, &handle));
}

enum cv_err values_open(void)
{
	struct store image;
	enum cv_err err = open_nvs();

	if (err == CV_OK)
		err = partition_open();
	if (err != CV_OK)
		return err;
	err = store_open(&image, &partition_flash);
	if (err == CV_OK)
		return move_image(&image);
	return err == CV_ERR_IO ? err : without_image(err);
}
