#include "protocol/nv_format.h"

#include <string.h>

#define BANK_VERSION 1
#define RECORD_MAGIC 'R'

static const uint8_t magic[4] = {'C', 'V', 'N', 'V'};

uint32_t nv_crc(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	while (len-- > 0) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
	}
	return ~crc;
}

static void u16_put(uint8_t *out, uint16_t v)
{
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
}

static void u32_put(uint8_t *out, uint32_t v)
{
	u16_put(out, (uint16_t)(v >> 16));
	u16_put(out + 2, (uint16_t)v);
}

static uint16_t u16_get(const uint8_t *in)
{
	return (uint16_t)(in[0] << 8 | in[1]);
}

static uint32_t u32_get(const uint8_t *in)
{
	return (uint32_t)u16_get(in) << 16 | u16_get(in + 2);
}

void nv_bank_header_encode(uint8_t out[NV_BANK_HEADER_BYTES], uint32_t sequence)
{
	memcpy(out, magic, sizeof(magic));
	u16_put(out + 4, BANK_VERSION);
	u16_put(out + 6, 0);
	u32_put(out + 8, sequence);
	u32_put(out + 12, nv_crc(0, out, 12));
}

enum cv_err nv_bank_header_decode(uint32_t *sequence, const uint8_t in[NV_BANK_HEADER_BYTES])
{
	if (memcmp(in, magic, sizeof(magic)) != 0 || u32_get(in + 12) != nv_crc(0, in, 12))
		return CV_ERR_FORMAT;
	if (u16_get(in + 4) != BANK_VERSION || u16_get(in + 6) != 0)
		return CV_ERR_VERSION;
	*sequence = u32_get(in + 8);
	return CV_OK;
}

void nv_record_header_encode(uint8_t out[NV_RECORD_HEADER_BYTES], const struct nv_record *r)
{
	out[0] = RECORD_MAGIC;
	out[1] = r->name_len;
	u16_put(out + 2, r->data_len);
	u32_put(out + 4, r->crc);
	u32_put(out + 8, nv_crc(0, out, 8));
}

enum cv_err nv_record_header_decode(
	struct nv_record *r, const uint8_t in[NV_RECORD_HEADER_BYTES])
{
	if (in[0] != RECORD_MAGIC || u32_get(in + 8) != nv_crc(0, in, 8))
		return CV_ERR_FORMAT;
	if (in[1] == 0 || in[1] > NV_NAME_MAX || u16_get(in + 2) > NV_DATA_MAX)
		return CV_ERR_FORMAT;
	r->name_len = in[1];
	r->data_len = u16_get(in + 2);
	r->crc = u32_get(in + 4);
	return CV_OK;
}

size_t nv_record_size(const struct nv_record *r)
{
	size_t size = NV_RECORD_HEADER_BYTES + (size_t)r->name_len + r->data_len;

	return (size + NV_ALIGN - 1) / NV_ALIGN * NV_ALIGN;
}
