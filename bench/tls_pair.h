/*
 * TLS 1.3 handshakes in memory, with a fresh P-256 certificate, X25519 and no resumption: what the
 * two sides cost without a network.
 */
#ifndef CONCLAVE_BENCH_TLS_PAIR_H
#define CONCLAVE_BENCH_TLS_PAIR_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

struct tls_pair {
	SSL_CTX *server;
	SSL_CTX *client;
};

void tls_pair_open(struct tls_pair *tp);
void tls_pair_close(struct tls_pair *tp);

/* `times` whole handshakes; the ns that one side spent on them. The context is a struct tls_pair. */
uint64_t tls_pair_server(void *context, size_t times);
uint64_t tls_pair_client(void *context, size_t times);

#endif
