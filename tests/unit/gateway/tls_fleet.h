/*
 * A fleet's TLS root for tests, the certificates it issues, and the state directory of a gateway
 * that joined it. Every call asserts that it worked.
 */
#ifndef CONCLAVE_TESTS_TLS_FLEET_H
#define CONCLAVE_TESTS_TLS_FLEET_H

#include <openssl/x509.h>

#define TLS_FLEET "plant"
#define TLS_GATEWAY "g1"
#define TLS_FLEET_DIR_BUF 64

struct tls_fleet {
	char dir[TLS_FLEET_DIR_BUF]; /* removed by tls_fleet_close */
	char state[TLS_FLEET_DIR_BUF + 16];
	EVP_PKEY *root_key;
	X509 *root;
};

struct tls_names {
	const char *uri; /* NULL: none */
	const char *dns;
	int server; /* serverAuth, else clientAuth */
};

void tls_fleet_open(struct tls_fleet *f);
void tls_fleet_close(struct tls_fleet *f);

/* The caller's to free. */
EVP_PKEY *tls_fleet_key(void);
X509 *tls_fleet_issue(const struct tls_fleet *f, EVP_PKEY *key, const struct tls_names *names);
/* The right names of this fleet's gateway, and of an operator. */
void tls_fleet_gateway_names(struct tls_names *names, const char *gateway);
X509 *tls_fleet_operator(const struct tls_fleet *f, EVP_PKEY *key, const char *id);
/* malloc'ed */
char *tls_fleet_pem(X509 *cert);

/* Runs init in f->state; the request is in DIR/g1.req. */
void tls_fleet_init(struct tls_fleet *f);
/* Writes DIR/g1.grant for that request: as `gateway`, with `cert` (NULL: the right one). */
void tls_fleet_grant(struct tls_fleet *f, const char *gateway, X509 *cert);
/* Init, grant, install. */
void tls_fleet_join(struct tls_fleet *f);
/* DIR/`name` */
const char *tls_fleet_path(const struct tls_fleet *f, const char *name);

#endif
