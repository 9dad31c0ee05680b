/* The TLS of psk_link.c; nobody else includes this. */
#ifndef CONCLAVE_HOST_PSK_LINK_TLS_H
#define CONCLAVE_HOST_PSK_LINK_TLS_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "host/psk_link.h"

struct psk_link {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	uint8_t key[PSK_LINK_KEY_BYTES];
};

/* Takes `fd` over, also on failure. */
CV_MUST_CHECK enum cv_err psk_link_tls_open(
	struct psk_link **out, int fd, bool server, const uint8_t key[PSK_LINK_KEY_BYTES]);
void psk_link_tls_close(struct psk_link *l);

#endif
