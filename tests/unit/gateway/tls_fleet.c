#include "tests/unit/gateway/tls_fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gateway/init.h"
#include "gateway/tls_cert.h"
#include "host/file.h"
#include "protocol/id.h"
#include "protocol/json_write.h"

static const uint8_t fleet_root[CV_ES256_PUBLIC_BYTES] = { 4, 1, 2, 3 };

EVP_PKEY *tls_fleet_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert_non_null(key);
	return key;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* Expired long ago: a gateway must not care. */
static X509 *blank(EVP_PKEY *key, const char *name)
{
	X509 *cert = X509_new();

	assert_non_null(cert);
	assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	assert_non_null(X509_time_adj_ex(X509_getm_notBefore(cert), -4000, 0, NULL));
	assert_non_null(X509_time_adj_ex(X509_getm_notAfter(cert), -100, 0, NULL));
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				 (const unsigned char *)name, -1, -1, 0),
		1);
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	return cert;
}

static void make_root(struct tls_fleet *f)
{
	f->root_key = tls_fleet_key();
	f->root = blank(f->root_key, "root");
	assert_int_equal(X509_set_issuer_name(f->root, X509_get_subject_name(f->root)), 1);
	add_extension(f->root, f->root, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	add_extension(f->root, f->root, NID_key_usage, "critical,keyCertSign,cRLSign");
	assert_true(X509_sign(f->root, f->root_key, EVP_sha256()) > 0);
}

void tls_fleet_open(struct tls_fleet *f)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "/tmp/conclave-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	make_root(f);
}

void tls_fleet_close(struct tls_fleet *f)
{
	char command[TLS_FLEET_DIR_BUF + 16];

	X509_free(f->root);
	EVP_PKEY_free(f->root_key);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
}

const char *tls_fleet_path(const struct tls_fleet *f, const char *name)
{
	static char path[4][TLS_FLEET_DIR_BUF + 64];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", f->dir, name);
	return p;
}

X509 *tls_fleet_issue(const struct tls_fleet *f, EVP_PKEY *key, const struct tls_names *names)
{
	X509 *cert = blank(key, "leaf");
	char san[256];

	assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(f->root)), 1);
	add_extension(cert, f->root, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(
		cert, f->root, NID_ext_key_usage, names->server ? "serverAuth" : "clientAuth");
	snprintf(san, sizeof(san), "%s%s%s%s%s", names->uri != NULL ? "URI:" : "",
		names->uri != NULL ? names->uri : "",
		names->uri != NULL && names->dns != NULL ? "," : "",
		names->dns != NULL ? "DNS:" : "", names->dns != NULL ? names->dns : "");
	if (san[0] != '\0')
		add_extension(cert, f->root, NID_subject_alt_name, san);
	assert_true(X509_sign(cert, f->root_key, EVP_sha256()) > 0);
	return cert;
}

void tls_fleet_gateway_names(struct tls_names *names, const char *gateway)
{
	static char uri[SPIFFE_URI_BUF], dns[GATEWAY_DNS_BUF];

	assert_int_equal(spiffe_uri(uri, TLS_FLEET, "gateway", gateway), CV_OK);
	assert_int_equal(gateway_dns_name(dns, TLS_FLEET, gateway), CV_OK);
	*names = (struct tls_names){ uri, dns, 1 };
}

X509 *tls_fleet_operator(const struct tls_fleet *f, EVP_PKEY *key, const char *id)
{
	char uri[SPIFFE_URI_BUF];
	struct tls_names names = { uri, NULL, 0 };

	assert_int_equal(spiffe_uri(uri, TLS_FLEET, "operator", id), CV_OK);
	return tls_fleet_issue(f, key, &names);
}

char *tls_fleet_pem(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *copy;
	long len;

	assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
	len = BIO_get_mem_data(bio, &data);
	copy = strndup(data, (size_t)len);
	BIO_free(bio);
	assert_non_null(copy);
	return copy;
}

void tls_fleet_init(struct tls_fleet *f)
{
	const struct init_options options = {
		.gateway = TLS_GATEWAY,
		.state = f->state,
		.request = tls_fleet_path(f, "g1.req"),
		.reserve_records = 64,
	};

	assert_int_equal(init_gateway(&options), CV_OK);
}

void tls_fleet_grant(struct tls_fleet *f, const char *gateway, X509 *cert)
{
	char text[8192], why[TLS_WHY_MAX], path[FILE_PATH_BUF];
	struct tls_names names;
	struct json_writer w;
	X509_REQ *csr = NULL;
	X509 *right = NULL;
	char *pem, *root = tls_fleet_pem(f->root);
	size_t len;

	if (cert == NULL) {
		snprintf(path, sizeof(path), "%s/front/tls.csr", f->state);
		assert_int_equal(tls_csr_read(&csr, path, why), CV_OK);
		tls_fleet_gateway_names(&names, gateway);
		right = tls_fleet_issue(f, X509_REQ_get0_pubkey(csr), &names);
		X509_REQ_free(csr);
	}
	pem = tls_fleet_pem(cert != NULL ? cert : right);
	json_begin(&w, text, sizeof(text));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", TLS_FLEET);
	json_text(&w, "gateway", gateway);
	json_text(&w, "certificate", pem);
	json_text(&w, "tls_root", root);
	json_bytes(&w, "fleet_root", fleet_root, sizeof(fleet_root));
	json_object_close(&w);
	assert_int_equal(json_end(&w, &len), CV_OK);
	assert_int_equal(
		file_write_atomic(tls_fleet_path(f, "g1.grant"), text, len, 0644), CV_OK);
	free(pem);
	free(root);
	X509_free(right);
}

void tls_fleet_join(struct tls_fleet *f)
{
	tls_fleet_init(f);
	tls_fleet_grant(f, TLS_GATEWAY, NULL);
	assert_int_equal(init_install(tls_fleet_path(f, "g1.grant"), f->state), CV_OK);
}
