/*
 * What a board gives the microcontroller client. One implementation per port, in a folder of
 * ports/; what several ports share lies beside these folders.
 *
 * Threads: the client runs in one. Times: ports may sleep only in port_wait_ms and in the socket
 * calls that net.c makes.
 */
#ifndef CONCLAVE_MCU_PORT_H
#define CONCLAVE_MCU_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/evidence.h"

/* Seconds since 1970, or 0 when the board does not know. */
uint64_t port_unix_s(void);
/* Since start, never going back. */
uint64_t port_monotonic_ms(void);
void port_wait_ms(uint32_t ms);

/*
 * Named values in non-volatile memory (docs/protocol.md section 11 has the names). port_nv_get:
 * CV_ERR_NOT_FOUND, CV_ERR_TOO_LONG if it does not fit. port_nv_set is atomic: after a power cut
 * the old or the new value is there.
 */
CV_MUST_CHECK enum cv_err port_nv_get(const char *name, void *out, size_t cap, size_t *len);
CV_MUST_CHECK enum cv_err port_nv_set(const char *name, const void *data, size_t len);

/* Fills the claims about this board: model, software, firmware digest, debug state. */
CV_MUST_CHECK enum cv_err port_platform(struct evidence_platform *platform);
/* ES256 with the device's attestation key, wherever the board keeps it. */
CV_MUST_CHECK enum cv_err port_sign(
	void *context, const uint8_t hash[CV_HASH_BYTES], uint8_t sig[CV_ES256_SIG_BYTES]);

/*
 * The security version of the running firmware: goes up when a release mends something that older
 * ones must not bring back.
 */
uint32_t port_firmware_version(void);

/*
 * Gives the application its settings: a JSON object of `len` bytes that are wiped when the call
 * returns. An error locks the device. port_settings_forget takes back what was given.
 */
CV_MUST_CHECK enum cv_err port_settings_apply(const char *json, size_t len);
void port_settings_forget(void);

/* Instructions this board executed since start; 0 if it does not count them. For figures only. */
uint64_t port_instructions(void);

/*
 * The mount pin: 1 after the settings were applied, 0 before, after any failure, when locked again.
 */
void port_mount_signal(int mounted);
/*
 * Zeroed memory for everything secret of one boot, asked for once at a time; kept from swap and
 * dumps where such things exist. NULL if there is none.
 */
void *port_secret_memory(size_t len);
/* One line, no secrets. */
void port_log(const char *line);

#endif
