#include "tests/unit/device/tls_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tls_authority {
	EVP_PKEY *key;
	X509 *cert;
	char pem[4096];
};

struct tls_server {
	pthread_t thread;
	SSL_CTX *ctx;
	int listener, stop[2];
	int requests;
	struct tls_server_plan plan;
};

static char last_request[32768];

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

static X509 *make_cert(EVP_PKEY *key, const char *name, X509 *issuer, long from_s, long to_s)
{
	X509 *cert = X509_new();

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1 + (issuer != NULL));
	X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
	return cert;
}

struct tls_authority *tls_authority_make(void)
{
	struct tls_authority *a = calloc(1, sizeof(*a));

	a->key = EVP_EC_gen("P-256");
	a->cert = make_cert(a->key, "root", NULL, -3600, 3600);
	add_extension(a->cert, a->cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(a->cert, a->cert, NID_key_usage, "critical,keyCertSign");
	X509_sign(a->cert, a->key, EVP_sha256());
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, a->cert);
	int n = BIO_read(bio, a->pem, sizeof(a->pem) - 1);
	assert_true(n > 0);
	a->pem[n] = '\0';
	BIO_free(bio);
	return a;
}

void tls_authority_free(struct tls_authority *a)
{
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
	free(a);
}

const char *tls_authority_pem(const struct tls_authority *a)
{
	return a->pem;
}

static SSL_CTX *make_context(const struct tls_authority *a, const struct tls_server_plan *plan)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key, "gateway", a->cert, plan->expired ? -7200 : -3600,
		plan->expired ? -3600 : 3600);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char names[512];

	snprintf(names, sizeof(names), "DNS:%s,URI:%s", plan->dns, plan->uri);
	add_extension(cert, a->cert, NID_subject_alt_name, names);
	if (plan->extended_key_usage != NULL)
		add_extension(cert, a->cert, NID_ext_key_usage, plan->extended_key_usage);
	X509_sign(cert, a->key, EVP_sha256());
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	if (plan->max_version != 0)
		SSL_CTX_set_max_proto_version(ctx, plan->max_version);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

/* Until the whole body is here; false if the client went away. */
static bool read_request(SSL *ssl)
{
	size_t have = 0;

	for (;;) {
		int n = SSL_read(ssl, last_request + have, (int)(sizeof(last_request) - 1 - have));

		if (n <= 0)
			return false;
		have += (size_t)n;
		last_request[have] = '\0';
		const char *end = strstr(last_request, "\r\n\r\n");
		const char *length = strcasestr(last_request, "content-length:");
		if (end != NULL && length != NULL &&
			(size_t)(last_request + have - (end + 4)) >=
				strtoul(length + 15, NULL, 10))
			return true;
	}
}

static void serve(struct tls_server *s, int fd)
{
	SSL *ssl = SSL_new(s->ctx);
	struct pollfd stop = { .fd = s->stop[0], .events = POLLIN };

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		while (read_request(ssl)) {
			__atomic_add_fetch(&s->requests, 1, __ATOMIC_SEQ_CST);
			if (s->plan.answer == NULL) {
				poll(&stop, 1, -1);
				break;
			}
			if (SSL_write(ssl, s->plan.answer, (int)s->plan.answer_len) <= 0)
				break;
		}
	SSL_free(ssl);
	close(fd);
}

static void *run(void *arg)
{
	struct tls_server *s = arg;
	struct pollfd fds[] = { { .fd = s->listener, .events = POLLIN },
		{ .fd = s->stop[0], .events = POLLIN } };

	while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
		int fd = accept(s->listener, NULL, NULL);

		if (fd >= 0)
			serve(s, fd);
	}
	return NULL;
}

struct tls_server *tls_server_start(
	const struct tls_authority *a, const struct tls_server_plan *plan, unsigned int *port)
{
	struct tls_server *s = calloc(1, sizeof(*s));
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	s->plan = *plan;
	s->ctx = make_context(a, plan);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
	return s;
}

int tls_server_stop(struct tls_server *s)
{
	int requests;

	close(s->stop[1]);
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	requests = s->requests;
	close(s->stop[0]);
	close(s->listener);
	SSL_CTX_free(s->ctx);
	free(s);
	return requests;
}

const char *tls_server_last_request(void)
{
	return last_request;
}
