/*
 * The form of a microcontroller's non-volatile store: what `conclave device add --mcu --image`
 * writes, and mcu-client/store.h reads and appends to. Integers are big-endian.
 *
 * The partition is two banks of equal size. A bank is a header of 16 bytes:
 *   "CVNV", u16 version 1, u16 0, u32 sequence, u32 CRC of the 12 bytes before
 * and records without a gap, each a header of 12 bytes:
 *   u8 'R', u8 name length, u16 data length, u32 CRC of name and data, u32 CRC of the 8 bytes
 *   before
 * then the name, the data, and 0xff up to a multiple of 4. A later record of a name replaces an
 * earlier one. The rest of the bank is 0xff: erased. An image is the first bank without its erased
 * rest; the second bank is erased.
 *
 * CRC is CRC-32 of ISO 3309 (reflected 0x04c11db7). It finds torn writes, not an attacker.
 */
#ifndef CONCLAVE_PROTOCOL_NV_FORMAT_H
#define CONCLAVE_PROTOCOL_NV_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

#define NV_BANK_HEADER_BYTES 16
#define NV_RECORD_HEADER_BYTES 12
#define NV_NAME_MAX 31
#define NV_DATA_MAX 8192
#define NV_ALIGN 4

struct nv_record {
	uint8_t name_len; /* 1 .. NV_NAME_MAX */
	uint16_t data_len;
	uint32_t crc; /* of name and data */
};

/* Continues `crc`; start with 0. */
uint32_t nv_crc(uint32_t crc, const void *data, size_t len);
void nv_bank_header_encode(uint8_t out[NV_BANK_HEADER_BYTES], uint32_t sequence);
/* CV_ERR_FORMAT (not a bank, torn), CV_ERR_VERSION. */
CV_MUST_CHECK enum cv_err nv_bank_header_decode(
	uint32_t *sequence, const uint8_t in[NV_BANK_HEADER_BYTES]);
void nv_record_header_encode(uint8_t out[NV_RECORD_HEADER_BYTES], const struct nv_record *r);
/* CV_ERR_FORMAT: not a whole record header. */
CV_MUST_CHECK enum cv_err nv_record_header_decode(
	struct nv_record *r, const uint8_t in[NV_RECORD_HEADER_BYTES]);
/* Bytes of the whole record with its padding. */
size_t nv_record_size(const struct nv_record *r);

#endif
