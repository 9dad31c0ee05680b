#include "tls.h"

#include <string.h>

#include <mbedtls/version.h>
#include <psa/crypto.h>

#include "heap.h"
#include "net.h"

#define SAN_URI (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6)

static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};

static int random_callback(void *context, unsigned char *out, size_t len)
{
	(void)context;
	return psa_generate_random(out, len) == PSA_SUCCESS ? 0 : -1;
}

static int send_callback(void *context, const unsigned char *data, size_t len)
{
	struct tls *t = context;
	size_t done = 0;

	t->io_error = net_write(t->fd, data, len, t->deadline_ms, &done);
	return t->io_error == CV_OK ? (int)done : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int receive_callback(void *context, unsigned char *data, size_t len)
{
	struct tls *t = context;
	size_t done = 0;

	t->io_error = net_read(t->fd, data, len, t->deadline_ms, &done);
	return t->io_error == CV_OK ? (int)done : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int names_uri(const mbedtls_x509_crt *crt, const char *uri)
{
	size_t len = strlen(uri);

	for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s != NULL; s = s->next)
		if (s->buf.tag == SAN_URI && s->buf.len == len && memcmp(s->buf.p, uri, len) == 0)
			return 1;
	return 0;
}

static int verify_callback(void *context, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
	struct tls *t = context;

	if (*flags & dates) {
		t->dates_bad = 1;
		*flags &= ~dates;
	}
	if (depth == 0 && !names_uri(crt, t->uri))
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	return 0;
}

enum cv_err tls_init(struct tls *t, const uint8_t *root_pem, size_t root_len)
{
	memset(t, 0, sizeof(*t));
	t->fd = -1;
	mbedtls_ssl_init(&t->ssl);
	mbedtls_ssl_config_init(&t->config);
	mbedtls_x509_crt_init(&t->root);
	if (mbedtls_x509_crt_parse(&t->root, root_pem, root_len) != 0)
		return CV_ERR_FORMAT;
	if (mbedtls_ssl_config_defaults(&t->config, MBEDTLS_SSL_IS_CLIENT,
		    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return CV_ERR_MEMORY;
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_min_tls_version(&t->config, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(&t->config, MBEDTLS_SSL_VERSION_TLS1_2);
#else
	mbedtls_ssl_conf_min_version(
		&t->config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
	mbedtls_ssl_conf_ciphersuites(&t->config, suites);
	mbedtls_ssl_conf_authmode(&t->config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(&t->config, &t->root, NULL);
	mbedtls_ssl_conf_verify(&t->config, verify_callback, t);
	mbedtls_ssl_conf_rng(&t->config, random_callback, NULL);
	mbedtls_ssl_conf_session_tickets(&t->config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
	return mbedtls_ssl_setup(&t->ssl, &t->config) == 0 ? CV_OK : CV_ERR_MEMORY;
}

void tls_free(struct tls *t)
{
	tls_disconnect(t);
	mbedtls_ssl_free(&t->ssl);
	mbedtls_ssl_config_free(&t->config);
	mbedtls_x509_crt_free(&t->root);
}

static enum cv_err handshake_error(const struct tls *t, int result)
{
	if (t->io_error != CV_OK)
		return t->io_error;
	if (result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
		mbedtls_ssl_get_verify_result(&t->ssl) != 0)
		return CV_ERR_SIGNATURE;
	if (result == MBEDTLS_ERR_SSL_ALLOC_FAILED)
		return CV_ERR_MEMORY;
	return result == MBEDTLS_ERR_SSL_CONN_EOF ? CV_ERR_UNREACHABLE : CV_ERR_CRYPTO;
}

/* A handshake during which an allocation failed is not believed, whatever mbedTLS says. */
static enum cv_err handshake_run(struct tls *t, struct tls_peer *peer)
{
	struct heap_stats heap;
	int result;

	heap_failures_clear();
	mbedtls_ssl_set_bio(&t->ssl, t, send_callback, receive_callback, NULL);
	if (peer->session != NULL && peer->has_session &&
		mbedtls_ssl_set_session(&t->ssl, peer->session) != 0)
		return CV_ERR_MEMORY;
	do {
		result = mbedtls_ssl_handshake(&t->ssl);
	} while (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE);
	heap_stats(&heap);
	if (heap.failures != 0)
		return CV_ERR_MEMORY;
	if (result != 0)
		return handshake_error(t, result);
	if (mbedtls_ssl_get_verify_result(&t->ssl) != 0)
		return CV_ERR_SIGNATURE;
	if (peer->session != NULL) {
		mbedtls_ssl_session_free(peer->session);
		mbedtls_ssl_session_init(peer->session);
		peer->has_session = mbedtls_ssl_get_session(&t->ssl, peer->session) == 0;
	}
	return CV_OK;
}

enum cv_err tls_connect(
	struct tls *t, struct tls_peer *peer, uint64_t connect_deadline_ms, uint64_t deadline_ms)
{
	char dns[GATEWAY_DNS_BUF];
	enum cv_err err = CV_ERR_INTERNAL;

	tls_disconnect(t);
	t->dates_bad = 0;
	t->deadline_ms = deadline_ms;
	t->io_error = CV_OK;
	err = gateway_dns_name(dns, peer->fleet, peer->gateway);
	if (err == CV_OK)
		err = spiffe_uri(t->uri, peer->fleet, "gateway", peer->gateway);
	if (err != CV_OK)
		return err;
	err = net_connect(&t->fd, peer->address, connect_deadline_ms);
	if (err != CV_OK)
		return err;
	if (mbedtls_ssl_session_reset(&t->ssl) != 0 || mbedtls_ssl_set_hostname(&t->ssl, dns) != 0)
		err = CV_ERR_MEMORY;
	if (err == CV_OK)
		err = handshake_run(t, peer);
	if (err != CV_OK)
		tls_disconnect(t);
	return err;
}

void tls_disconnect(struct tls *t)
{
	if (t->fd < 0)
		return;
	if (t->io_error == CV_OK)
		(void)mbedtls_ssl_close_notify(&t->ssl);
	net_close(t->fd);
	t->fd = -1;
}

enum cv_err tls_write(struct tls *t, const void *data, size_t len, uint64_t deadline_ms)
{
	const unsigned char *p = data;

	t->deadline_ms = deadline_ms;
	while (len > 0) {
		int n = mbedtls_ssl_write(&t->ssl, p, len);

		if (n <= 0)
			return t->io_error != CV_OK ? t->io_error : CV_ERR_UNREACHABLE;
		p += n;
		len -= (size_t)n;
	}
	return CV_OK;
}

enum cv_err tls_read(struct tls *t, void *buf, size_t len, uint64_t deadline_ms, size_t *done)
{
	int n;

	t->deadline_ms = deadline_ms;
	do {
		n = mbedtls_ssl_read(&t->ssl, buf, len);
	} while (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE);
	if (n < 0 && n != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return t->io_error != CV_OK ? t->io_error : CV_ERR_UNREACHABLE;
	*done = n > 0 ? (size_t)n : 0;
	return CV_OK;
}
