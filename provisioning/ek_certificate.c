#include "provisioning/ek_certificate.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "host/file.h"
#include "provisioning/ek_key.h"

#define EK_PURPOSE "2.23.133.8.1" /* tcg-kp-EKCertificate */
#define DEPTH_MAX 6

struct roots {
	X509_STORE *anchors;
	STACK_OF(X509) *others;
	size_t anchor_count;
	size_t count;
};

static enum cv_err refuse(char why[EK_CERTIFICATE_WHY_BUF], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum cv_err refuse(char why[EK_CERTIFICATE_WHY_BUF], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, EK_CERTIFICATE_WHY_BUF, format, args);
	va_end(args);
	return CV_ERR_SIGNATURE;
}

static enum cv_err add_root(struct roots *r, X509 *cert)
{
	if (r->count++ == EK_ROOTS_MAX)
		return CV_ERR_TOO_LONG;
	if (X509_self_signed(cert, 1) == 1) {
		r->anchor_count++;
		return X509_STORE_add_cert(r->anchors, cert) == 1 ? CV_OK : CV_ERR_MEMORY;
	}
	if (sk_X509_push(r->others, cert) == 0 || X509_up_ref(cert) != 1)
		return CV_ERR_MEMORY;
	return CV_OK;
}

/* All certificates of one file; a file without one is a mistake, not an empty list. */
static enum cv_err add_file(struct roots *r, const char *path)
{
	uint8_t *text = NULL;
	size_t len = 0, found = 0;
	BIO *bio = NULL;
	X509 *cert;
	enum cv_err err = file_read(&text, &len, path, EK_ROOT_FILE_MAX);

	if (err != CV_OK)
		return err;
	bio = BIO_new_mem_buf(text, (int)len);
	while (bio != NULL && err == CV_OK &&
		(cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		found++;
		err = add_root(r, cert);
		X509_free(cert);
	}
	ERR_clear_error(); /* the end of the file counts as one */
	BIO_free(bio);
	free(text);
	return err == CV_OK && found == 0 ? CV_ERR_FORMAT : err;
}

static bool is_certificate_file(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && name[0] != '.' &&
	       (strcmp(dot, ".pem") == 0 || strcmp(dot, ".crt") == 0);
}

static enum cv_err read_roots(
	struct roots *r, const char *dir, char why[EK_CERTIFICATE_WHY_BUF])
{
	char path[FILE_PATH_BUF];
	struct dirent *entry;
	DIR *d = opendir(dir);
	enum cv_err err = CV_OK;

	while (d != NULL && err == CV_OK && (entry = readdir(d)) != NULL) {
		if (!is_certificate_file(entry->d_name))
			continue;
		err = file_path_join(path, sizeof(path), dir, entry->d_name);
		if (err == CV_OK)
			err = add_file(r, path);
		if (err != CV_OK)
			(void)refuse(why, "root %.100s: %s", entry->d_name, cv_err_text(err));
	}
	if (d != NULL)
		closedir(d);
	if (err == CV_OK && r->anchor_count == 0) {
		(void)refuse(why, "no manufacturer's root is in %.120s", dir);
		return CV_ERR_NOT_FOUND;
	}
	return err;
}

/* Where purposes are named, an endorsement key's must be among them. */
static bool purpose_fits(X509 *cert)
{
	EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
	bool found = usage == NULL;
	char oid[64];

	for (int i = 0; usage != NULL && i < sk_ASN1_OBJECT_num(usage); i++)
		if (OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(usage, i), 1) > 0 &&
			strcmp(oid, EK_PURPOSE) == 0)
			found = true;
	EXTENDED_KEY_USAGE_free(usage);
	return found;
}

static enum cv_err check_leaf(
	X509 *cert, const struct tpm_ek *ek, char why[EK_CERTIFICATE_WHY_BUF])
{
	EVP_PKEY *key = NULL;
	const EVP_PKEY *certified = X509_get0_pubkey(cert);
	enum cv_err err = ek_key_open(&key, ek);

	if (err == CV_ERR_RANGE)
		return refuse(why, "the endorsement key is not a point of P-256");
	if (err != CV_OK)
		return err;
	if (certified == NULL || EVP_PKEY_eq(certified, key) != 1)
		err = refuse(why, "the certificate is for another key");
	else if (X509_check_ca(cert) != 0)
		err = refuse(why, "the certificate is a CA's");
	else if (!purpose_fits(cert))
		err = refuse(why, "the certificate is not for an endorsement key");
	EVP_PKEY_free(key);
	return err;
}

static enum cv_err check_chain(X509 *cert, const struct roots *r, int64_t now_s,
	char why[EK_CERTIFICATE_WHY_BUF])
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	enum cv_err err = CV_ERR_MEMORY;

	if (ctx == NULL || X509_STORE_CTX_init(ctx, r->anchors, cert, r->others) != 1)
		goto out;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
	X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
	if (X509_verify_cert(ctx) == 1)
		err = CV_OK;
	else
		err = refuse(why, "the certificate's chain: %s",
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
out:
	X509_STORE_CTX_free(ctx);
	return err;
}

enum cv_err ek_certificate_verify(const uint8_t *der, size_t len, const struct tpm_ek *ek,
	const char *roots, int64_t now_s, char why[EK_CERTIFICATE_WHY_BUF])
{
	struct roots r = {.anchors = X509_STORE_new(), .others = sk_X509_new_null()};
	const unsigned char *end = der;
	X509 *cert = len <= INT32_MAX ? d2i_X509(NULL, &end, (long)len) : NULL;
	enum cv_err err = CV_ERR_MEMORY;

	why[0] = '\0';
	if (r.anchors == NULL || r.others == NULL)
		goto out;
	if (cert == NULL || end != der + len)
		err = refuse(why, "the certificate is malformed");
	else
		err = check_leaf(cert, ek, why);
	if (err == CV_OK)
		err = read_roots(&r, roots, why);
	if (err == CV_OK)
		err = check_chain(cert, &r, now_s, why);
out:
	X509_free(cert);
	sk_X509_pop_free(r.others, X509_free);
	X509_STORE_free(r.anchors);
	ERR_clear_error();
	return err;
}
