#include "provisioning/mcu_image.h"

#include <string.h>

#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/nv_format.h"

#define FIRST_SEQUENCE 1

static enum cv_err record_of(struct nv_record *r, const struct bundle_file *f)
{
	size_t name_len = strlen(f->name);

	if (name_len == 0 || name_len > NV_NAME_MAX || f->len > NV_DATA_MAX)
		return CV_ERR_TOO_LONG;
	r->name_len = (uint8_t)name_len;
	r->data_len = (uint16_t)f->len;
	r->crc = nv_crc(nv_crc(0, f->name, name_len), f->data, f->len);
	return CV_OK;
}

static enum cv_err image_size(const struct bundle *bundle, size_t *size)
{
	struct nv_record r;

	*size = NV_BANK_HEADER_BYTES;
	for (size_t i = 0; i < bundle->count; i++) {
		enum cv_err err = record_of(&r, &bundle->files[i]);

		if (err != CV_OK)
			return err;
		*size += nv_record_size(&r);
	}
	return CV_OK;
}

/* `image` has the size of image_size. */
static enum cv_err image_fill(uint8_t *image, size_t size, const struct bundle *bundle)
{
	uint8_t *at = image + NV_BANK_HEADER_BYTES;

	memset(image, 0xff, size);
	nv_bank_header_encode(image, FIRST_SEQUENCE);
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_file *f = &bundle->files[i];
		struct nv_record r;
		enum cv_err err = record_of(&r, f);

		if (err != CV_OK)
			return err;
		nv_record_header_encode(at, &r);
		memcpy(at + NV_RECORD_HEADER_BYTES, f->name, r.name_len);
		memcpy(at + NV_RECORD_HEADER_BYTES + r.name_len, f->data, f->len);
		at += nv_record_size(&r);
	}
	return CV_OK;
}

enum cv_err mcu_image_write(const struct bundle *bundle, const char *path)
{
	uint8_t *image = NULL;
	size_t size = 0;
	enum cv_err err = image_size(bundle, &size);

	if (err == CV_OK) {
		image = secret_alloc(size);
		err = image == NULL ? CV_ERR_MEMORY : image_fill(image, size, bundle);
	}
	if (err == CV_OK)
		err = file_write_new(path, image, size, 0600);
	secret_free(image);
	if (err != CV_OK)
		log_error("--image: %s: %s", path, cv_err_text(err));
	else
		log_warning("%s holds the device's keys in clear: flash it, then remove it", path);
	return err;
}
