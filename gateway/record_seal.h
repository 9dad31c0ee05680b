/*
 * Sealing of what lies in the store: XChaCha20-Poly1305 (libsodium's IETF construction), a random
 * nonce of 24 bytes in front. The additional data binds a blob to its place:
 *
 *   records  lp("conclave-record-v1", gateway, table, name, volume, revision), volume empty: one
 *            record holds all volumes of its device
 *   header   lp("conclave-header-v1", gateway)
 *
 * Keys      from the store key by HKDF, one for records, one for the header, one for the sum.
 * Sum       over all records, mod 2^256, of HMAC(sum key, lp("conclave-record-sum-v1", table,
 *           name, revision)): kept incrementally, so that a lost, added or older record is noticed
 *           at the next start whatever the number of devices.
 */
#ifndef CONCLAVE_GATEWAY_RECORD_SEAL_H
#define CONCLAVE_GATEWAY_RECORD_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define STORE_KEY_BYTES 32
#define SEAL_OVERHEAD (24 + 16)
#define SUM_BYTES 32

struct seal_keys { /* secret_alloc */
	uint8_t record[STORE_KEY_BYTES];
	uint8_t header[STORE_KEY_BYTES];
	uint8_t sum[STORE_KEY_BYTES];
};

struct seal_place {
	const char *gateway;
	const char *table;
	const char *name;
	uint64_t revision;
};

CV_MUST_CHECK enum cv_err seal_keys_derive(
	struct seal_keys *keys, const uint8_t store_key[STORE_KEY_BYTES]);

/* `out` gets len + SEAL_OVERHEAD bytes. */
CV_MUST_CHECK enum cv_err seal_record(uint8_t *out, const struct seal_keys *keys,
	const struct seal_place *place, const uint8_t *plain, size_t len);
/* CV_ERR_SEAL, and plain is zeroed, if it is not what was sealed for this place. */
CV_MUST_CHECK enum cv_err open_record(uint8_t *plain, size_t cap, size_t *plain_len,
	const struct seal_keys *keys, const struct seal_place *place, const uint8_t *sealed,
	size_t len);

CV_MUST_CHECK enum cv_err seal_header(uint8_t *out, const struct seal_keys *keys,
	const char *gateway, const uint8_t *plain, size_t len);
CV_MUST_CHECK enum cv_err open_header(uint8_t *plain, size_t cap, size_t *plain_len,
	const struct seal_keys *keys, const char *gateway, const uint8_t *sealed, size_t len);

CV_MUST_CHECK enum cv_err sum_add(
	uint8_t sum[SUM_BYTES], const struct seal_keys *keys, const struct seal_place *place);
CV_MUST_CHECK enum cv_err sum_remove(
	uint8_t sum[SUM_BYTES], const struct seal_keys *keys, const struct seal_place *place);

#endif
