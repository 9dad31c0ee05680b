/*
 * Devices of the load generator. Number n of a seed is always the same device, so that the program
 * that fills a gateway's store and the one that asks for shares need to share nothing but the seed.
 * Keys are as real as any device's: an ES256 key that signs, a pairwise MAC key, a boot key.
 */
#ifndef CONCLAVE_BENCH_LOAD_DEVICE_H
#define CONCLAVE_BENCH_LOAD_DEVICE_H

#include <stdint.h>

#include "protocol/evidence.h"
#include "protocol/limits.h"

#define LOAD_SEED_BYTES 32
#define LOAD_KERNEL_DIGEST_HEX "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define LOAD_X 1
#define LOAD_EPOCH 1

struct load_device {
	char id[CV_ID_BUF];
	uint8_t mac_key[CV_MAC_KEY_BYTES];
	uint8_t attest_private[CV_ES256_PRIVATE_BYTES];
	uint8_t attest_public[CV_ES256_PUBLIC_BYTES];
	uint8_t boot_private[CV_X25519_BYTES];
	uint8_t boot_public[CV_X25519_BYTES];
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint8_t share[CV_SECRET_BYTES];
	uint8_t share_set_hash[CV_HASH_BYTES];
	uint8_t ueid[EVIDENCE_UEID_BYTES];
};

/* Ends the program on failure, as everything of bench/. */
void load_device_make(struct load_device *d, const uint8_t seed[LOAD_SEED_BYTES],
	const char *fleet, uint32_t number);

#endif
