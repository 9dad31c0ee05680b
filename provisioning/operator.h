/*
 * An operator of the fleet: a certificate by the fleet's root with roles and an expiry, the key
 * that signs, and a TLS client certificate with a key of its own.
 *
 * Errors print their line.
 */
#ifndef CONCLAVE_PROVISIONING_OPERATOR_H
#define CONCLAVE_PROVISIONING_OPERATOR_H

#include "protocol/opcert.h"
#include "provisioning/fleet.h"

struct operator {
	char name[CV_ID_BUF];
	struct key_pair *keys; /* secret_alloc */
	struct opcert cert;
	char *cert_text; /* compact JWS */
	char *tls_cert;	 /* PEM */
};

/* --operator, $CONCLAVE_OPERATOR, else "admin"; checks that the certificate has `role`. */
CV_MUST_CHECK enum cv_err operator_open(struct operator *op, const struct fleet *fleet,
	const struct context *ctx, struct passphrase *passphrase, enum op_role role);
void operator_wipe(struct operator *op);
struct jws_signer operator_signer(const struct operator *op);

struct operator_spec {
	const char *fleet_id;
	const char *name;
	uint32_t roles;
	uint64_t days;
	const struct key_pair *root;
	const char *tls_root;
	const char *passphrase; /* NULL: keys in clear */
};

/* New certificates for the keys that are there already. */
CV_MUST_CHECK enum cv_err operator_renew(
	const char *dir, const struct operator_spec *spec, const struct key_pair *keys);
/* Makes keys and certificates in the directory `dir` (DIR/operators/NAME). CV_ERR_EXISTS. */
CV_MUST_CHECK enum cv_err operator_create(const char *dir, const struct operator_spec *spec);

#endif
