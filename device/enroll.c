#include "device/enroll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/tpm.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"

#define FOLDER "enroll"
#define ATTEST_KEY FOLDER "/attest.key"
#define TPM_STATE FOLDER "/" TPM_STATE_NAME
#define CHALLENGE FOLDER "/challenge.json"
#define REQUEST FOLDER "/request.json"
#define BUNDLE FOLDER "/bundle"

/* In this order: without the request the rest counts for nothing. */
static const char *const files[] = {REQUEST, BUNDLE, CHALLENGE, TPM_STATE, ATTEST_KEY};

static enum cv_err complain(const char *dir, const char *name, enum cv_err err)
{
	if (err != CV_OK)
		log_error("%s/%s: %s", dir, name, cv_err_text(err));
	return err;
}

static enum cv_err write_file(
	const char *dir, const char *name, const void *data, size_t len)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = file_path_join(path, sizeof(path), dir, name);

	if (err == CV_OK)
		err = file_write_atomic(path, data, len, 0600);
	return complain(dir, name, err);
}

static enum cv_err read_text(const char *dir, const char *name, struct enroll_text *out)
{
	char path[FILE_PATH_BUF];
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = file_path_join(path, sizeof(path), dir, name);

	if (err == CV_OK)
		err = file_read(&data, &len, path, ENROL_TPM_TEXT_MAX);
	if (err == CV_OK) {
		memcpy(out->text, data, len);
		out->text[len] = '\0';
		out->len = len;
	}
	free(data);
	return err;
}

static enum cv_err hash_text(uint8_t out[CV_HASH_BYTES], const struct enroll_text *t)
{
	const struct crypto_part part = {t->text, t->len};

	return crypto_sha256(out, &part, 1);
}

bool enroll_is_pending(const char *state_dir)
{
	char path[FILE_PATH_BUF];

	return file_path_join(path, sizeof(path), state_dir, REQUEST) == CV_OK &&
	       file_exists(path);
}

enum cv_err enroll_bundle_path(const char *state_dir, char out[FILE_PATH_BUF])
{
	return file_path_join(out, FILE_PATH_BUF, state_dir, BUNDLE);
}

enum cv_err enroll_forget(const char *state_dir)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && err == CV_OK; i++) {
		err = file_path_join(path, sizeof(path), state_dir, files[i]);
		if (err == CV_OK)
			err = file_remove(path);
		if (err == CV_ERR_NOT_FOUND)
			err = CV_OK;
		if (err != CV_OK)
			return complain(state_dir, files[i], err);
	}
	err = file_path_join(path, sizeof(path), state_dir, FOLDER);
	if (err == CV_OK && rmdir(path) != 0 && errno != ENOENT)
		err = file_error(errno);
	return complain(state_dir, FOLDER, err);
}

static enum cv_err make_folder(const char *state_dir)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = file_path_join(path, sizeof(path), state_dir, FOLDER);

	if (err == CV_OK)
		err = file_make_dir(state_dir, 0700);
	if (err == CV_OK)
		err = file_check_private_dir(state_dir);
	if (err == CV_OK)
		err = file_make_dir(path, 0700);
	return complain(state_dir, FOLDER, err);
}

/* Private half into the folder, public half into the request. */
static enum cv_err make_attestation_key(
	const char *state_dir, uint8_t public_key[CV_ES256_PUBLIC_BYTES])
{
	uint8_t *private_key = secret_alloc(CV_ES256_PRIVATE_BYTES);
	enum cv_err err = CV_ERR_MEMORY;

	if (private_key == NULL) {
		log_error("memory: %s", secret_last_error());
		return err;
	}
	err = crypto_es256_keypair(private_key, public_key);
	if (err == CV_OK)
		err = write_file(state_dir, ATTEST_KEY, private_key, CV_ES256_PRIVATE_BYTES);
	secret_free(private_key);
	return err;
}

static enum cv_err read_certificate(const char *path, struct enrol_tpm_request *m)
{
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&data, &len, path, sizeof(m->certificate));

	if (err == CV_OK && len == 0)
		err = CV_ERR_FORMAT;
	if (err == CV_OK) {
		memcpy(m->certificate, data, len);
		m->certificate_len = len;
	} else {
		log_error("--ek-certificate: %s: %s (DER, at most %d bytes)", path,
			cv_err_text(err), ENROL_TPM_CERTIFICATE_MAX);
	}
	free(data);
	return err == CV_OK ? CV_OK : CV_ERR_CONFIG;
}

