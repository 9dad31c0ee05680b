#include "gateway/tls_selftest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "protocol/id.h"

#define TIMEOUT_S 5

/* A request that no gateway can like: what counts is that the answer is HTTP. */
static const char request[] = "GET /v1/nonce HTTP/1.1\r\nHost: self-test\r\n"
			      "Content-Length: 0\r\nConnection: close\r\n\r\n";
static const char wanted[] = "HTTP/1.1 405 ";

static int connect_to(const struct config_address *a)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_S };
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;
	socklen_t len = a->ipv6 ? sizeof(*v6) : sizeof(*v4);
	int fd;

	if (a->ipv6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(a->port);
		(void)inet_pton(AF_INET6, a->host, &v6->sin6_addr);
		if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
			v6->sin6_addr = in6addr_loopback;
	} else {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(a->port);
		(void)inet_pton(AF_INET, a->host, &v4->sin_addr);
		if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
			v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&ss, len) == 0)
		return fd;
	close(fd);
	return -1;
}

static SSL_CTX *client_context(X509 *root, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_NO_CHECK_TIME);
	if (SSL_CTX_set_min_proto_version(ctx, version) == 1 &&
		SSL_CTX_set_max_proto_version(ctx, version) == 1 &&
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static const char *exchange(SSL *ssl, const char *dns)
{
	char answer[sizeof(wanted)] = "";
	size_t got = 0;

	if (SSL_set1_host(ssl, dns) != 1)
		return "OpenSSL failed";
	if (SSL_connect(ssl) != 1) {
		if (SSL_get_verify_result(ssl) != X509_V_OK)
			return X509_verify_cert_error_string(SSL_get_verify_result(ssl));
		return "the handshake failed";
	}
	if (SSL_write(ssl, request, (int)strlen(request)) != (int)strlen(request))
		return "the request could not be sent";
	while (got < strlen(wanted)) {
		int n = SSL_read(ssl, answer + got, (int)(strlen(wanted) - got));

		if (n <= 0)
			return "no answer";
		got += (size_t)n;
	}
	return memcmp(answer, wanted, strlen(wanted)) == 0 ? NULL : "the answer is not ours";
}

static enum cv_err try_version(const struct config_address *address, X509 *root, const char *dns,
	int version, char why[TLS_WHY_MAX])
{
	SSL_CTX *ctx = client_context(root, version);
	SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
	int fd = connect_to(address);
	const char *problem = "OpenSSL failed";

	if (fd < 0)
		problem = strerror(errno);
	else if (ssl != NULL && SSL_set_fd(ssl, fd) == 1)
		problem = exchange(ssl, dns);
	if (problem != NULL)
		snprintf(why, TLS_WHY_MAX, "TLS %s: %s", version == TLS1_3_VERSION ? "1.3" : "1.2",
			problem);
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	if (fd >= 0)
		close(fd);
	return problem == NULL ? CV_OK : CV_ERR_UNREACHABLE;
}

enum cv_err tls_selftest(const struct config_address *address, X509 *root, const char *fleet,
	const char *gateway, char why[TLS_WHY_MAX])
{
	char dns[GATEWAY_DNS_BUF];
	enum cv_err err = gateway_dns_name(dns, fleet, gateway);

	if (err == CV_OK)
		err = try_version(address, root, dns, TLS1_3_VERSION, why);
	if (err == CV_OK)
		err = try_version(address, root, dns, TLS1_2_VERSION, why);
	return err;
}
