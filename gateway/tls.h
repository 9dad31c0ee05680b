/*
 * The TLS of the two listeners (docs/protocol.md section 3): 1.3, and 1.2 with one suite, extended
 * master secret demanded; P-256 and X25519; no renegotiation, no early data, no compression.
 *
 * The certificate is given to each handshake by a callback, so that tls_identity_load swaps it for
 * new connections while old ones go on.
 *
 * Threads  tls_identity_load and handshakes from any thread.
 */
#ifndef CONCLAVE_GATEWAY_TLS_H
#define CONCLAVE_GATEWAY_TLS_H

#include <pthread.h>

#include <openssl/ssl.h>

#include "gateway/tls_cert.h"
#include "protocol/err.h"

struct tls_identity {
	pthread_rwlock_t lock;
	const char *fleet;
	const char *gateway;
	X509 *root; /* pinned: never swapped */
	X509 *cert;
	EVP_PKEY *key;
};

/* Loads OpenSSL's tables and error texts: before files are closed to the process. */
CV_MUST_CHECK enum cv_err tls_library_init(void);

/*
 * Reads the pinned root, certificate and key below `state` and checks them against each other. On
 * failure what was loaded before stays, and `why` has one line. The first call makes the struct.
 * fleet and gateway must stay.
 */
CV_MUST_CHECK enum cv_err tls_identity_open(struct tls_identity *id, const char *state,
	const char *fleet, const char *gateway, char why[TLS_WHY_MAX]);
CV_MUST_CHECK enum cv_err tls_identity_load(
	struct tls_identity *id, const char *state, char why[TLS_WHY_MAX]);
void tls_identity_close(struct tls_identity *id);

/* Asked at each ClientHello, before any signature is made; 0 turns the client away. */
typedef int (*tls_admit)(SSL *ssl);

/* NULL on failure (OpenSSL's). The identity must outlive the context; SSL_CTX_free releases it. */
SSL_CTX *tls_devices_context(struct tls_identity *id, tls_admit admit);
/* The client must show a certificate of the pinned root with an operator's URI. */
SSL_CTX *tls_operators_context(struct tls_identity *id, tls_admit admit);

#endif
