#include "gateway/tls.h"

#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "gateway/config_state.h"

#define SUITE_12 "ECDHE-ECDSA-AES128-GCM-SHA256"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256"
#define SIGNATURES "ECDSA+SHA256"
/* microcontrollers receive into small buffers */
#define DEVICE_FRAGMENT_BYTES 2048

enum cv_err tls_library_init(void)
{
	uint64_t what = OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_SSL_STRINGS |
		OPENSSL_INIT_LOAD_CONFIG;

	return OPENSSL_init_ssl(what, NULL) == 1 ? CV_OK : CV_ERR_CRYPTO;
}

static enum cv_err load(struct tls_identity *fresh, const char *state, char why[TLS_WHY_MAX])
{
	char path[FILE_PATH_BUF];
	enum cv_err err = state_path(path, state, STATE_TLS_KEY);

	if (err == CV_OK)
		err = tls_key_read(&fresh->key, path, why);
	if (err == CV_OK)
		err = state_path(path, state, STATE_TLS_CRT);
	if (err == CV_OK)
		err = tls_certificate_read(&fresh->cert, path, why);
	if (err == CV_OK)
		err = tls_gateway_certificate_check(fresh->cert, fresh->root, fresh->key,
			fresh->fleet, fresh->gateway, why);
	return err;
}

enum cv_err tls_identity_load(struct tls_identity *id, const char *state, char why[TLS_WHY_MAX])
{
	struct tls_identity fresh = {
		.root = id->root, .fleet = id->fleet, .gateway = id->gateway
	};
	X509 *old_cert;
	EVP_PKEY *old_key;
	enum cv_err err = load(&fresh, state, why);

	if (err != CV_OK) {
		X509_free(fresh.cert);
		EVP_PKEY_free(fresh.key);
		return err;
	}
	pthread_rwlock_wrlock(&id->lock);
	old_cert = id->cert;
	old_key = id->key;
	id->cert = fresh.cert;
	id->key = fresh.key;
	pthread_rwlock_unlock(&id->lock);
	X509_free(old_cert);
	EVP_PKEY_free(old_key);
	return CV_OK;
}

enum cv_err tls_identity_open(struct tls_identity *id, const char *state, const char *fleet,
	const char *gateway, char why[TLS_WHY_MAX])
{
	char path[FILE_PATH_BUF];
	enum cv_err err = state_path(path, state, STATE_TLS_ROOT);

	*id = (struct tls_identity){ .fleet = fleet, .gateway = gateway };
	if (pthread_rwlock_init(&id->lock, NULL) != 0)
		return CV_ERR_MEMORY;
	if (err == CV_OK)
		err = tls_certificate_read(&id->root, path, why);
	if (err == CV_OK)
		err = tls_identity_load(id, state, why);
	if (err != CV_OK)
		tls_identity_close(id);
	return err;
}

void tls_identity_close(struct tls_identity *id)
{
	X509_free(id->root);
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	id->root = NULL;
	id->cert = NULL;
	id->key = NULL;
	pthread_rwlock_destroy(&id->lock);
}

static int on_certificate(SSL *ssl, void *arg)
{
	struct tls_identity *id = arg;
	int ok;

	pthread_rwlock_rdlock(&id->lock);
	ok = SSL_use_cert_and_key(ssl, id->cert, id->key, NULL, 1);
	pthread_rwlock_unlock(&id->lock);
	return ok;
}

static int offers_tls13(SSL *ssl)
{
	const unsigned char *list;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &list, &len) != 1)
		return 0;
	for (size_t i = 1; i + 1 < len; i += 2)
		if (list[i] == 3 && list[i + 1] == 4)
			return 1;
	return 0;
}

static int offers_extended_master_secret(SSL *ssl)
{
	const unsigned char *data;
	size_t len;

	return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_extended_master_secret, &data, &len);
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	tls_admit admit = *(tls_admit *)arg;

	/* what the client offers, the library uses; it only does not insist */
	if (!offers_tls13(ssl) && !offers_extended_master_secret(ssl)) {
		*alert = SSL_AD_HANDSHAKE_FAILURE;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (admit != NULL && !admit(ssl)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* One slot for each of the two listeners' hooks: the library carries a data pointer only. */
static SSL_CTX *new_context(struct tls_identity *id, tls_admit *hook, tls_admit admit)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return NULL;
	*hook = admit;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, hook);
	SSL_CTX_set_cert_cb(ctx, on_certificate, id);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
		SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
		SSL_CTX_set_cipher_list(ctx, SUITE_12) == 1 &&
		SSL_CTX_set_ciphersuites(ctx, SUITES_13) == 1 &&
		SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
		SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) == 1 &&
		SSL_CTX_set_max_early_data(ctx, 0) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

SSL_CTX *tls_devices_context(struct tls_identity *id, tls_admit admit)
{
	static tls_admit hook;
	SSL_CTX *ctx = new_context(id, &hook, admit);

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_num_tickets(ctx, 1);
	if (SSL_CTX_set_max_send_fragment(ctx, DEVICE_FRAGMENT_BYTES) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* The chain was checked; the names are ours to check. */
static int on_operator(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_identity *id = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	char operator_id[CV_ID_BUF];

	if (!ok || X509_STORE_CTX_get_error_depth(store) != 0)
		return ok;
	if (tls_operator_id(operator_id, X509_STORE_CTX_get_current_cert(store), id->fleet) == CV_OK)
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

SSL_CTX *tls_operators_context(struct tls_identity *id, tls_admit admit)
{
	static tls_admit hook;
	SSL_CTX *ctx = new_context(id, &hook, admit);

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_app_data(ctx, id);
	/* a resumed session would carry an old verdict about the client */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_operator);
	SSL_CTX_set_verify_depth(ctx, 0);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_NO_CHECK_TIME);
	if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), id->root) == 1 &&
		SSL_CTX_add_client_CA(ctx, id->root) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}
