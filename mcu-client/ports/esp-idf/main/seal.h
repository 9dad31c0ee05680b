/*
 * Sealing small secrets to this chip: AES-256-GCM under HMAC-SHA-256(eFuse key block,
 * lp("conclave-esp-seal-v1", name)), computed by the HMAC peripheral, which software cannot read.
 * Sealed form: nonce 12, ciphertext, tag 16.
 *
 * Source   ESP32-C3 Technical Reference Manual, chapter HMAC Accelerator (upstream mode).
 * Threads  one. Compile-checked against declarations; never linked or run.
 */
#ifndef CONCLAVE_ESP_SEAL_H
#define CONCLAVE_ESP_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

#define SEAL_PLAIN_MAX 64
#define SEAL_OVERHEAD 28

/* 0: this build seals nothing (CONCLAVE_SEAL_KEYS). */
int seal_available(void);
/* CV_ERR_CONFIG: the key block holds no key for HMAC. */
CV_MUST_CHECK enum cv_err seal_close(uint8_t *out, size_t cap, size_t *len, const char *name,
	const uint8_t *plain, size_t plain_len);
/* CV_ERR_SEAL: another chip's, another name's, or changed. */
CV_MUST_CHECK enum cv_err seal_open(uint8_t *out, size_t cap, size_t *len, const char *name,
	const uint8_t *sealed, size_t sealed_len);

#endif
