#include "bench/tls_pair.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "bench/measure.h"

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name;

	MUST(!cert || !X509_set_version(cert, X509_VERSION_3));
	name = X509_get_subject_name(cert);
	MUST(!X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0));
	MUST(!X509_set_issuer_name(cert, name));
	MUST(!ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
	MUST(!X509_gmtime_adj(X509_getm_notBefore(cert), 0));
	MUST(!X509_gmtime_adj(X509_getm_notAfter(cert), 86400));
	MUST(!X509_set_pubkey(cert, key));
	MUST(!X509_sign(cert, key, EVP_sha256()));
	return cert;
}

static SSL_CTX *make_context(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	MUST(!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION));
	MUST(!SSL_CTX_set1_groups_list(ctx, "X25519"));
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

/* The client verifies the certificate, as a device does. */
void tls_pair_open(struct tls_pair *tp)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert;

	MUST(!key);
	cert = make_certificate(key);
	tp->server = make_context(TLS_server_method());
	tp->client = make_context(TLS_client_method());
	MUST(!SSL_CTX_use_certificate(tp->server, cert));
	MUST(!SSL_CTX_use_PrivateKey(tp->server, key));
	MUST(!X509_STORE_add_cert(SSL_CTX_get_cert_store(tp->client), cert));
	SSL_CTX_set_verify(tp->client, SSL_VERIFY_PEER, NULL);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void tls_pair_close(struct tls_pair *tp)
{
	SSL_CTX_free(tp->server);
	SSL_CTX_free(tp->client);
}

struct spent {
	uint64_t server_ns;
	uint64_t client_ns;
};

static void advance(SSL *ssl, uint64_t *spent_ns)
{
	uint64_t start = measure_now_ns();
	int rc = SSL_do_handshake(ssl);

	*spent_ns += measure_now_ns() - start;
	MUST(rc != 1 && SSL_get_error(ssl, rc) != SSL_ERROR_WANT_READ);
}

static void one_handshake(struct tls_pair *tp, struct spent *spent)
{
	uint64_t start = measure_now_ns();
	SSL *server = SSL_new(tp->server), *client;
	BIO *left = NULL, *right = NULL;

	MUST(!server);
	spent->server_ns += measure_now_ns() - start;
	start = measure_now_ns();
	client = SSL_new(tp->client);
	MUST(!client);
	spent->client_ns += measure_now_ns() - start;
	MUST(!BIO_new_bio_pair(&left, 0, &right, 0));
	SSL_set_bio(server, left, left);
	SSL_set_bio(client, right, right);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	while (!SSL_is_init_finished(server) || !SSL_is_init_finished(client)) {
		advance(client, &spent->client_ns);
		advance(server, &spent->server_ns);
	}
	SSL_free(client);
	SSL_free(server);
}

uint64_t tls_pair_server(void *context, size_t times)
{
	struct spent spent = {0, 0};

	while (times--)
		one_handshake(context, &spent);
	return spent.server_ns;
}

uint64_t tls_pair_client(void *context, size_t times)
{
	struct spent spent = {0, 0};

	while (times--)
		one_handshake(context, &spent);
	return spent.client_ns;
}
