/* `gateway add`: pins a gateway's keys by the fingerprint and writes its grant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/jsonfile.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/id.h"
#include "protocol/join.h"
#include "protocol/json_get.h"
#include "provisioning/gateway_record.h"
#include "provisioning/options.h"
#include "provisioning/verbs.h"
#include "provisioning/x509.h"

#define REQUEST_MAX 16384
#define GATEWAY_DAYS 3650

static const struct option_spec options[] = {
	{"fingerprint", OPTION_TEXT, "F", "as shown on the gateway's console (needed)"},
	{"address", OPTION_TEXT, "HOST:PORT", "where devices reach it (can be set later)"},
	{"operators", OPTION_TEXT, "HOST:PORT", "where operators reach it (can be set later)"},
	{"out", OPTION_TEXT, "FILE", "where to write the grant (ID.grant beside the request)"},
	{"days", OPTION_TEXT, "N", "how long the certificate holds (3650)"},
};

struct join {
	struct gateway_record record;
	uint8_t tls_key[CV_ES256_PUBLIC_BYTES];
	uint64_t days;
	char grant[FILE_PATH_BUF];
	char *certificate; /* PEM */
};

/* The request's own words, and the fingerprint over what it really holds. */
static enum cv_err decode_request(struct join *j, const cJSON *doc)
{
	static const char *const names[] = {
		"v", "gateway", "keeper_key", "enrolment_key", "csr", NULL};
	struct gateway_record *r = &j->record;
	char csr[REQUEST_MAX];
	uint8_t *der = NULL;
	size_t der_len = 0;
	uint64_t version = 0;
	enum cv_err err = json_get_u64(doc, "v", 1, 1, &version);

	if (err == CV_OK)
		err = json_only(doc, names);
	if (err == CV_OK)
		err = json_get_id(doc, "gateway", r->id);
	if (err == CV_OK)
		err = json_get_bytes(doc, "keeper_key", r->keeper_key, sizeof(r->keeper_key));
	if (err == CV_OK)
		err = json_get_bytes(
			doc, "enrolment_key", r->enrolment_key, sizeof(r->enrolment_key));
	if (err == CV_OK)
		err = json_get_text(doc, "csr", csr, sizeof(csr));
	if (err == CV_OK)
		err = x509_request_read(&der, &der_len, j->tls_key, csr);
	if (err == CV_OK)
		err = gateway_request_fingerprint(
			r->fingerprint, r->id, r->keeper_key, r->enrolment_key, der, der_len);
	free(der);
	return err;
}

static enum cv_err check_fingerprint(const struct join *j, const char *text)
{
	uint8_t wanted[CV_HASH_BYTES];
	char real[FINGERPRINT_BUF];

	if (text == NULL || fingerprint_parse(wanted, text) != CV_OK) {
		log_error("gateway add: --fingerprint: %s: 64 hex digits, as the gateway's console "
			  "shows them",
			text != NULL ? "malformed" : "is missing");
		return CV_ERR_ARGUMENT;
	}
	if (crypto_equal(wanted, j->record.fingerprint, sizeof(wanted)))
		return CV_OK;
	fingerprint_text(real, j->record.fingerprint);
	log_error("gateway %s: this request is not the one with that fingerprint: it has %s: do "
		  "not add it",
		j->record.id, real);
	return CV_ERR_DENIED;
}

static enum cv_err read_request(struct join *j, const struct context *ctx)
{
	cJSON *doc = NULL;
	enum cv_err err = jsonfile_read(&doc, ctx->args[0], REQUEST_MAX);

	if (err == CV_OK)
		err = decode_request(j, doc);
	cJSON_Delete(doc);
	if (err != CV_OK) {
		log_error("gateway add: %s: %s", ctx->args[0], cv_err_text(err));
		return err;
	}
	return check_fingerprint(j, option_text(ctx, "fingerprint"));
}

static enum cv_err read_addresses(struct join *j, const struct context *ctx)
{
	const char *address = option_text(ctx, "address");
	const char *operators = option_text(ctx, "operators");
	enum cv_err err = CV_OK;

	if (address != NULL)
		err = gateway_address_parse(j->record.address, address, "--address");
	if (err == CV_OK && operators != NULL)
		err = gateway_address_parse(j->record.operators, operators, "--operators");
	return err;
}

/* ID.grant in the folder of the request. */
static enum cv_err grant_path(struct join *j, const struct context *ctx)
{
	const char *out = option_text(ctx, "out");
	const char *slash = strrchr(ctx->args[0], '/');
	int n;

	if (out != NULL)
		n = snprintf(j->grant, sizeof(j->grant), "%s", out);
	else
		n = snprintf(j->grant, sizeof(j->grant), "%.*s%s.grant",
			slash != NULL ? (int)(slash - ctx->args[0] + 1) : 0, ctx->args[0],
			j->record.id);
	return n > 0 && (size_t)n < sizeof(j->grant) ? CV_OK : CV_ERR_TOO_LONG;
}

/* A gateway that is known keeps its keys; asking again with the same request is fine. */
static enum cv_err check_known(struct join *j, const struct fleet *fleet)
{
	struct gateway_record old;
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(fleet, path, "gateways/%s.json", j->record.id);

