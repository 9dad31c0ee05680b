/*
 * Sizes and fixed places of the format (docs/volume-format.md, sections 2 and 3), and the
 * little-endian loads and stores that all of it uses.
 */
#ifndef CONCLAVE_FS_LAYOUT_H
#define CONCLAVE_FS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FORMAT_VERSION 1
#define FORMAT_SUITE 1 /* AES-256-GCM, HKDF-SHA-256, SipHash-2-4 */

#define BLOCK_BYTES 4096
#define NODE_BLOCKS 4
#define NODE_BYTES (NODE_BLOCKS * BLOCK_BYTES)
#define NODE_PAGE_BYTES (NODE_BYTES - AEAD_NONCE_BYTES - AEAD_TAG_BYTES)

#define AEAD_KEY_BYTES 32
#define AEAD_NONCE_BYTES 12
#define AEAD_TAG_BYTES 16

#define SUPER_SLOTS 4
#define SUPER_STRIDE_BLOCKS 1024 /* 4 MiB: an erase unit of most flash */
#define KEY_SLOTS 8
#define KEYRING_SLOTS 16

#define BLOCK_NUMBER_MAX (((uint64_t)1 << 47) - 1) /* 48 bits on disk, the top one zero */

/* objects */
#define OBJECT_VOLUME 0 /* bitmap and orphan items */
#define OBJECT_ROOT 1
#define OBJECT_FIRST_FREE 2

#define REGION_BLOCKS 16384 /* one bitmap item: 64 MiB */
#define REGION_BYTES (REGION_BLOCKS / 8)

#define MAP_BLOCKS 16
#define MAP_ENTRY_BYTES 36
#define FILE_SIZE_MAX ((uint64_t)1 << 44) /* 16 TiB */
#define SYMLINK_MAX 4095
#define NAME_BYTES_MAX 255

static inline uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t le48(const uint8_t *p)
{
	return (uint64_t)le32(p) | (uint64_t)le16(p + 4) << 32;
}

static inline uint64_t le64(const uint8_t *p)
{
	return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le48(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le16(p + 4, (uint16_t)(v >> 32));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32(p + 4, (uint32_t)(v >> 32));
}

static inline bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

#endif