/* Which endorsement key, and its certificate. */
static enum cv_err choose_key(struct tpm *t, const struct enroll_options *o,
	enum tpm_ek_kind *kind, struct enrol_tpm_request *m)
{
	static const enum tpm_ek_kind order[] = {TPM_EK_ECC, TPM_EK_RSA};
	enum cv_err err = CV_OK;

	*kind = o->ek_kind != NULL ? tpm_ek_kind_parse(o->ek_kind) : 0;
	if (o->ek_kind != NULL && *kind == 0) {
		log_error("--ek: %s: must be ecc or rsa", o->ek_kind);
		return CV_ERR_ARGUMENT;
	}
	if (o->certificate_file != NULL) {
		if (*kind == 0)
			*kind = TPM_EK_ECC;
		return read_certificate(o->certificate_file, m);
	}
	for (size_t i = 0; i < 2 && err == CV_OK && m->certificate_len == 0; i++) {
		if (*kind != 0 && *kind != order[i])
			continue;
		err = tpm_ek_certificate(t, order[i], m->certificate, &m->certificate_len);
		if (err == CV_OK && m->certificate_len > 0)
			*kind = order[i];
	}
	if (*kind == 0)
		*kind = TPM_EK_ECC;
	if (err == CV_OK && m->certificate_len == 0)
		log_warning("TPM %s: holds no certificate for this endorsement key: the fleet must "
			    "have it on its list of allowed TPMs",
			o->tcti);
	return err;
}

static enum cv_err make_request(
	const struct enroll_options *o, struct enrol_tpm_request *m, struct tpm_identity *id)
{
	enum tpm_ek_kind kind = TPM_EK_ECC;
	struct tpm t;
	enum cv_err err = tpm_open(&t, o->tcti);

	if (err != CV_OK)
		return err;
	err = choose_key(&t, o, &kind, m);
	if (err == CV_OK)
		err = tpm_key_create(&t, kind, id, m->ek, &m->ek_len);
	tpm_close(&t);
	if (err == CV_OK) {
		memcpy(m->ak, id->ak, id->ak_len);
		m->ak_len = id->ak_len;
	}
	return err;
}

enum cv_err enroll_request(const struct enroll_options *o, struct enroll_text *request)
{
	struct enrol_tpm_request *m = calloc(1, sizeof(*m));
	struct tpm_identity id = {.kind = 0};
	char path[FILE_PATH_BUF];
	enum cv_err err = m != NULL ? make_request(o, m, &id) : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = enroll_forget(o->state_dir);
	if (err == CV_OK)
		err = make_folder(o->state_dir);
	if (err == CV_OK)
		err = make_attestation_key(o->state_dir, m->attestation_key);
	if (err == CV_OK)
		err = file_path_join(path, sizeof(path), o->state_dir, TPM_STATE);
	if (err == CV_OK)
		err = complain(o->state_dir, TPM_STATE, tpm_state_write(path, &id));
	if (err == CV_OK)
		err = complain(o->state_dir, REQUEST,
			enrol_tpm_request_encode(
				request->text, sizeof(request->text), &request->len, m));
	if (err == CV_OK)
		err = write_file(o->state_dir, REQUEST, request->text, request->len);
	free(m);
	return err;
}

/* What is pending, and the challenge in its place in it. */
struct pending {
	struct tpm_identity id;
	struct enroll_text request;
	struct enroll_text challenge;
	struct enrol_tpm_challenge decoded;
	struct enrol_tpm_transcript transcript;
};

static enum cv_err read_pending(const char *state_dir, struct pending *p)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = read_text(state_dir, REQUEST, &p->request);

	if (err == CV_ERR_NOT_FOUND) {
		log_error("%s: no enrolment is pending: start one with `conclave-device enroll "
			  "--request FILE`",
			state_dir);
		return err;
	}
	if (err != CV_OK)
		return complain(state_dir, REQUEST, err);
	err = file_path_join(path, sizeof(path), state_dir, TPM_STATE);
	if (err == CV_OK)
		err = tpm_state_read(&p->id, path);
	return complain(state_dir, TPM_STATE, err);
}

static enum cv_err take_challenge(struct pending *p)
{
	struct enrol_tpm_transcript *t = &p->transcript;
	enum cv_err err = enrol_tpm_challenge_decode(
		&p->decoded, p->challenge.text, p->challenge.len);

	if (err != CV_OK) {
		log_error("challenge: %s: not an operator's challenge", cv_err_text(err));
		return CV_ERR_CONFIG;
	}
	t->fleet = p->decoded.fleet;
	t->device = p->decoded.device;
	err = hash_text(t->request_hash, &p->request);
	if (err == CV_OK)
		err = hash_text(t->challenge_hash, &p->challenge);
	if (err == CV_OK &&
		!crypto_equal(t->request_hash, p->decoded.request_hash, CV_HASH_BYTES)) {
		log_error("challenge: it answers another request than this device's last one");
		err = CV_ERR_MISMATCH;
	}
	return err;
}

