/*
 * One TLS 1.2 connection at a time (ECDHE-ECDSA-AES128-GCM-SHA256, extended master secret, session
 * tickets) through mbedTLS 2.28 or 3.6. The chain must end at the pinned root; DNS name, URI and
 * serverAuth are always checked; only validity dates are tolerated, and reported (a board's clock
 * can be years off after a power cut).
 *
 * Errors of tls_connect: CV_ERR_UNREACHABLE, CV_ERR_TIMEOUT, CV_ERR_SIGNATURE (the certificate is
 * not this gateway's), CV_ERR_MEMORY (an allocation failed during the handshake: it is discarded
 * even if mbedTLS went on), CV_ERR_CRYPTO.
 */
#ifndef CONCLAVE_MCU_TLS_H
#define CONCLAVE_MCU_TLS_H

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "protocol/err.h"
#include "protocol/id.h"

struct tls {
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	mbedtls_x509_crt root;
	int fd;			/* -1 when not connected */
	uint64_t deadline_ms;	/* of the call under way */
	enum cv_err io_error;
	int dates_bad;		/* the certificate's dates do not fit the clock */
	char uri[SPIFFE_URI_BUF];
};

/* root_pem is NUL-terminated; root_len counts the NUL. */
CV_MUST_CHECK enum cv_err tls_init(struct tls *t, const uint8_t *root_pem, size_t root_len);
void tls_free(struct tls *t);

struct tls_peer {
	const char *address; /* HOST:PORT */
	const char *fleet;
	const char *gateway;
	mbedtls_ssl_session *session; /* in and out, or NULL; has_session says if it holds one */
	int has_session;
};

CV_MUST_CHECK enum cv_err tls_connect(
	struct tls *t, struct tls_peer *peer, uint64_t connect_deadline_ms, uint64_t deadline_ms);
void tls_disconnect(struct tls *t);
CV_MUST_CHECK enum cv_err tls_write(
	struct tls *t, const void *data, size_t len, uint64_t deadline_ms);
/* *done 0: the peer closed. */
CV_MUST_CHECK enum cv_err tls_read(
	struct tls *t, void *buf, size_t len, uint64_t deadline_ms, size_t *done);

#endif
