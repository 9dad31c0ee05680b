#include "provisioning/operator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/id.h"
#include "provisioning/options.h"
#include "provisioning/staging.h"
#include "provisioning/x509.h"

#define DEFAULT_OPERATOR "admin"
#define TLS_CERT_MAX 8192

struct jws_signer operator_signer(const struct operator *op)
{
	return jws_key_signer(op->keys->sign);
}

void operator_wipe(struct operator *op)
{
	secret_free(op->keys);
	free(op->cert_text);
	free(op->tls_cert);
	memset(op, 0, sizeof(*op));
}

static enum cv_err read_text(char **out, const struct fleet *fleet, const char *name,
	const char *file, size_t limit)
{
	char path[FILE_PATH_BUF];
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = fleet_path(fleet, path, "operators/%s/%s", name, file);

	if (err != CV_OK)
		return err;
	err = file_read(&data, &len, path, limit);
	if (err != CV_OK) {
		log_error("operator %s: %s: %s", name, path, cv_err_text(err));
		return err;
	}
	*out = (char *)data;
	return CV_OK;
}

/* Better to say here what every gateway would refuse. */
static enum cv_err check_certificate(
	struct operator *op, const struct fleet *fleet, enum op_role role)
{
	enum cv_err err = opcert_decode(
		&op->cert, op->cert_text, strlen(op->cert_text), fleet->id, fleet->root_key);

	if (err == CV_OK)
		err = opcert_allows(&op->cert, role, (uint64_t)clock_wall_s());
	if (err == CV_ERR_ROLE)
		log_error("operator %s: has not the role `%s`: choose another with --operator",
			op->name, op_role_name(role));
	else if (err == CV_ERR_EXPIRED)
		log_error("operator %s: the certificate has expired: renew it with `conclave "
			  "operator add %s --renew`",
			op->name, op->name);
	else if (err != CV_OK)
		log_error("operator %s: certificate: %s", op->name, cv_err_text(err));
	return err;
}

enum cv_err operator_open(struct operator *op, const struct fleet *fleet,
	const struct context *ctx, struct passphrase *passphrase, enum op_role role)
{
	const char *name = option_text(ctx, "operator");
	char path[FILE_PATH_BUF], whose[CV_ID_BUF + 16];
	enum cv_err err;

	memset(op, 0, sizeof(*op));
	if (name == NULL)
		name = getenv("CONCLAVE_OPERATOR");
	if (name == NULL || name[0] == '\0')
		name = DEFAULT_OPERATOR;
	err = id_copy(op->name, name, strlen(name));
	if (err != CV_OK) {
		log_error("operator: %s: not an id", name);
		return CV_ERR_ARGUMENT;
	}
	err = read_text(&op->cert_text, fleet, name, "cert.jws", CV_OPCERT_MAX);
	if (err == CV_OK)
		err = read_text(&op->tls_cert, fleet, name, "tls.pem", TLS_CERT_MAX);
	if (err == CV_OK)
		err = check_certificate(op, fleet, role);
	if (err == CV_OK)
		err = fleet_path(fleet, path, "operators/%s/keys", name);
	if (err == CV_OK) {
		snprintf(whose, sizeof(whose), "operator %s", name);
		err = fleet_read_keys(&op->keys, ctx, passphrase, path, whose);
	}
	if (err != CV_OK)
		operator_wipe(op);
	return err;
}

static enum cv_err sign_certificate(char text[CV_OPCERT_MAX + 1], size_t *len,
	const struct operator_spec *spec, const struct key_pair *keys, uint64_t exp_s)
{
	struct opcert cert = {.roles = spec->roles, .exp_s = exp_s};
	struct jws_signer root = jws_key_signer(spec->root->sign);
	enum cv_err err = id_copy(cert.fleet, spec->fleet_id, strlen(spec->fleet_id));

	cert.iat_s = (uint64_t)clock_wall_s();
	if (err == CV_OK)
		err = id_copy(cert.operator_id, spec->name, strlen(spec->name));
	if (err == CV_OK)
		err = crypto_es256_public(cert.key, keys->sign);
	if (err == CV_OK)
		err = opcert_encode(text, CV_OPCERT_MAX + 1, len, &cert, &root);
	return err;
}

static enum cv_err issue_tls(
	char **pem, const struct operator_spec *spec, const struct key_pair *keys, uint64_t exp_s)
{
	uint8_t public_key[CV_ES256_PUBLIC_BYTES];
	char uri[SPIFFE_URI_BUF];
	struct x509_leaf leaf = {.common_name = spec->name, .uri = uri,
		.public_key = public_key, .not_after_s = exp_s};
	enum cv_err err = spiffe_uri(uri, spec->fleet_id, "operator", spec->name);

	if (err == CV_OK)
		err = crypto_es256_public(public_key, keys->tls);
	if (err == CV_OK)
		err = x509_leaf_issue(pem, &leaf, spec->tls_root, spec->root->tls);
	return err;
}

static enum cv_err write_text(const char *dir, const char *name, const char *text)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = file_path_join(path, sizeof(path), dir, name);

	return err == CV_OK ? file_write_atomic(path, text, strlen(text), 0644) : err;
}

static enum cv_err write_certificates(
	const char *dir, const struct operator_spec *spec, const struct key_pair *keys)
{
	uint64_t exp_s = (uint64_t)clock_wall_s() + spec->days * 86400;
	char cert[CV_OPCERT_MAX + 1];
	char *pem = NULL;
	size_t len = 0;
	enum cv_err err = sign_certificate(cert, &len, spec, keys, exp_s);

	if (err == CV_OK)
		err = issue_tls(&pem, spec, keys, exp_s);
	if (err == CV_OK)
		err = write_text(dir, "cert.jws", cert);
	if (err == CV_OK)
		err = write_text(dir, "tls.pem", pem);
	free(pem);
	return err;
}

enum cv_err operator_renew(
	const char *dir, const struct operator_spec *spec, const struct key_pair *keys)
{
	enum cv_err err = write_certificates(dir, spec, keys);

	if (err != CV_OK)
		log_error("operator %s: %s: %s", spec->name, dir, cv_err_text(err));
	return err;
}

static enum cv_err create_in(
	const struct staging *s, const struct operator_spec *spec, struct key_pair *keys)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = key_pair_generate(keys);

	if (err == CV_OK)
		err = write_certificates(s->dir, spec, keys);
	if (err == CV_OK)
		err = staging_path(s, path, "keys");
	if (err == CV_OK)
		err = keyfile_write(path, keys, spec->passphrase);
	return err;
}

enum cv_err operator_create(const char *dir, const struct operator_spec *spec)
{
	struct key_pair *keys = secret_alloc(sizeof(*keys));
	struct staging s = {.dir = ""};
	enum cv_err err = keys != NULL ? staging_begin(&s, dir) : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = create_in(&s, spec, keys);
	if (err == CV_OK)
		err = staging_commit(&s);
	if (err != CV_OK)
		log_error("operator %s: %s: %s", spec->name, dir, cv_err_text(err));
	staging_abort(&s);
	secret_free(keys);
	return err;
}
