#include "gateway/tls_cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "host/file.h"
#include "host/secret.h"

static enum cv_err fail(
	char why[TLS_WHY_MAX], enum cv_err err, const char *path, const char *what)
{
	snprintf(why, TLS_WHY_MAX, "%.160s: %s", path, what);
	ERR_clear_error();
	return err;
}

/* What was written into a memory BIO becomes a new file; the BIO's memory is wiped. */
static enum cv_err write_bio(BIO *bio, const char *path, mode_t mode, char why[TLS_WHY_MAX])
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	enum cv_err err = CV_ERR_CRYPTO;

	if (len > 0) {
		err = file_write_new(path, data, (size_t)len, mode);
		OPENSSL_cleanse(data, (size_t)len);
	}
	if (err != CV_OK)
		(void)fail(why, err, path, cv_err_text(err));
	return err;
}

enum cv_err tls_key_make(const char *path, char why[TLS_WHY_MAX])
{
	EVP_PKEY *key = NULL;
	BIO *bio = NULL;
	enum cv_err err = CV_ERR_CRYPTO;

	if (file_exists(path))
		return CV_OK;
	key = EVP_EC_gen("P-256");
	bio = BIO_new(BIO_s_mem());
	if (key == NULL || bio == NULL ||
		PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		err = fail(why, CV_ERR_CRYPTO, path, "OpenSSL makes no P-256 key");
	else
		err = write_bio(bio, path, 0600, why);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return err;
}

static int is_p256(EVP_PKEY *key)
{
	char group[64] = "";
	size_t len = 0;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
		EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1)
		return 0;
	return strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0;
}

enum cv_err tls_key_read(EVP_PKEY **out, const char *path, char why[TLS_WHY_MAX])
{
	uint8_t *pem = NULL;
	size_t len = 0;
	EVP_PKEY *key = NULL;
	BIO *bio;
	enum cv_err err = file_read_secret(&pem, &len, path, TLS_PEM_MAX);

	if (err != CV_OK)
		return fail(why, err, path, cv_err_text(err));
	bio = BIO_new_mem_buf(pem, (int)len);
	/* an empty pass phrase: never ask on a terminal */
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
	BIO_free(bio);
	secret_free(pem);
	if (key == NULL)
		return fail(why, CV_ERR_FORMAT, path, "not a private key in PEM");
	if (!is_p256(key)) {
		EVP_PKEY_free(key);
		return fail(why, CV_ERR_ALGORITHM, path, "not a P-256 key");
	}
	ERR_clear_error();
	*out = key;
	return CV_OK;
}

static X509_REQ *build_csr(EVP_PKEY *key, const char *gateway)
{
	X509_REQ *csr = X509_REQ_new();

	if (csr == NULL || X509_REQ_set_version(csr, X509_REQ_VERSION_1) != 1 ||
		X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(csr), "CN", MBSTRING_ASC,
			(const unsigned char *)gateway, -1, -1, 0) != 1 ||
		X509_REQ_set_pubkey(csr, key) != 1 || X509_REQ_sign(csr, key, EVP_sha256()) == 0) {
		X509_REQ_free(csr);
		return NULL;
	}
	return csr;
}

enum cv_err tls_csr_make(
	const char *path, const char *key_path, const char *gateway, char why[TLS_WHY_MAX])
{
	EVP_PKEY *key = NULL;
	X509_REQ *csr = NULL;
	BIO *bio = NULL;
	enum cv_err err;

	/* an ECDSA signature is random: a second request would have another fingerprint */
	if (file_exists(path))
		return CV_OK;
	err = tls_key_read(&key, key_path, why);
	if (err != CV_OK)
		return err;
	csr = build_csr(key, gateway);
	bio = BIO_new(BIO_s_mem());
	if (csr == NULL || bio == NULL || PEM_write_bio_X509_REQ(bio, csr) != 1)
		err = fail(why, CV_ERR_CRYPTO, path, "OpenSSL makes no certificate request");
	else
		err = write_bio(bio, path, 0644, why);
	BIO_free(bio);
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
	return err;
}

enum cv_err tls_csr_read(X509_REQ **out, const char *path, char why[TLS_WHY_MAX])
{
	uint8_t *pem = NULL;
	size_t len = 0;
	X509_REQ *csr = NULL;
	BIO *bio;
	enum cv_err err = file_read(&pem, &len, path, TLS_PEM_MAX);

	if (err != CV_OK)
		return fail(why, err, path, cv_err_text(err));
	bio = BIO_new_mem_buf(pem, (int)len);
	if (bio != NULL)
		csr = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	BIO_free(bio);
	free(pem);
	if (csr == NULL)
		return fail(why, CV_ERR_FORMAT, path, "not a certificate request in PEM");
	*out = csr;
	return CV_OK;
}

enum cv_err tls_csr_der(uint8_t **der, size_t *len, const X509_REQ *csr)
{
	unsigned char *made = NULL;
	int n = i2d_X509_REQ(csr, &made);
	uint8_t *copy;

	if (n <= 0)
		return CV_ERR_CRYPTO;
	copy = malloc((size_t)n);
	if (copy != NULL)
		memcpy(copy, made, (size_t)n);
	OPENSSL_free(made);
	if (copy == NULL)
		return CV_ERR_MEMORY;
	*der = copy;
	*len = (size_t)n;
	return CV_OK;
}
