#include "bench/load_device.h"

#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "protocol/crypto.h"

/* 32 bytes for one purpose of one device. */
static void derive(uint8_t out[32], const uint8_t seed[LOAD_SEED_BYTES], const char *purpose,
	uint32_t number)
{
	struct crypto_part parts[] = {{purpose, strlen(purpose)}, {&number, sizeof(number)}};

	MUST(crypto_hmac_sha256(out, seed, LOAD_SEED_BYTES, parts, 2));
}

void load_device_make(struct load_device *d, const uint8_t seed[LOAD_SEED_BYTES],
	const char *fleet, uint32_t number)
{
	uint8_t bytes[32];

	memset(d, 0, sizeof(*d));
	snprintf(d->id, sizeof(d->id), "load-%07u", (unsigned)number);
	derive(d->mac_key, seed, "mac", number);
	derive(d->attest_private, seed, "attest", number);
	MUST(crypto_es256_public(d->attest_public, d->attest_private));
	derive(d->boot_private, seed, "boot", number);
	MUST(crypto_x25519_public(d->boot_public, d->boot_private));
	derive(d->share, seed, "share", number);
	derive(d->share_set_hash, seed, "share-set", number);
	derive(bytes, seed, "boot-id", number);
	memcpy(d->boot_id, bytes, sizeof(d->boot_id));
	/* The form of the kernel's random UUID: the first bytes are not those of a counter. */
	d->boot_id[0] |= 0x80;
	derive(bytes, seed, "volume", number);
	memcpy(d->volume_id, bytes, sizeof(d->volume_id));
	MUST(evidence_ueid(d->ueid, fleet, d->id));
}
