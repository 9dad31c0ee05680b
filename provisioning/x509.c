#include "provisioning/x509.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "host/clock.h"
#include "protocol/crypto.h"
#include "provisioning/x509_key.h"

#define ROOT_SECONDS ((int64_t)20 * 365 * 86400)
#define BACKDATE_SECONDS 86400 /* a device's clock may be a little behind the operator's */
#define SERIAL_BYTES 16
#define PEM_MAX 16384

static enum cv_err pem_of_bio(char **pem, BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	char *text;

	if (len <= 0)
		return CV_ERR_CRYPTO;
	text = malloc((size_t)len + 1);
	if (text == NULL)
		return CV_ERR_MEMORY;
	memcpy(text, data, (size_t)len);
	text[len] = '\0';
	*pem = text;
	return CV_OK;
}

static enum cv_err certificate_pem(char **pem, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	enum cv_err err = CV_ERR_CRYPTO;

	if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1)
		err = pem_of_bio(pem, bio);
	BIO_free(bio);
	return err;
}

static X509 *certificate_read(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return cert;
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	int ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

/* Version, random serial, names, key and dates: what root and leaves share. */
static int fill_common(X509 *cert, const char *common_name, X509_NAME *issuer, EVP_PKEY *key,
	int64_t not_after_s)
{
	uint8_t serial[SERIAL_BYTES];
	X509_NAME *subject = X509_NAME_new();
	BIGNUM *number = NULL;
	int ok = 0;

	if (subject == NULL || crypto_random(serial, sizeof(serial)) != CV_OK)
		goto out;
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and always 16 bytes */
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = number != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
	     BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL &&
	     X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
		     (const unsigned char *)common_name, -1, -1, 0) == 1 &&
	     X509_set_subject_name(cert, subject) == 1 &&
	     X509_set_issuer_name(cert, issuer != NULL ? issuer : subject) == 1 &&
	     X509_set_pubkey(cert, key) == 1 &&
	     ASN1_TIME_set(X509_getm_notBefore(cert), clock_wall_s() - BACKDATE_SECONDS) != NULL &&
	     ASN1_TIME_set(X509_getm_notAfter(cert), not_after_s) != NULL;
out:
	BN_free(number);
	X509_NAME_free(subject);
	return ok;
}

enum cv_err x509_root_create(
	char **pem, const char *fleet, const uint8_t root_key[CV_ES256_PRIVATE_BYTES])
{
	EVP_PKEY *key = x509_key_private(root_key);
	X509 *cert = X509_new();
	char name[CV_ID_BUF + 32];
	enum cv_err err = CV_ERR_CRYPTO;

	snprintf(name, sizeof(name), "%.*s TLS root", CV_ID_MAX - 9, fleet);
	if (key != NULL && cert != NULL &&
		fill_common(cert, name, NULL, key, clock_wall_s() + ROOT_SECONDS) &&
		add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
		add_extension(cert, cert, NID_subject_key_identifier, "hash") &&
		X509_sign(cert, key, EVP_sha256()) > 0)
		err = certificate_pem(pem, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}

static int add_leaf_extensions(X509 *cert, X509 *root, const struct x509_leaf *leaf)
{
	char names[512];
	int n;

	if (leaf->dns != NULL)
		n = snprintf(names, sizeof(names), "URI:%s,DNS:%s", leaf->uri, leaf->dns);
	else
		n = snprintf(names, sizeof(names), "URI:%s", leaf->uri);
	return n > 0 && (size_t)n < sizeof(names) &&
	       add_extension(cert, root, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(cert, root, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(cert, root, NID_ext_key_usage,
		       leaf->dns != NULL ? "serverAuth" : "clientAuth") &&
	       add_extension(cert, root, NID_subject_alt_name, names) &&
	       add_extension(cert, root, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, root, NID_authority_key_identifier, "keyid:always");
}

enum cv_err x509_leaf_issue(char **pem, const struct x509_leaf *leaf, const char *root_pem,
	const uint8_t root_key[CV_ES256_PRIVATE_BYTES])
{
	X509 *root = certificate_read(root_pem);
	EVP_PKEY *signer = x509_key_private(root_key);
	EVP_PKEY *key = x509_key_public(leaf->public_key);
	X509 *cert = X509_new();
	enum cv_err err = CV_ERR_CRYPTO;

	if (root == NULL)
		err = CV_ERR_FORMAT;
	else if (signer != NULL && key != NULL && cert != NULL &&
		 X509_check_private_key(root, signer) == 1 &&
		 fill_common(cert, leaf->common_name, X509_get_subject_name(root), key,
			 (int64_t)leaf->not_after_s) &&
		 add_leaf_extensions(cert, root, leaf) &&
		 X509_sign(cert, signer, EVP_sha256()) > 0)
		err = certificate_pem(pem, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	EVP_PKEY_free(signer);
	X509_free(root);
	return err;
}

static enum cv_err request_der(uint8_t **der, size_t *len, X509_REQ *request)
{
	unsigned char *encoded = NULL;
	int n = i2d_X509_REQ(request, &encoded);
	uint8_t *copy;

	if (n <= 0)
		return CV_ERR_CRYPTO;
	copy = malloc((size_t)n);
	if (copy != NULL) {
		memcpy(copy, encoded, (size_t)n);
		*der = copy;
		*len = (size_t)n;
	}
	OPENSSL_free(encoded);
	return copy != NULL ? CV_OK : CV_ERR_MEMORY;
}

enum cv_err x509_request_read(
	uint8_t **der, size_t *der_len, uint8_t public_key[CV_ES256_PUBLIC_BYTES], const char *pem)
{
	BIO *bio = strlen(pem) <= PEM_MAX ? BIO_new_mem_buf(pem, -1) : NULL;
	X509_REQ *request = bio != NULL ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = request != NULL ? X509_REQ_get0_pubkey(request) : NULL;
	enum cv_err err = CV_ERR_FORMAT;

	if (key == NULL)
		goto out;
	err = x509_key_raw(public_key, key);
	if (err != CV_OK)
		goto out;
	if (X509_REQ_verify(request, key) != 1)
		err = CV_ERR_SIGNATURE;
	else
		err = request_der(der, der_len, request);
out:
	X509_REQ_free(request);
	BIO_free(bio);
	return err;
}
