#include "provisioning/op_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "host/log.h"
#include "protocol/id.h"
#include "protocol/op.h"
#include "provisioning/x509_key.h"

enum cv_err op_http_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? CV_OK : CV_ERR_INTERNAL;
}

enum cv_err op_http_open(struct op_http *http, const struct fleet *fleet,
	const struct operator *op, const struct gateway_record *gateway)
{
	memset(http, 0, sizeof(*http));
	http->fleet = fleet;
	http->op = op;
	http->gateway = gateway;
	http->curl = curl_easy_init();
	return http->curl != NULL ? CV_OK : CV_ERR_MEMORY;
}

void op_http_close(struct op_http *http)
{
	curl_easy_cleanup(http->curl);
	http->curl = NULL;
}

static X509 *certificate_read(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return cert;
}

static int has_uri(X509 *cert, const char *uri)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int found = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_IA5STRING *text = name->d.uniformResourceIdentifier;

		if (name->type == GEN_URI && (size_t)ASN1_STRING_length(text) == strlen(uri) &&
			memcmp(ASN1_STRING_get0_data(text), uri, strlen(uri)) == 0)
			found = 1;
	}
	GENERAL_NAMES_free(names);
	return found;
}

/* Instead of X509_verify_cert alone: chain and purpose by OpenSSL, then who it says it is. */
static int verify_peer(X509_STORE_CTX *store, void *user)
{
	struct op_http *http = user;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	char uri[SPIFFE_URI_BUF];

	if (X509_verify_cert(store) != 1)
		return 0;
	if (spiffe_uri(uri, http->fleet->id, "gateway", http->gateway->id) != CV_OK ||
		!has_uri(leaf, uri)) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (!http->date_warned && (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0 ||
					  X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)) {
		log_warning("gateway %s: its certificate is outside its dates: renew it with "
			    "`gateway add`",
			http->gateway->id);
		http->date_warned = true;
	}
	return 1;
}

/* Only the fleet's root is trusted, whatever the system trusts. */
static int pin_root(SSL_CTX *ctx, const char *root_pem)
{
	X509 *root = certificate_read(root_pem);
	X509_STORE *store = X509_STORE_new();
	int ok = root != NULL && store != NULL && X509_STORE_add_cert(store, root) == 1;

	X509_free(root);
	if (!ok) {
		X509_STORE_free(store);
		return 0;
	}
	SSL_CTX_set_cert_store(ctx, store);
	return X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_NO_CHECK_TIME) == 1;
}

static CURLcode setup_tls(CURL *curl, void *ssl_ctx, void *user)
{
	struct op_http *http = user;
	SSL_CTX *ctx = ssl_ctx;
	X509 *cert = certificate_read(http->op->tls_cert);
	EVP_PKEY *key = x509_key_private(http->op->keys->tls);
	int ok = cert != NULL && key != NULL && SSL_CTX_use_certificate(ctx, cert) == 1 &&
		 SSL_CTX_use_PrivateKey(ctx, key) == 1 && pin_root(ctx, http->fleet->tls_root);

	(void)curl;
	SSL_CTX_set_cert_verify_callback(ctx, verify_peer, http);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

struct reception {
	struct op_http_answer *answer;
	size_t cap;
};

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
	struct reception *r = user;
	struct op_http_answer *a = r->answer;
	size_t n = size * count;

	if (n > OP_HTTP_ANSWER_MAX - a->len)
		return 0;
	if (a->len + n + 1 > r->cap) {
		size_t cap = (a->len + n + 1) * 2;
		char *grown = realloc(a->body, cap);

		if (grown == NULL)
			return 0;
		a->body = grown;
		r->cap = cap;
	}
	memcpy(a->body + a->len, data, n);
	a->len += n;
	a->body[a->len] = '\0';
	return n;
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
	struct reception *r = user;
	size_t n = size * count, name = strlen(OP_REPLY_HEADER_NAME);

	if (n > name && strncasecmp(data, OP_REPLY_HEADER_NAME, name) == 0 && data[name] == ':') {
		const char *value = data + name + 1;
		size_t len = n - name - 1;

		while (len > 0 && (*value == ' ' || *value == '\t')) {
			value++;
			len--;
		}
		while (len > 0 && (value[len - 1] == '\r' || value[len - 1] == '\n' ||
					  value[len - 1] == ' '))
			len--;
		if (len >= sizeof(r->answer->reply) || r->answer->reply[0] != '\0')
			return 0; /* too long, or there twice */
		memcpy(r->answer->reply, value, len);
		r->answer->reply[len] = '\0';
	}
	return n;
}

static int set_request(CURL *c, struct op_http *http, const char *url,
	const struct curl_slist *connect_to, const struct curl_slist *headers, const char *body,
	size_t len)
{
	curl_easy_reset(c);
	return curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CONNECT_TO, connect_to) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
		       CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3) ==
		       CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOPROXY, "*") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)OP_HTTP_CONNECT_MS) ==
		       CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)OP_HTTP_TOTAL_MS) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, setup_tls) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, http) == CURLE_OK;
}

static enum cv_err perform(struct op_http *http, struct op_http_answer *answer)
{
	struct reception r = {.answer = answer};
	char detail[CURL_ERROR_SIZE] = "";
	CURL *c = http->curl;
	long status = 0;
	CURLcode code;

	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &r);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &r);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
	code = curl_easy_perform(c);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, NULL);
	if (code != CURLE_OK) {
		snprintf(http->problem, sizeof(http->problem), "no answer: %.200s",
			detail[0] != '\0' ? detail : curl_easy_strerror(code));
		return CV_ERR_UNREACHABLE;
	}
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	answer->status = (unsigned int)status;
	return CV_OK;
}

static struct curl_slist *list_of(const char *const *lines)
{
	struct curl_slist *list = NULL, *longer;

	for (size_t i = 0; lines[i] != NULL; i++) {
		longer = curl_slist_append(list, lines[i]);
		if (longer == NULL) {
			curl_slist_free_all(list);
			return NULL;
		}
		list = longer;
	}
	return list;
}

enum cv_err op_http_post(struct op_http *http, const char *target, const char *const *headers,
	const char *body, size_t len, struct op_http_answer *answer)
{
	char dns[GATEWAY_DNS_BUF], url[GATEWAY_DNS_BUF + 64], route[ADDRESS_BUF + 8];
	const char *const routes[] = {route, NULL};
	struct curl_slist *lines = list_of(headers), *connect_to = NULL;
	struct op_http_answer got = {.status = 0};
	enum cv_err err = gateway_dns_name(dns, http->fleet->id, http->gateway->id);

	snprintf(url, sizeof(url), "https://%s%s", dns, target);
	snprintf(route, sizeof(route), "::%s", http->gateway->operators);
	connect_to = list_of(routes);
	if (err == CV_OK &&
		(lines == NULL || connect_to == NULL ||
			!set_request(http->curl, http, url, connect_to, lines, body, len)))
		err = CV_ERR_MEMORY;
	if (err == CV_OK)
		err = perform(http, &got);
	curl_easy_reset(http->curl);
	curl_slist_free_all(lines);
	curl_slist_free_all(connect_to);
	if (err != CV_OK) {
		free(got.body);
		return err;
	}
	*answer = got;
	return CV_OK;
}
