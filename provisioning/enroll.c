#include "provisioning/enroll.h"

#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/jsonfile.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/hkdf.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/lp.h"
#include "provisioning/enroll_vouch.h"
#include "provisioning/tpm_credential.h"

#define SECRET_LABEL "conclave-tpm-secret-v1"
#define SALT_BYTES 32
#define FOLDER "enrolments"
#define NOTE_MAX 40960
#define RECORD_MAX 1024

struct note { /* FLEET/enrolments/ID.json */
	char operator[CV_ID_BUF];
	char vouched[16];
	uint8_t salt[SALT_BYTES];
	struct enroll_text request;
	struct enroll_text challenge;
};

enum cv_err enroll_text_read(struct enroll_text *out, const char *path)
{
	uint8_t *data = NULL;
	enum cv_err err = file_read(&data, &out->len, path, ENROL_TPM_TEXT_MAX);

	if (err != CV_OK) {
		log_error("%s: %s", path, cv_err_text(err));
		return err == CV_ERR_TOO_LONG ? CV_ERR_CONFIG : err;
	}
	memcpy(out->text, data, out->len + 1);
	free(data);
	return CV_OK;
}

static enum cv_err note_path(const struct enroll_case *c, char out[FILE_PATH_BUF])
{
	return fleet_path(c->fleet, out, FOLDER "/%s.json", c->device);
}

static enum cv_err note_write(const struct enroll_case *c, const struct note *n)
{
	char path[FILE_PATH_BUF], salt[BASE64URL_BUF(SALT_BYTES)];
	cJSON *doc = cJSON_CreateObject();
	enum cv_err err = fleet_path(c->fleet, path, FOLDER);

	if (err == CV_OK)
		err = file_make_dir(path, 0700);
	if (err == CV_OK)
		err = note_path(c, path);
	if (err == CV_OK)
		err = base64url_encode(salt, sizeof(salt), n->salt, sizeof(n->salt));
	if (err == CV_OK &&
		(cJSON_AddNumberToObject(doc, "v", 1) == NULL ||
			cJSON_AddStringToObject(doc, "operator", n->operator) == NULL ||
			cJSON_AddStringToObject(doc, "vouched", n->vouched) == NULL ||
			cJSON_AddStringToObject(doc, "salt", salt) == NULL ||
			cJSON_AddStringToObject(doc, "request", n->request.text) == NULL ||
			cJSON_AddStringToObject(doc, "challenge", n->challenge.text) == NULL))
		err = CV_ERR_MEMORY;
	if (err == CV_OK)
		err = jsonfile_write(path, doc, 0600);
	cJSON_Delete(doc);
	if (err != CV_OK)
		log_error("device %s: challenge: %s", c->device, cv_err_text(err));
	return err;
}

static enum cv_err get_text(const cJSON *doc, const char *name, struct enroll_text *out)
{
	enum cv_err err = json_get_text(doc, name, out->text, sizeof(out->text));

	if (err == CV_OK)
		out->len = strlen(out->text);
	return err;
}

static enum cv_err note_read(const struct enroll_case *c, struct note *n)
{
	char path[FILE_PATH_BUF];
	cJSON *doc = NULL;
	enum cv_err err = note_path(c, path);

	if (err == CV_OK)
		err = jsonfile_read(&doc, path, NOTE_MAX);
	if (err == CV_ERR_NOT_FOUND) {
		log_error("device %s: no challenge waits for a response: begin with `conclave "
			  "device add %s --tpm --request FILE --challenge FILE`",
			c->device, c->device);
		return err;
	}
	if (err == CV_OK)
		err = json_get_text(doc, "operator", n->operator, sizeof(n->operator));
	if (err == CV_OK)
		err = json_get_text(doc, "vouched", n->vouched, sizeof(n->vouched));
	if (err == CV_OK)
		err = json_get_bytes(doc, "salt", n->salt, sizeof(n->salt));
	if (err == CV_OK)
		err = get_text(doc, "request", &n->request);
	if (err == CV_OK)
		err = get_text(doc, "challenge", &n->challenge);
	cJSON_Delete(doc);
	if (err != CV_OK) {
		log_error("%s: %s", path, cv_err_text(err));
	} else if (strcmp(n->operator, c->op->name) != 0) {
		log_error("device %s: operator %s made the challenge and must take the response",
			c->device, n->operator);
		err = CV_ERR_CONFIG;
	}
	return err;
}

static enum cv_err note_forget(const struct enroll_case *c)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = note_path(c, path);

	if (err == CV_OK)
		err = file_remove(path);
	if (err == CV_ERR_NOT_FOUND)
		err = CV_OK;
	if (err != CV_OK)
		log_error("device %s: its challenge cannot be removed: %s", c->device,
			cv_err_text(err));
	return err;
}

