/*
 * A gateway's listener for tests: one thread, TLS with a certificate made to order, one canned
 * answer per request.
 */
#ifndef CONCLAVE_TESTS_DEVICE_TLS_SERVER_H
#define CONCLAVE_TESTS_DEVICE_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct tls_authority; /* a root */
struct tls_server;

struct tls_server_plan {
	const char *dns; /* subjectAltName of the certificate */
	const char *uri;
	const char *extended_key_usage; /* "serverAuth"; NULL = none */
	bool expired;
	const char *answer; /* whole HTTP answer; NULL = never answers */
	size_t answer_len;
	int max_version; /* TLS1_2_VERSION; 0 = any */
};

struct tls_authority *tls_authority_make(void);
void tls_authority_free(struct tls_authority *a);
/* NUL-terminated PEM; lives as long as the authority. */
const char *tls_authority_pem(const struct tls_authority *a);

struct tls_server *tls_server_start(
	const struct tls_authority *a, const struct tls_server_plan *plan, unsigned int *port);
/* How many requests came whole. */
int tls_server_stop(struct tls_server *s);
/* The last request, NUL-terminated; valid until the next start. */
const char *tls_server_last_request(void);

#endif
