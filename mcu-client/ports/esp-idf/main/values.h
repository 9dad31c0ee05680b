/*
 * The named values of this board (docs/protocol.md section 11) in NVS, which is encrypted by the
 * HMAC scheme of ESP-IDF. mac.root and attest.key are sealed on top of that (seal.h).
 *
 * The image that `conclave device add --mcu --image` wrote is found in the partition "conclave",
 * moved into NVS, and erased. The move may be cut at any instant and is then done again.
 *
 * Threads  one. Compile-checked against declarations; never linked or run.
 */
#ifndef CONCLAVE_ESP_VALUES_H
#define CONCLAVE_ESP_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

/* CV_ERR_NOT_FOUND: never provisioned. CV_ERR_TAMPERED: the image is damaged. CV_ERR_IO. */
CV_MUST_CHECK enum cv_err values_open(void);
/* CV_ERR_NOT_FOUND, CV_ERR_TOO_LONG, CV_ERR_IO, CV_ERR_SEAL (sealed by another chip). */
CV_MUST_CHECK enum cv_err values_get(const char *name, void *out, size_t cap, size_t *len);
/* Atomic: NVS keeps the old value until the new one is complete. */
CV_MUST_CHECK enum cv_err values_set(const char *name, const void *data, size_t len);

#endif
