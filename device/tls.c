#include "device/tls.h"

#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define SUITE_1_2 "ECDHE-ECDSA-AES128-GCM-SHA256"
#define SUITES_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256"

enum cv_err tls_root_open(struct tls_root *root, const char *pem)
{
	enum cv_err err = CV_ERR_FORMAT;
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	X509_STORE *store = X509_STORE_new();

	if (store == NULL) {
		err = CV_ERR_MEMORY;
		goto out;
	}
	if (cert == NULL || X509_STORE_add_cert(store, cert) != 1)
		goto out;
	root->store = store;
	store = NULL;
	err = CV_OK;
out:
	X509_STORE_free(store);
	X509_free(cert);
	BIO_free(bio);
	return err;
}

void tls_root_close(struct tls_root *root)
{
	X509_STORE_free(root->store);
	root->store = NULL;
}

static bool has_uri(X509 *cert, const char *uri)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t want = strlen(uri);
	int count = 0;
	bool found = false;

	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_URI)
			continue;
		const ASN1_IA5STRING *text = name->d.uniformResourceIdentifier;
		count++;
		found = (size_t)ASN1_STRING_length(text) == want &&
			memcmp(ASN1_STRING_get0_data(text), uri, want) == 0;
	}
	GENERAL_NAMES_free(names);
	return found && count == 1; /* SPIFFE: exactly one */
}

static bool dates_hold(const X509 *cert)
{
	time_t now = time(NULL);

	return X509_cmp_time(X509_get0_notBefore(cert), &now) < 0 &&
		X509_cmp_time(X509_get0_notAfter(cert), &now) > 0;
}

/* In place of OpenSSL's own verification, which it calls first. */
static int verify(X509_STORE_CTX *ctx, void *arg)
{
	struct tls_peer *peer = arg;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	X509 *leaf;

	peer->fault = NULL;
	/* clocks are years off after power cuts; revocation is the records' work */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	if (X509_verify_cert(ctx) != 1) {
		peer->fault = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
		return 0;
	}
	leaf = X509_STORE_CTX_get0_cert(ctx);
	if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0 ||
		(X509_get_extended_key_usage(leaf) & XKU_SSL_SERVER) == 0)
		peer->fault = "its certificate is not for a server";
	else if (!has_uri(leaf, peer->uri))
		peer->fault = "its certificate is for another gateway or role";
	if (peer->fault != NULL) {
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	peer->dates_off = !dates_hold(leaf);
	return 1;
}

enum cv_err tls_peer_attach(struct ssl_ctx_st *ctx, struct tls_peer *peer)
{
	SSL_CTX_set1_cert_store(ctx, peer->root->store);
	SSL_CTX_set_cert_verify_callback(ctx, verify, peer);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ctx, SUITE_1_2) != 1 ||
		SSL_CTX_set_ciphersuites(ctx, SUITES_1_3) != 1 ||
		SSL_CTX_set1_groups_list(ctx, GROUPS) != 1)
		return CV_ERR_CRYPTO;
	return CV_OK;
}