	if (err != CV_OK || !file_exists(path))
		return err;
	err = gateway_record_read(&old, fleet, j->record.id);
	if (err != CV_OK)
		return err;
	if (memcmp(old.keeper_key, j->record.keeper_key, sizeof(old.keeper_key)) != 0 ||
		memcmp(old.enrolment_key, j->record.enrolment_key,
			sizeof(old.enrolment_key)) != 0) {
		log_error("gateway %s: the fleet knows it with other keys: remove %s only if that "
			  "gateway is gone for good",
			j->record.id, path);
		return CV_ERR_EXISTS;
	}
	if (j->record.address[0] == '\0')
		memcpy(j->record.address, old.address, sizeof(old.address));
	if (j->record.operators[0] == '\0')
		memcpy(j->record.operators, old.operators, sizeof(old.operators));
	return CV_OK;
}

static enum cv_err issue(struct join *j, const struct fleet *fleet, const struct context *ctx)
{
	struct passphrase passphrase = {NULL};
	struct key_pair *root = NULL;
	char path[FILE_PATH_BUF], uri[SPIFFE_URI_BUF], dns[GATEWAY_DNS_BUF];
	struct x509_leaf leaf = {.common_name = j->record.id, .uri = uri, .dns = dns,
		.public_key = j->tls_key,
		.not_after_s = (uint64_t)clock_wall_s() + j->days * 86400};
	enum cv_err err = spiffe_uri(uri, fleet->id, "gateway", j->record.id);

	if (err == CV_OK)
		err = gateway_dns_name(dns, fleet->id, j->record.id);
	if (err == CV_OK)
		err = fleet_path(fleet, path, "root/keys");
	if (err == CV_OK)
		err = fleet_read_keys(&root, ctx, &passphrase, path, "the fleet's root");
	if (err == CV_OK) {
		err = x509_leaf_issue(&j->certificate, &leaf, fleet->tls_root, root->tls);
		if (err != CV_OK)
			log_error("gateway %s: certificate: %s", j->record.id, cv_err_text(err));
	}
	secret_free(root);
	passphrase_wipe(&passphrase);
	return err;
}

static enum cv_err write_grant(const struct join *j, const struct fleet *fleet)
{
	char key[BASE64URL_BUF(CV_ES256_PUBLIC_BYTES)];
	cJSON *doc = cJSON_CreateObject();
	enum cv_err err = base64url_encode(
		key, sizeof(key), fleet->root_key, sizeof(fleet->root_key));

	if (err == CV_OK &&
		(cJSON_AddNumberToObject(doc, "v", 1) == NULL ||
			cJSON_AddStringToObject(doc, "fleet", fleet->id) == NULL ||
			cJSON_AddStringToObject(doc, "gateway", j->record.id) == NULL ||
			cJSON_AddStringToObject(doc, "certificate", j->certificate) == NULL ||
			cJSON_AddStringToObject(doc, "tls_root", fleet->tls_root) == NULL ||
			cJSON_AddStringToObject(doc, "fleet_root", key) == NULL))
		err = CV_ERR_MEMORY;
	if (err == CV_OK)
		err = jsonfile_write(j->grant, doc, 0644);
	if (err != CV_OK)
		log_error("gateway %s: %s: %s", j->record.id, j->grant, cv_err_text(err));
	cJSON_Delete(doc);
	return err;
}

static enum cv_err report(const struct join *j, const struct fleet *fleet, struct context *ctx)
{
	uint8_t fingerprint[CV_HASH_BYTES];
	char text[FINGERPRINT_BUF];
	enum cv_err err = fleet_fingerprint(fingerprint, fleet->id, fleet->root_key);

	if (err != CV_OK)
		return err;
	fingerprint_text(text, fingerprint);
	cJSON_AddStringToObject(ctx->result, "gateway", j->record.id);
	cJSON_AddStringToObject(ctx->result, "grant", j->grant);
	cJSON_AddStringToObject(ctx->result, "fleet_fingerprint", text);
	say(ctx, "gateway %s is in fleet %s; take %s to it and run", j->record.id, fleet->id,
		j->grant);
	say(ctx, "  conclave-gateway install %s.grant", j->record.id);
	say(ctx, "fleet fingerprint %s", text);
	return CV_OK;
}

static enum cv_err gateway_add_run(struct context *ctx)
{
	struct join j = {.days = GATEWAY_DAYS};
	struct fleet fleet;
	enum cv_err err = option_uint(ctx, "days", 1, 36500, &j.days);

	if (err == CV_OK)
		err = fleet_open(&fleet, ctx, true);
	if (err != CV_OK)
		return err;
	err = read_request(&j, ctx);
	if (err == CV_OK)
		err = read_addresses(&j, ctx);
	if (err == CV_OK)
		err = grant_path(&j, ctx);
	if (err == CV_OK)
		err = check_known(&j, &fleet);
	if (err == CV_OK)
		err = issue(&j, &fleet, ctx);
	if (err == CV_OK)
		err = gateway_record_write(&j.record, &fleet);
	if (err == CV_OK)
		err = write_grant(&j, &fleet);
	if (err == CV_OK)
		err = report(&j, &fleet, ctx);
	free(j.certificate);
	fleet_close(&fleet);
	return err;
}

const struct verb verb_gateway_add = {
	.noun = "gateway",
	.name = "add",
	.args = "ID.req",
	.args_min = 1,
	.args_max = 1,
	.summary = "let a gateway join: check its fingerprint, write its grant\n"
		   "Run it again with the same request to renew the certificate.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = gateway_add_run,
};
