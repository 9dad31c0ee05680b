#include "gateway/tls_cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "host/file.h"
#include "protocol/id.h"

static enum cv_err fail(char why[TLS_WHY_MAX], enum cv_err err, const char *what)
{
	snprintf(why, TLS_WHY_MAX, "%s", what);
	ERR_clear_error();
	return err;
}

enum cv_err tls_certificate_parse(X509 **out, const char *pem, size_t len, char why[TLS_WHY_MAX])
{
	BIO *bio = len <= TLS_PEM_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	X509 *second = cert != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	if (cert == NULL)
		return fail(why, CV_ERR_FORMAT, "not a certificate in PEM");
	if (second != NULL) {
		X509_free(second);
		X509_free(cert);
		return fail(why, CV_ERR_FORMAT, "more than one certificate");
	}
	*out = cert;
	return CV_OK;
}

enum cv_err tls_certificate_read(X509 **out, const char *path, char why[TLS_WHY_MAX])
{
	uint8_t *pem = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&pem, &len, path, TLS_PEM_MAX);

	if (err != CV_OK) {
		snprintf(why, TLS_WHY_MAX, "%.180s: %s", path, cv_err_text(err));
		return err;
	}
	err = tls_certificate_parse(out, (const char *)pem, len, why);
	free(pem);
	return err;
}

uint64_t tls_not_after_s(const X509 *cert)
{
	struct tm tm;
	time_t t;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
		return 0;
	t = timegm(&tm);
	return t > 0 ? (uint64_t)t : 0;
}

static int name_equal(const ASN1_IA5STRING *name, const char *want)
{
	size_t len = strlen(want);

	return ASN1_STRING_length(name) == (int)len &&
		memcmp(ASN1_STRING_get0_data(name), want, len) == 0;
}

/* Exactly this URI and this DNS name, each once; other kinds of names are refused too. */
static int names_are(X509 *cert, const char *uri, const char *dns)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int uris = 0, dnss = 0, wrong = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_URI && name_equal(name->d.uniformResourceIdentifier, uri))
			uris++;
		else if (name->type == GEN_DNS && name_equal(name->d.dNSName, dns))
			dnss++;
		else
			wrong++;
	}
	GENERAL_NAMES_free(names);
	return uris == 1 && dnss == 1 && wrong == 0;
}

static enum cv_err verify_issuer(X509 *cert, X509 *root, char why[TLS_WHY_MAX])
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	enum cv_err err = CV_ERR_CRYPTO;

	if (store == NULL || ctx == NULL || X509_STORE_add_cert(store, root) != 1 ||
		X509_STORE_CTX_init(ctx, store, cert, NULL) != 1) {
		snprintf(why, TLS_WHY_MAX, "OpenSSL failed");
		goto out;
	}
	X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
	err = CV_OK;
	if (X509_verify_cert(ctx) != 1) {
		err = CV_ERR_SIGNATURE;
		snprintf(why, TLS_WHY_MAX, "the certificate does not verify under the TLS root: %s",
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
out:
	ERR_clear_error();
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return err;
}

enum cv_err tls_gateway_certificate_check(X509 *cert, X509 *root, EVP_PKEY *key, const char *fleet,
	const char *gateway, char why[TLS_WHY_MAX])
{
	char uri[SPIFFE_URI_BUF], dns[GATEWAY_DNS_BUF];
	EVP_PKEY *certified = X509_get0_pubkey(cert);
	enum cv_err err = spiffe_uri(uri, fleet, "gateway", gateway);

	if (err == CV_OK)
		err = gateway_dns_name(dns, fleet, gateway);
	if (err != CV_OK)
		return fail(why, err, "the fleet's or the gateway's id is not an id");
	if (certified == NULL || EVP_PKEY_eq(certified, key) != 1)
		return fail(why, CV_ERR_MISMATCH, "the certificate is for another TLS key");
	if (!names_are(cert, uri, dns)) {
		snprintf(why, TLS_WHY_MAX, "the certificate does not name %.160s", uri);
		return CV_ERR_MISMATCH;
	}
	return verify_issuer(cert, root, why);
}

enum cv_err tls_operator_id(char out[CV_ID_BUF], X509 *cert, const char *fleet)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char prefix[SPIFFE_URI_BUF];
	int n = snprintf(prefix, sizeof(prefix), "spiffe://%s/operator/", fleet);
	enum cv_err err = CV_ERR_MISMATCH;

	if (sk_GENERAL_NAME_num(names) == 1) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
		const ASN1_IA5STRING *uri = name->type == GEN_URI ?
			name->d.uniformResourceIdentifier : NULL;
		const char *text = uri != NULL ? (const char *)ASN1_STRING_get0_data(uri) : NULL;
		int len = uri != NULL ? ASN1_STRING_length(uri) : 0;

		if (len > n && memcmp(text, prefix, (size_t)n) == 0 &&
			id_copy(out, text + n, (size_t)(len - n)) == CV_OK)
			err = CV_OK;
	}
	GENERAL_NAMES_free(names);
	return err;
}
