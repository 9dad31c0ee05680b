#include "protocol/tpm_read.h"

#include <string.h>

void tpm_read_bytes(struct tpm_reader *r, void *out, size_t len)
{
	if (r->failed || len > r->left) {
		r->failed = 1;
		memset(out, 0, len);
		return;
	}
	memcpy(out, r->data, len);
	r->data += len;
	r->left -= len;
}

uint64_t tpm_read_number(struct tpm_reader *r, size_t bytes)
{
	uint8_t raw[8] = {0};
	uint64_t value = 0;

	if (bytes > sizeof(raw)) {
		r->failed = 1;
		return 0;
	}
	tpm_read_bytes(r, raw, bytes);
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | raw[i];
	return value;
}

void tpm_read_sized(struct tpm_reader *r, void *out, size_t len)
{
	if (tpm_read_number(r, 2) != len)
		r->failed = 1;
	tpm_read_bytes(r, out, len);
}
