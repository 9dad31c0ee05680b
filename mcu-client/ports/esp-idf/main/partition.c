#include "partition.h"

#include <esp_partition.h>

#define NAME "conclave"
#define BANK_BYTES 0x10000u

static const esp_partition_t *partition;

enum cv_err partition_open(void)
{
	partition = esp_partition_find_first(
		ESP_PARTITION_TYPE_DATA, (esp_partition_subtype_t)0x40, NAME);
	return partition != NULL && partition->size == 2 * BANK_BYTES ? CV_OK : CV_ERR_CONFIG;
}

static enum cv_err flash_read(void *context, uint32_t offset, void *out, size_t len)
{
	(void)context;
	/* The image came over the wire in clear, also to a chip that encrypts its flash. */
	return esp_partition_read_raw(partition, offset, out, len) == ESP_OK ? CV_OK : CV_ERR_IO;
}

static enum cv_err flash_program(void *context, uint32_t offset, const void *data, size_t len)
{
	(void)context;
	return esp_partition_write_raw(partition, offset, data, len) == ESP_OK ? CV_OK : CV_ERR_IO;
}

static enum cv_err flash_erase(void *context, uint32_t offset)
{
	(void)context;
	return esp_partition_erase_range(partition, offset, BANK_BYTES) == ESP_OK ? CV_OK
										  : CV_ERR_IO;
}

enum cv_err partition_erase(void)
{
	enum cv_err err = flash_erase(NULL, BANK_BYTES);

	return err == CV_OK ? flash_erase(NULL, 0) : err;
}

const struct store_flash partition_flash = {.read = flash_read,
	.program = flash_program,
	.erase = flash_erase,
	.bank_bytes = BANK_BYTES};
