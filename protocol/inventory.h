/*
 * The parts of a machine, by the digests of their serial numbers (docs/protocol.md section 8), and
 * which of them a rule means.
 */
#ifndef CONCLAVE_PROTOCOL_INVENTORY_H
#define CONCLAVE_PROTOCOL_INVENTORY_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/evidence.h"
#include "protocol/limits.h"

struct cJSON;

/* SHA-256(lp("conclave-inventory-v1", item, value)). */
CV_MUST_CHECK enum cv_err inventory_digest(
	uint8_t out[CV_HASH_BYTES], const char *item, const void *value, size_t len);

/* A name, or the start of names and an asterisk: "dmi.serial", "net.*", "*". */
int inventory_pattern_valid(const char *pattern);
int inventory_pattern_fits(const char *pattern, const char *item);

/* NULL if there is none of this name. */
const struct evidence_digest *inventory_find(
	const struct evidence_digest *items, size_t count, const char *name);

/*
 * An object of names and digests, each name once: of the claim `inventory`, of an operator's
 * command. At most `max` items. CV_ERR_TOO_LONG, CV_ERR_FORMAT, CV_ERR_TYPE.
 */
CV_MUST_CHECK enum cv_err inventory_get(const struct cJSON *object, struct evidence_digest *items,
	size_t max, uint8_t *count);

#endif