enum cv_err enroll_done(const struct enroll_case *c)
{
	return note_forget(c);
}

static enum cv_err hash_text(uint8_t out[CV_HASH_BYTES], const struct enroll_text *t)
{
	const struct crypto_part part = {t->text, t->len};

	return crypto_sha256(out, &part, 1);
}

/* The same each time for one challenge, and nowhere but in the operator's key. */
static enum cv_err make_secret(uint8_t secret[ENROL_TPM_SECRET_BYTES], const struct enroll_case *c,
	const struct note *n, const uint8_t request_hash[CV_HASH_BYTES])
{
	uint8_t info[ENROL_TPM_TRANSCRIPT_MAX];
	struct lp lp;
	size_t len = 0;
	enum cv_err err;

	lp_begin(&lp, info, sizeof(info), SECRET_LABEL);
	lp_text(&lp, c->fleet->id);
	lp_text(&lp, c->device);
	lp_bytes(&lp, request_hash, CV_HASH_BYTES);
	err = lp_end(&lp, &len);
	if (err == CV_OK)
		err = hkdf(secret, ENROL_TPM_SECRET_BYTES, n->salt, sizeof(n->salt),
			c->op->keys->sign, sizeof(c->op->keys->sign), info, len);
	return err;
}

struct checked {
	struct enrol_tpm_request request;
	struct tpm_ek ek;
	struct tpm_ak ak;
};

/* Form and attributes of what the device asks for. */
static enum cv_err check_request(
	const struct enroll_case *c, const struct enroll_text *text, struct checked *k)
{
	enum cv_err err = enrol_tpm_request_decode(&k->request, text->text, text->len);

	if (err != CV_OK) {
		log_error("device %s: request: %s: not a device's request", c->device,
			cv_err_text(err));
		return CV_ERR_CONFIG;
	}
	err = tpm_ek_decode(&k->ek, k->request.ek, k->request.ek_len);
	if (err != CV_OK) {
		log_error(
			"device %s: request: its endorsement key is none of the TCG's templates: %s",
			c->device, cv_err_text(err));
		return CV_ERR_DENIED;
	}
	err = tpm_ak_decode(&k->ak, k->request.ak, k->request.ak_len);
	if (err != CV_OK) {
		log_error("device %s: request: its quoting key is not one that can only quote (%s)",
			c->device, cv_err_text(err));
		return CV_ERR_DENIED;
	}
	return CV_OK;
}

static enum cv_err make_challenge(const struct enroll_case *c, struct note *n,
	const struct checked *k, uint8_t *secret)
{
	struct enrol_tpm_challenge m;
	enum cv_err err;

	memset(&m, 0, sizeof(m));
	strcpy(m.fleet, c->fleet->id);
	strcpy(m.device, c->device);
	err = crypto_random(n->salt, sizeof(n->salt));
	if (err == CV_OK)
		err = hash_text(m.request_hash, &n->request);
	if (err == CV_OK)
		err = make_secret(secret, c, n, m.request_hash);
	if (err == CV_OK)
		err = tpm_credential_make(&m, &k->ek, k->ak.name, secret);
	if (err == CV_OK)
		err = enrol_tpm_challenge_encode(
			n->challenge.text, sizeof(n->challenge.text), &n->challenge.len, &m);
	if (err != CV_OK)
		log_error("device %s: challenge: %s", c->device, cv_err_text(err));
	return err;
}

enum cv_err enroll_challenge(const struct enroll_case *c, const struct enroll_text *request,
	struct enroll_text *challenge)
{
	struct checked *k = calloc(1, sizeof(*k));
	struct note *n = calloc(1, sizeof(*n));
	uint8_t *secret = secret_alloc(ENROL_TPM_SECRET_BYTES);
	const char *vouched = NULL;
	enum cv_err err = CV_ERR_MEMORY;

	if (k == NULL || n == NULL || secret == NULL) {
		log_error("device %s: %s", c->device, cv_err_text(err));
		goto out;
	}
	n->request = *request;
	strcpy(n->operator, c->op->name);
	err = check_request(c, request, k);
	if (err == CV_OK)
		err = enroll_vouch(&vouched, c, &k->request, &k->ek);
	if (err != CV_OK)
		goto out;
	strcpy(n->vouched, vouched);
	err = make_challenge(c, n, k, secret);
	if (err == CV_OK)
		err = note_write(c, n);
	if (err == CV_OK)
		*challenge = n->challenge;
out:
	secret_free(secret);
	free(n);
	free(k);
	return err;
}

/*
 * The secret came out of the TPM, and its quoting key lies under the endorsement key that was
 * asked.
 */
