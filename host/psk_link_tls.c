#include "host/psk_link_tls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "host/secret.h"

#define SUITE "TLS_AES_128_GCM_SHA256"
#define GROUP "X25519"

static const unsigned char identity[] = "conclave-enrol"; /* the same for all: the key is what differs */

static SSL_SESSION *make_session(SSL *ssl)
{
	static const unsigned char suite[] = {0x13, 0x01};
	const struct psk_link *l = SSL_get_app_data(ssl);
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);
	SSL_SESSION *s = SSL_SESSION_new();

	if (s != NULL && cipher != NULL &&
		SSL_SESSION_set1_master_key(s, l->key, sizeof(l->key)) == 1 &&
		SSL_SESSION_set_cipher(s, cipher) == 1 &&
		SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1)
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

static int use(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len,
	SSL_SESSION **session)
{
	(void)md;
	*session = make_session(ssl);
	*id = identity;
	*id_len = sizeof(identity) - 1;
	return *session != NULL;
}

static int find(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **session)
{
	*session = NULL; /* then the handshake goes on, and fails for want of a certificate */
	if (id_len == sizeof(identity) - 1 && memcmp(id, identity, id_len) == 0)
		*session = make_session(ssl);
	return 1;
}

static enum cv_err configure(struct psk_link *l, bool server)
{
	SSL_CTX_set_options(l->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(l->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(l->ctx,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (server)
		SSL_CTX_set_psk_find_session_callback(l->ctx, find);
	else
		SSL_CTX_set_psk_use_session_callback(l->ctx, use);
	/*
	 * no store: a certificate in the place of the key is never believed; a server asks for none
	 */
	SSL_CTX_set_verify(l->ctx, server ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_min_proto_version(l->ctx, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set_ciphersuites(l->ctx, SUITE) != 1 ||
		SSL_CTX_set1_groups_list(l->ctx, GROUP) != 1)
		return CV_ERR_CRYPTO;
	l->ssl = SSL_new(l->ctx);
	if (l->ssl == NULL || SSL_set_fd(l->ssl, l->fd) != 1)
		return CV_ERR_CRYPTO;
	SSL_set_app_data(l->ssl, l);
	if (server)
		SSL_set_accept_state(l->ssl);
	else
		SSL_set_connect_state(l->ssl);
	return CV_OK;
}

enum cv_err psk_link_tls_open(
	struct psk_link **out, int fd, bool server, const uint8_t key[PSK_LINK_KEY_BYTES])
{
	struct psk_link *l = secret_alloc(sizeof(*l));
	enum cv_err err = CV_ERR_CRYPTO;

	if (l == NULL) {
		close(fd);
		return CV_ERR_MEMORY;
	}
	l->fd = fd;
	memcpy(l->key, key, sizeof(l->key));
	l->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (l->ctx != NULL)
		err = configure(l, server);
	if (err == CV_OK)
		*out = l;
	else
		psk_link_tls_close(l);
	return err;
}

void psk_link_tls_close(struct psk_link *l)
{
	SSL_free(l->ssl);
	SSL_CTX_free(l->ctx);
	close(l->fd);
	ERR_clear_error();
	secret_free(l);
}
