/*
 * What a gateway must show before it is spoken to (docs/protocol.md section 3): a certificate
 * from the fleet's pinned root, for its DNS name (libcurl compares it), with the URI of this very
 * gateway and the server's purpose. Validity dates are tolerated, and noted.
 */
#ifndef CONCLAVE_DEVICE_TLS_H
#define CONCLAVE_DEVICE_TLS_H

#include <stdbool.h>

#include "protocol/id.h"

struct ssl_ctx_st;
struct x509_store_st;

struct tls_root {
	struct x509_store_st *store;
};

/* One peer's expectations and what was found; lives as long as its connections. */
struct tls_peer {
	const struct tls_root *root;
	char uri[SPIFFE_URI_BUF];
	bool dates_off;	   /* out: outside its validity by our clock */
	const char *fault; /* out: why it was refused, static text; NULL if not */
};

/* PEM of exactly one certificate. CV_ERR_FORMAT. */
CV_MUST_CHECK enum cv_err tls_root_open(struct tls_root *root, const char *pem);
void tls_root_close(struct tls_root *root);

/* Puts the root and the check into a fresh SSL_CTX. `peer` must outlive it. */
CV_MUST_CHECK enum cv_err tls_peer_attach(struct ssl_ctx_st *ctx, struct tls_peer *peer);

#endif