static enum cv_err check_response(const struct checked *k, const struct enrol_tpm_transcript *t,
	const uint8_t *secret, const struct enrol_tpm_response *m, struct tpm_attest *attest)
{
	uint8_t proof[CV_HASH_BYTES], quoted[ENROL_TPM_TRANSCRIPT_MAX];
	size_t len = 0;
	enum cv_err err = enrol_tpm_proof(proof, secret, t);

	if (err == CV_OK)
		err = enrol_tpm_quoted(quoted, &len, t);
	if (err != CV_OK)
		return err;
	if (!crypto_equal(proof, m->proof, sizeof(proof)))
		err = CV_ERR_DENIED;
	crypto_wipe(proof, sizeof(proof));
	if (err == CV_OK && tpm_quote_verify(attest, &m->quote, &k->ak, k->ek.name,
				    (const char *)quoted, len) != REASON_RELEASE)
		err = CV_ERR_DENIED;
	return err;
}

static enum cv_err fill_proof(struct enroll_proof *proof, const struct checked *k,
	const struct note *n, const struct enrol_tpm_response *m,
	const struct enrol_tpm_transcript *t, uint8_t *secret)
{
	uint8_t *key = secret + ENROL_TPM_SECRET_BYTES;
	enum cv_err err = enrol_tpm_bundle_key(key, secret, t);

	if (err != CV_OK)
		return err;
	memcpy(proof->tpm.ek_name, k->ek.name, sizeof(proof->tpm.ek_name));
	memcpy(proof->tpm.ak, k->request.ak, k->request.ak_len);
	proof->tpm.ak_len = k->request.ak_len;
	memcpy(proof->attestation_key, k->request.attestation_key,
		sizeof(proof->attestation_key));
	proof->quote = m->quote;
	strcpy(proof->vouched, n->vouched);
	bundle_passphrase_encode(proof->passphrase, key);
	return CV_OK;
}

static enum cv_err prove(const struct enroll_case *c, const struct note *n, struct checked *k,
	const struct enrol_tpm_response *m, struct enroll_proof *proof)
{
	struct enrol_tpm_transcript t = {.fleet = c->fleet->id, .device = c->device};
	uint8_t *secret = secret_alloc(ENROL_TPM_SECRET_BYTES + ENROL_TPM_BUNDLE_KEY_BYTES);
	enum cv_err err = secret != NULL ? check_request(c, &n->request, k) : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = hash_text(t.request_hash, &n->request);
	if (err == CV_OK)
		err = hash_text(t.challenge_hash, &n->challenge);
	if (err == CV_OK)
		err = make_secret(secret, c, n, t.request_hash);
	if (err == CV_OK)
		err = check_response(k, &t, secret, m, &proof->attest);
	if (err == CV_OK)
		err = fill_proof(proof, k, n, m, &t, secret);
	secret_free(secret);
	return err;
}

enum cv_err enroll_response(const struct enroll_case *c, const struct enroll_text *response,
	struct enroll_proof *proof)
{
	struct checked *k = calloc(1, sizeof(*k));
	struct note *n = calloc(1, sizeof(*n));
	struct enrol_tpm_response m;
	enum cv_err err = k != NULL && n != NULL ? CV_OK : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = note_read(c, n);
	if (err == CV_OK && enrol_tpm_response_decode(&m, response->text, response->len) != CV_OK) {
		log_error("device %s: response: not a device's response", c->device);
		err = CV_ERR_CONFIG;
	}
	if (err == CV_OK) {
		err = prove(c, n, k, &m, proof);
		if (err == CV_ERR_DENIED) {
			log_error(
				"device %s: response: not by the TPM that was asked: its challenge "
				"is spent, and nothing was added: start again with a new request",
				c->device);
			if (note_forget(c) != CV_OK)
				err = CV_ERR_IO;
		}
	}
	free(n);
	free(k);
	return err;
}

enum cv_err enroll_record_write(const char *dir, const struct enroll_proof *proof)
{
	char text[RECORD_MAX], path[FILE_PATH_BUF];
	struct json_writer w;
	size_t len = 0;
	enum cv_err err = file_path_join(path, sizeof(path), dir, "tpm.json");

	json_begin(&w, text, sizeof(text));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_bytes(&w, "ek_name", proof->tpm.ek_name, sizeof(proof->tpm.ek_name));
	json_bytes(&w, "ak", proof->tpm.ak, proof->tpm.ak_len);
	json_text(&w, "vouched", proof->vouched);
	json_object_close(&w);
	if (err == CV_OK)
		err = json_end(&w, &len);
	return err == CV_OK ? file_write_new(path, text, len, 0644) : err;
}
