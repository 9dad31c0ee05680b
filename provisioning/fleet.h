/*
 * The fleet's directory on an operator's machine: `--fleet DIR`, $CONCLAVE_FLEET, else
 * ./conclave-fleet.
 *
 *	fleet.json                      name, root key, TLS root; nothing secret
 *	root/keys                       the fleet's root key and TLS root key (keyfile.h)
 *	operators/NAME/                 cert.jws tls.pem keys
 *	gateways/ID.json                keys and addresses of a gateway
 *	devices/ID/                     device.json share-set.jws policy.json packages/GATEWAY.jws bundle
 *	seen.json                       newest revision and audit head seen, per gateway
 *	lock                            held by the verbs that add something
 *
 * Errors print their line.
 */
#ifndef CONCLAVE_PROVISIONING_FLEET_H
#define CONCLAVE_PROVISIONING_FLEET_H

#include "host/file.h"
#include "protocol/jws.h"
#include "provisioning/keyfile.h"
#include "provisioning/passphrase.h"
#include "provisioning/verb.h"

#define FLEET_DOCUMENT_MAX 65536

struct fleet {
	char dir[FILE_PATH_BUF];
	int lock_fd; /* -1: not held */
	char id[CV_ID_BUF];
	uint8_t root_key[CV_ES256_PUBLIC_BYTES];
	char *tls_root; /* PEM */
};

/* The directory that is meant; lives as long as the command line and the environment. */
const char *fleet_dir(const struct context *ctx);

/* `exclusive` takes the lock: CV_ERR_BUSY if another verb that adds something runs. */
CV_MUST_CHECK enum cv_err fleet_open(
	struct fleet *fleet, const struct context *ctx, bool exclusive);
void fleet_close(struct fleet *fleet);
/* Writes fleet.json of a new fleet into `dir`. Prints nothing. */
CV_MUST_CHECK enum cv_err fleet_write(const char *dir, const char *id,
	const uint8_t root_key[CV_ES256_PUBLIC_BYTES], const char *tls_root);

/* DIR/..., printf-like. */
CV_MUST_CHECK enum cv_err fleet_path(const struct fleet *fleet, char out[FILE_PATH_BUF],
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Opens a key file, asking for the passphrase if it is sealed. *keys is secret_alloc memory. */
CV_MUST_CHECK enum cv_err fleet_read_keys(struct key_pair **keys, const struct context *ctx,
	struct passphrase *passphrase, const char *path, const char *whose);

/*
 * Calls `each` with every id in a folder of the fleet, sorted: names without `suffix`, which is ""
 * for directories. Stops at the first result that is not CV_OK and returns it.
 */
CV_MUST_CHECK enum cv_err fleet_each(const struct fleet *fleet, const char *folder,
	const char *suffix, enum cv_err (*each)(void *user, const char *id), void *user);

#endif
