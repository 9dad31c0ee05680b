#include "protocol/enrol_tpm.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/hkdf.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/lp.h"

#define QUOTED_LABEL "conclave-tpm-enrol-v1"
#define PROOF_LABEL "conclave-tpm-proof-v1"
#define BUNDLE_LABEL "conclave-tpm-bundle-v1"

enum cv_err enrol_tpm_request_encode(
	char *out, size_t cap, size_t *len, const struct enrol_tpm_request *m)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_bytes(&w, "ek", m->ek, m->ek_len);
	if (m->certificate_len > 0)
		json_bytes(&w, "ek_certificate", m->certificate, m->certificate_len);
	json_bytes(&w, "ak", m->ak, m->ak_len);
	json_bytes(&w, "attestation_key", m->attestation_key, sizeof(m->attestation_key));
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err request_from(struct enrol_tpm_request *m, const struct cJSON *tree)
{
	static const char *const names[] = {
		"v", "ek", "ek_certificate", "ak", "attestation_key", NULL};
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_bytes_max(tree, "ek", m->ek, sizeof(m->ek), &m->ek_len);
	if (err == CV_OK && json_has(tree, "ek_certificate")) {
		err = json_get_bytes_max(tree, "ek_certificate", m->certificate,
			sizeof(m->certificate), &m->certificate_len);
		if (err == CV_OK && m->certificate_len == 0)
			err = CV_ERR_TYPE;
	}
	if (err == CV_OK)
		err = json_get_bytes_max(tree, "ak", m->ak, sizeof(m->ak), &m->ak_len);
	if (err == CV_OK)
		err = json_get_bytes(
			tree, "attestation_key", m->attestation_key, sizeof(m->attestation_key));
	return err;
}

enum cv_err enrol_tpm_request_decode(struct enrol_tpm_request *m, const char *text, size_t len)
{
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, text, len, ENROL_TPM_TEXT_MAX);

	memset(m, 0, sizeof(*m));
	if (err == CV_OK)
		err = request_from(m, tree);
	json_free(tree);
	if (err != CV_OK)
		memset(m, 0, sizeof(*m));
	return err;
}

enum cv_err enrol_tpm_challenge_encode(
	char *out, size_t cap, size_t *len, const struct enrol_tpm_challenge *m)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", m->fleet);
	json_text(&w, "device", m->device);
	json_bytes(&w, "request", m->request_hash, sizeof(m->request_hash));
	json_bytes(&w, "credential", m->credential, m->credential_len);
	json_bytes(&w, "seed", m->seed, m->seed_len);
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err challenge_from(struct enrol_tpm_challenge *m, const struct cJSON *tree)
{
	static const char *const names[] = {
		"v", "fleet", "device", "request", "credential", "seed", NULL};
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_id(tree, "fleet", m->fleet);
	if (err == CV_OK)
		err = json_get_id(tree, "device", m->device);
	if (err == CV_OK)
		err = json_get_bytes(tree, "request", m->request_hash, sizeof(m->request_hash));
	if (err == CV_OK)
		err = json_get_bytes_max(tree, "credential", m->credential, sizeof(m->credential),
			&m->credential_len);
	if (err == CV_OK)
		err = json_get_bytes_max(tree, "seed", m->seed, sizeof(m->seed), &m->seed_len);
	return err;
}

enum cv_err enrol_tpm_challenge_decode(
	struct enrol_tpm_challenge *m, const char *text, size_t len)
{
	struct enrol_tpm_challenge decoded;
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, text, len, ENROL_TPM_TEXT_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = challenge_from(&decoded, tree);
	json_free(tree);
	if (err == CV_OK)
		*m = decoded;
	return err;
}

enum cv_err enrol_tpm_response_encode(
	char *out, size_t cap, size_t *len, const struct enrol_tpm_response *m)
{
	struct json_writer w;
	enum cv_err err;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_bytes(&w, "proof", m->proof, sizeof(m->proof));
	err = tpm_quote_put(&w, &m->quote);
	json_object_close(&w);
	return err == CV_OK ? json_end(&w, len) : err;
}

enum cv_err enrol_tpm_response_decode(struct enrol_tpm_response *m, const char *text, size_t len)
{
	static const char *const names[] = {"v", "proof", "quote", NULL};
	struct enrol_tpm_response decoded;
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, text, len, ENROL_TPM_TEXT_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = json_only_v1(tree, names);
	if (err == CV_OK)
		err = json_get_bytes(tree, "proof", decoded.proof, sizeof(decoded.proof));
	if (err == CV_OK)
		err = tpm_quote_get(tree, &decoded.quote);
	json_free(tree);
	if (err == CV_OK)
		*m = decoded;
	return err;
}

static enum cv_err transcript(
	uint8_t *out, size_t *len, const char *label, const struct enrol_tpm_transcript *t)
{
	struct lp lp;

	lp_begin(&lp, out, ENROL_TPM_TRANSCRIPT_MAX, label);
	lp_text(&lp, t->fleet);
	lp_text(&lp, t->device);
	lp_bytes(&lp, t->request_hash, sizeof(t->request_hash));
	lp_bytes(&lp, t->challenge_hash, sizeof(t->challenge_hash));
	return lp_end(&lp, len);
}

enum cv_err enrol_tpm_quoted(uint8_t out[ENROL_TPM_TRANSCRIPT_MAX], size_t *len,
	const struct enrol_tpm_transcript *t)
{
	return transcript(out, len, QUOTED_LABEL, t);
}

static enum cv_err derive(uint8_t *out, size_t out_len, const char *label,
	const uint8_t secret[ENROL_TPM_SECRET_BYTES], const struct enrol_tpm_transcript *t)
{
	uint8_t info[ENROL_TPM_TRANSCRIPT_MAX];
	size_t len = 0;
	enum cv_err err = transcript(info, &len, label, t);

	if (err != CV_OK) {
		crypto_wipe(out, out_len);
		return err;
	}
	return hkdf(out, out_len, NULL, 0, secret, ENROL_TPM_SECRET_BYTES, info, len);
}

enum cv_err enrol_tpm_proof(uint8_t proof[CV_HASH_BYTES],
	const uint8_t secret[ENROL_TPM_SECRET_BYTES], const struct enrol_tpm_transcript *t)
{
	return derive(proof, CV_HASH_BYTES, PROOF_LABEL, secret, t);
}

enum cv_err enrol_tpm_bundle_key(uint8_t key[ENROL_TPM_BUNDLE_KEY_BYTES],
	const uint8_t secret[ENROL_TPM_SECRET_BYTES], const struct enrol_tpm_transcript *t)
{
	return derive(key, ENROL_TPM_BUNDLE_KEY_BYTES, BUNDLE_LABEL, secret, t);
}
