/*
 * One device asking one gateway for its share over a new TLS connection, as conclave-device does:
 * TLS 1.3 with the chain and the gateway's name verified, POST /v1/nonce, a token signed over that
 * nonce, POST /v1/authorize on the same connection. Blocking; one thread per client.
 */
#ifndef CONCLAVE_BENCH_LOAD_CLIENT_H
#define CONCLAVE_BENCH_LOAD_CLIENT_H

#include <stdbool.h>

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "bench/load_device.h"
#include "protocol/reason.h"

struct load_target {
	struct sockaddr_in address;
	const char *fleet;   /* NULL: handshakes only */
	const char *gateway;
	const char *name;    /* in the certificate */
	SSL_CTX *tls;
};

enum load_fault {
	LOAD_OK = 0,
	LOAD_CONNECT,
	LOAD_TLS,
	LOAD_HTTP,   /* cut, or not HTTP */
	LOAD_STATUS, /* an answer that is not 200 */
	LOAD_MAC,
	LOAD_MESSAGE,
	LOAD_SHARE,
	LOAD_FAULTS_
};

const char *load_fault_name(enum load_fault fault);

/* Roots from a PEM file; TLS 1.3 with X25519, no session resumption. */
SSL_CTX *load_client_tls(const char *ca_file);

/* Connect, TLS, close. */
enum load_fault load_handshake(const struct load_target *target);
/* The whole release; `open` also opens the sealed share and compares it. */
enum load_fault load_release(
	const struct load_target *target, const struct load_device *device, bool open);

#endif
