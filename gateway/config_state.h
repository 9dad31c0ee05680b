/*
 * The state directory and what `init` and `install` pin in it.
 *
 *   gateway.json          {"v":1,"gateway":ID} after init; install adds "fleet" and "fleet_root".
 *                         The fleet root is pinned once
 *   front/                tls.key tls.csr tls.crt tls-root.crt
 *   keeper/               store.db store.key keys/
 *   sender/               outbox.db
 */
#ifndef CONCLAVE_GATEWAY_CONFIG_STATE_H
#define CONCLAVE_GATEWAY_CONFIG_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/file.h"
#include "protocol/err.h"
#include "protocol/limits.h"

#define STATE_PIN "gateway.json"
#define STATE_FRONT "front"
#define STATE_TLS_KEY "front/tls.key"
#define STATE_TLS_CSR "front/tls.csr"
#define STATE_TLS_CRT "front/tls.crt"
#define STATE_TLS_ROOT "front/tls-root.crt"
#define STATE_KEEPER "keeper"
#define STATE_STORE "keeper/store.db"
#define STATE_STORE_KEY "keeper/store.key"
#define STATE_KEYS "keeper/keys"
#define STATE_SENDER "sender"
#define STATE_OUTBOX "sender/outbox.db"

struct state_pin {
	char gateway[CV_ID_BUF];
	bool joined; /* the rest is set */
	char fleet[CV_ID_BUF];
	uint8_t fleet_root[CV_ES256_PUBLIC_BYTES];
};

/* `state`/`name`; CV_ERR_TOO_LONG. */
CV_MUST_CHECK enum cv_err state_path(
	char out[FILE_PATH_BUF], const char *state, const char *name);
/* CV_ERR_NOT_FOUND before init; CV_ERR_FORMAT, CV_ERR_VERSION. */
CV_MUST_CHECK enum cv_err state_pin_read(struct state_pin *pin, const char *state);
CV_MUST_CHECK enum cv_err state_pin_write(const struct state_pin *pin, const char *state);

#endif