static enum cv_err activate(
	const struct enroll_options *o, const struct pending *p, uint8_t *secret)
{
	struct tpm t;
	enum cv_err err = tpm_open(&t, o->tcti);

	if (err != CV_OK)
		return err;
	err = tpm_key_activate(&t, &p->id, &p->decoded, secret);
	tpm_close(&t);
	return err;
}

/* Proof and quote. */
static enum cv_err make_response(const struct enroll_options *o, const struct pending *p,
	uint8_t *secret, struct enrol_tpm_response *m)
{
	uint8_t quoted[ENROL_TPM_TRANSCRIPT_MAX], binding[CV_HASH_BYTES];
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	size_t len = 0;
	enum cv_err err = activate(o, p, secret);

	if (err == CV_OK)
		err = enrol_tpm_proof(m->proof, secret, &p->transcript);
	if (err == CV_OK)
		err = enrol_tpm_quoted(quoted, &len, &p->transcript);
	if (err == CV_OK)
		err = tpm_quote_binding(binding, (const char *)quoted, len);
	if (err == CV_OK)
		err = tpm_attest_once(o->tcti, &p->id, binding, &m->quote, boot_id);
	return err;
}

enum cv_err enroll_respond(const struct enroll_options *o, const struct enroll_text *challenge,
	struct enroll_text *response)
{
	struct enrol_tpm_response m = {.quote = {.attest_len = 0}};
	struct pending *p = calloc(1, sizeof(*p));
	uint8_t *secret = secret_alloc(ENROL_TPM_SECRET_BYTES);
	enum cv_err err = CV_ERR_MEMORY;

	if (p == NULL || secret == NULL) {
		log_error("enroll: %s", cv_err_text(err));
		goto out;
	}
	p->challenge = *challenge;
	err = read_pending(o->state_dir, p);
	if (err == CV_OK)
		err = take_challenge(p);
	if (err == CV_OK)
		err = make_response(o, p, secret, &m);
	if (err == CV_OK)
		err = enrol_tpm_response_encode(
			response->text, sizeof(response->text), &response->len, &m);
	if (err == CV_OK)
		err = write_file(o->state_dir, CHALLENGE, challenge->text, challenge->len);
out:
	secret_free(secret);
	free(p);
	return err;
}

enum cv_err enroll_passphrase(
	const struct enroll_options *o, char out[BUNDLE_PASSPHRASE_BUF])
{
	struct pending *p = calloc(1, sizeof(*p));
	uint8_t *secret = secret_alloc(ENROL_TPM_SECRET_BYTES + ENROL_TPM_BUNDLE_KEY_BYTES);
	enum cv_err err = CV_ERR_MEMORY;

	if (p == NULL || secret == NULL) {
		log_error("enroll: %s", cv_err_text(err));
		goto out;
	}
	err = read_pending(o->state_dir, p);
	if (err == CV_OK)
		err = complain(o->state_dir, CHALLENGE,
			read_text(o->state_dir, CHALLENGE, &p->challenge));
	if (err == CV_OK)
		err = take_challenge(p);
	if (err == CV_OK)
		err = activate(o, p, secret);
	if (err == CV_OK)
		err = enrol_tpm_bundle_key(
			secret + ENROL_TPM_SECRET_BYTES, secret, &p->transcript);
	if (err == CV_OK)
		bundle_passphrase_encode(out, secret + ENROL_TPM_SECRET_BYTES);
out:
	secret_free(secret);
	free(p);
	return err;
}

static enum cv_err add_file(
	const char *state_dir, const char *from, const char *name, struct bundle *bundle)
{
	char path[FILE_PATH_BUF];
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = file_path_join(path, sizeof(path), state_dir, from);

	if (err == CV_OK)
		err = file_read_secret(&data, &len, path, ENROL_TPM_TEXT_MAX);
	if (err == CV_OK)
		err = bundle_add(bundle, name, data, len);
	secret_free(data);
	return complain(state_dir, from, err);
}

enum cv_err enroll_add_files(const char *state_dir, struct bundle *bundle)
{
	enum cv_err err = add_file(state_dir, ATTEST_KEY, "attest.key", bundle);

	return err == CV_OK ? add_file(state_dir, TPM_STATE, TPM_STATE_NAME, bundle) : err;
}
