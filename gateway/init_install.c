#include "gateway/init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/config_state.h"
#include "gateway/tls_cert.h"
#include "gateway/user.h"
#include "host/file.h"
#include "host/log.h"
#include "protocol/crypto.h"
#include "protocol/join.h"
#include "protocol/json_get.h"

#define GRANT_MAX 65536

struct grant {
	char fleet[CV_ID_BUF];
	char gateway[CV_ID_BUF];
	char certificate[TLS_PEM_MAX];
	char tls_root[TLS_PEM_MAX];
	uint8_t fleet_root[CV_ES256_PUBLIC_BYTES];
	char state[FILE_PATH_BUF];
};

static enum cv_err grant_decode(struct grant *g, const char *text, size_t len)
{
	static const char *const names[] = { "v", "fleet", "gateway", "certificate", "tls_root",
		"fleet_root", NULL };
	cJSON *tree = NULL;
	uint64_t version = 0;
	enum cv_err err = json_parse(&tree, text, len, GRANT_MAX);

	if (err == CV_OK)
		err = json_get_u64(tree, "v", 1, CV_JSON_INTEGER_MAX, &version);
	if (err == CV_OK && version != 1)
		err = CV_ERR_VERSION;
	if (err == CV_OK)
		err = json_only(tree, names);
	if (err == CV_OK)
		err = json_get_id(tree, "fleet", g->fleet);
	if (err == CV_OK)
		err = json_get_id(tree, "gateway", g->gateway);
	if (err == CV_OK)
		err = json_get_text(tree, "certificate", g->certificate, sizeof(g->certificate));
	if (err == CV_OK)
		err = json_get_text(tree, "tls_root", g->tls_root, sizeof(g->tls_root));
	if (err == CV_OK)
		err = json_get_bytes(tree, "fleet_root", g->fleet_root, sizeof(g->fleet_root));
	json_free(tree);
	return err;
}

static enum cv_err grant_read(struct grant *g, const char *path)
{
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&text, &len, path, GRANT_MAX);

	if (err == CV_OK)
		err = grant_decode(g, (const char *)text, len);
	if (err != CV_OK)
		log_error("grant %s: %s", path, cv_err_text(err));
	free(text);
	return err;
}

static enum cv_err check_pin(const struct grant *g, struct state_pin *pin)
{
	enum cv_err err = state_pin_read(pin, g->state);

	if (err != CV_OK) {
		log_error("%s/%s: %s: run `conclave-gateway init` first", g->state, STATE_PIN,
			cv_err_text(err));
		return err;
	}
	if (strcmp(pin->gateway, g->gateway) != 0) {
		log_error("the grant is for gateway %s, this one is %s", g->gateway, pin->gateway);
		return CV_ERR_MISMATCH;
	}
	if (pin->joined && (strcmp(pin->fleet, g->fleet) != 0 ||
		!crypto_equal(pin->fleet_root, g->fleet_root, sizeof(g->fleet_root)))) {
		log_error(
			"this gateway belongs to fleet %s under another root: refused", pin->fleet);
		return CV_ERR_EXISTS;
	}
	return CV_OK;
}

static enum cv_err check_certificate(const struct grant *g, X509 *root)
{
	char path[FILE_PATH_BUF], why[TLS_WHY_MAX] = "";
	X509_REQ *csr = NULL;
	X509 *cert = NULL;
	EVP_PKEY *key;
	enum cv_err err = state_path(path, g->state, STATE_TLS_CSR);

	/* the request holds the public half of the TLS key: the private one is not needed here */
	if (err == CV_OK)
		err = tls_csr_read(&csr, path, why);
	if (err == CV_OK)
		err = tls_certificate_parse(&cert, g->certificate, strlen(g->certificate), why);
	if (err == CV_OK) {
		key = X509_REQ_get0_pubkey(csr);
		err = key == NULL ? CV_ERR_FORMAT :
				    tls_gateway_certificate_check(
					    cert, root, key, g->fleet, g->gateway, why);
	}
	if (err != CV_OK)
		log_error("grant: %s", why[0] != '\0' ? why : cv_err_text(err));
	X509_free(cert);
	X509_REQ_free(csr);
	return err;
}

/* A root that was pinned stays. */
static enum cv_err check_tls_root(const struct grant *g, X509 *root)
{
	char path[FILE_PATH_BUF], why[TLS_WHY_MAX] = "";
	X509 *pinned = NULL;
	enum cv_err err = state_path(path, g->state, STATE_TLS_ROOT);

	if (err != CV_OK || !file_exists(path))
		return err;
	err = tls_certificate_read(&pinned, path, why);
	if (err != CV_OK) {
		log_error("%s", why);
	} else if (X509_cmp(pinned, root) != 0) {
		log_error("another TLS root is pinned in %s: refused", path);
		err = CV_ERR_EXISTS;
	}
	X509_free(pinned);
	return err;
}

static enum cv_err write_step(void *argument, void *result)
{
	const struct grant *g = argument;
	char path[FILE_PATH_BUF];
	enum cv_err err = state_path(path, g->state, STATE_TLS_ROOT);

	(void)result;
	if (err == CV_OK)
		err = file_write_atomic(path, g->tls_root, strlen(g->tls_root), 0644);
	if (err == CV_OK)
		err = state_path(path, g->state, STATE_TLS_CRT);
	if (err == CV_OK)
		err = file_write_atomic(path, g->certificate, strlen(g->certificate), 0644);
	if (err != CV_OK)
		log_error("%s: %s", path, cv_err_text(err));
	return err;
}

static enum cv_err commit(struct grant *g, struct state_pin *pin)
{
	char text[FINGERPRINT_BUF];
	uint8_t fingerprint[CV_HASH_BYTES];
	enum cv_err err = user_run(
		user_for_role(g->state, CONFIG_USER_FRONT), write_step, g, NULL, 0);

	if (err != CV_OK)
		return err;
	/* last: a gateway counts as joined once everything else is durable */
	pin->joined = true;
	memcpy(pin->fleet, g->fleet, sizeof(pin->fleet));
	memcpy(pin->fleet_root, g->fleet_root, sizeof(pin->fleet_root));
	err = state_pin_write(pin, g->state);
	if (err == CV_OK)
		err = fleet_fingerprint(fingerprint, g->fleet, g->fleet_root);
	if (err != CV_OK) {
		log_error("%s/%s: %s", g->state, STATE_PIN, cv_err_text(err));
		return err;
	}
	fingerprint_text(text, fingerprint);
	printf("gateway %s\nfleet %s\nfleet-root %s\n", g->gateway, g->fleet, text);
	return CV_OK;
}

enum cv_err init_install(const char *path, const char *state)
{
	struct state_pin pin;
	struct grant *g = calloc(1, sizeof(*g));
	char why[TLS_WHY_MAX] = "";
	X509 *root = NULL;
	enum cv_err err = CV_ERR_INTERNAL;

	if (g == NULL)
		return CV_ERR_MEMORY;
	snprintf(g->state, sizeof(g->state), "%s", state);
	err = grant_read(g, path);
	if (err == CV_OK)
		err = check_pin(g, &pin);
	if (err == CV_OK) {
		err = tls_certificate_parse(&root, g->tls_root, strlen(g->tls_root), why);
		if (err != CV_OK)
			log_error("grant: TLS root: %s", why);
	}
	if (err == CV_OK)
		err = check_tls_root(g, root);
	if (err == CV_OK)
		err = check_certificate(g, root);
	if (err == CV_OK)
		err = commit(g, &pin);
	X509_free(root);
	free(g);
	return err;
}
