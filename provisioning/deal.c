#include "provisioning/deal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "protocol/crypto.h"
#include "protocol/json_write.h"
#include "protocol/mac.h"
#include "protocol/settings.h"

#define DOCUMENT_MAX 16384

static enum cv_err make_share_set(struct deal_plan *plan, const struct deal_secrets *s)
{
	struct jws_signer signer = operator_signer(plan->op);
	struct share_set *set = &plan->set;
	enum cv_err err = CV_OK;

	memset(set, 0, sizeof(*set));
	strcpy(set->fleet, plan->fleet->id);
	strcpy(set->device, plan->device);
	memcpy(set->volume_id, plan->volume_id, sizeof(set->volume_id));
	set->epoch = plan->epoch;
	set->threshold = (uint8_t)plan->threshold;
	set->count = (uint8_t)plan->count;
	for (size_t i = 0; err == CV_OK && i < plan->count; i++) {
		struct share_set_member *m = &set->members[i];

		strcpy(m->gateway, plan->gateways[i].id);
		m->x = s->shares[i].x;
		err = share_commitment(
			m->commitment, set->volume_id, set->epoch, m->x, s->shares[i].y);
	}
	if (err == CV_OK)
		err = share_set_encode(plan->set_text, sizeof(plan->set_text), &plan->set_len, set,
			plan->op->cert_text, &signer);
	return err;
}

/* With a TPM the device has made its keys itself, and only the TPM can make the passphrase. */
static enum cv_err make_device_keys(struct deal_plan *plan, struct deal_secrets *s)
{
	enum cv_err err;

	if (plan->proof != NULL) {
		memcpy(plan->attestation_key, plan->proof->attestation_key,
			sizeof(plan->attestation_key));
		strcpy(s->passphrase, plan->proof->passphrase);
		return CV_OK;
	}
	err = crypto_es256_keypair(s->attestation, plan->attestation_key);
	return err == CV_OK ? bundle_passphrase_generate(s->passphrase) : err;
}

enum cv_err deal_make(struct deal_plan *plan, struct deal_secrets *s)
{
	enum cv_err err = crypto_random(plan->volume_id, sizeof(plan->volume_id));

	if (err == CV_OK)
		err = crypto_random(s->unlock, sizeof(s->unlock));
	if (err == CV_OK)
		err = crypto_random(s->mac_root, sizeof(s->mac_root));
	if (err == CV_OK)
		err = crypto_random(s->recovery, sizeof(s->recovery));
	if (err == CV_OK)
		err = recovery_code_text(s->recovery_text, s->recovery);
	if (err == CV_OK)
		err = make_device_keys(plan, s);
	if (err == CV_OK)
		err = crypto_random(s->coefficients, SHAMIR_RANDOM_BYTES(plan->threshold));
	if (err == CV_OK && shamir_split(s->shares, plan->count, plan->threshold, s->unlock,
				    s->coefficients) != SHAMIR_OK)
		err = CV_ERR_SHARE_COUNT;
	crypto_wipe(s->coefficients, sizeof(s->coefficients));
	return err == CV_OK ? make_share_set(plan, s) : err;
}

static enum cv_err fill_enrolment(
	const struct deal_plan *plan, struct deal_secrets *s, size_t index)
{
	struct enrolment *e = &s->enrolment;
	struct mac_scope scope = {
		plan->fleet->id, plan->gateways[index].id, plan->device};

	memset(e, 0, sizeof(*e));
	strcpy(e->fleet, plan->fleet->id);
	strcpy(e->gateway, plan->gateways[index].id);
	strcpy(e->device, plan->device);
	memcpy(e->volume_id, plan->volume_id, sizeof(e->volume_id));
	e->epoch = plan->epoch;
	e->x = s->shares[index].x;
	memcpy(e->share, s->shares[index].y, sizeof(e->share));
	memcpy(e->attestation_key, plan->attestation_key, sizeof(e->attestation_key));
	memcpy(e->share_set_hash, plan->set.hash, sizeof(e->share_set_hash));
	e->threshold = (uint8_t)plan->threshold;
	e->members = (uint8_t)plan->count;
	e->trust_class = plan->trust_class;
	memcpy(e->group, plan->group, sizeof(e->group));
	if (plan->proof != NULL)
		e->tpm = plan->proof->tpm;
	memcpy(e->policy, plan->policy, plan->policy_len + 1);
	e->policy_len = plan->policy_len;
	return mac_key_derive(e->mac_key, s->mac_root, &scope);
}

static enum cv_err write_package(
	const struct deal_plan *plan, struct deal_secrets *s, size_t index, const char *dir)
{
	struct jws_signer signer = operator_signer(plan->op);
	char path[FILE_PATH_BUF], name[CV_ID_BUF + 8];
	char *text = malloc(CV_JWS_MAX + 1);
	size_t len = 0;
	enum cv_err err = text != NULL ? fill_enrolment(plan, s, index) : CV_ERR_MEMORY;

	snprintf(name, sizeof(name), "%s.jws", plan->gateways[index].id);
	if (err == CV_OK)
		err = enrolment_seal(text, CV_JWS_MAX + 1, &len, &s->enrolment,
			plan->gateways[index].enrolment_key, plan->op->cert_text, &signer);
	if (err == CV_OK)
		err = file_path_join(path, sizeof(path), dir, name);
	if (err == CV_OK)
		err = file_write_new(path, text, len, 0644);
	crypto_wipe(&s->enrolment, sizeof(s->enrolment));
	free(text);
	return err;
}

enum cv_err deal_write_packages(
	const struct deal_plan *plan, struct deal_secrets *s, const char *dir)
{
	enum cv_err err = CV_OK;

	for (size_t i = 0; err == CV_OK && i < plan->count; i++)
		err = write_package(plan, s, i, dir);
	return err;
}

static enum cv_err add_device_json(struct bundle *b, const struct deal_plan *plan)
{
	char text[DOCUMENT_MAX];
	struct json_writer w;
	size_t len = 0;
	enum cv_err err;

	json_begin(&w, text, sizeof(text));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", plan->fleet->id);
	json_text(&w, "device", plan->device);
	json_bytes(&w, "volume_id", plan->volume_id, sizeof(plan->volume_id));
	json_u64(&w, "epoch", plan->epoch);
	json_text(&w, "trust_class", trust_class_name(plan->trust_class));
	json_object_close(&w);
	err = json_end(&w, &len);
	return err == CV_OK ? bundle_add(b, "device.json", text, len) : err;
}

/* A gateway whose address is not known yet is left out: the file is the device's to change. */
static enum cv_err add_gateways_json(struct bundle *b, const struct deal_plan *plan)
{
	char text[DOCUMENT_MAX];
	struct json_writer w;
	size_t len = 0;
	enum cv_err err;

	json_begin(&w, text, sizeof(text));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_array_open(&w, "gateways");
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->gateways[i].address[0] == '\0')
			continue;
		json_object_open(&w, NULL);
		json_text(&w, "gateway", plan->gateways[i].id);
		json_text(&w, "address", plan->gateways[i].address);
		json_object_close(&w);
	}
	json_array_close(&w);
	json_object_close(&w);
	err = json_end(&w, &len);
	return err == CV_OK ? bundle_add(b, "gateways.json", text, len) : err;
}

static enum cv_err add_settings(
	struct bundle *b, const struct deal_plan *plan, const struct deal_secrets *s)
{
	uint8_t blob[SETTINGS_BLOB_MAX];
	enum cv_err err = settings_seal(
		blob, &plan->set, s->unlock, plan->settings, plan->settings_len);

	if (err == CV_OK)
		err = bundle_add(
			b, "settings.sealed", blob, plan->settings_len + SETTINGS_OVERHEAD);
	return err;
}

enum cv_err deal_bundle(
	struct bundle *b, const struct deal_plan *plan, const struct deal_secrets *s)
{
	enum cv_err err = add_device_json(b, plan);

	if (err == CV_OK)
		err = add_gateways_json(b, plan);
	if (err == CV_OK)
		err = bundle_add(b, "share-set.jws", plan->set_text, plan->set_len);
	if (err == CV_OK)
		err = bundle_add(b, "mac.root", s->mac_root, sizeof(s->mac_root));
	if (err == CV_OK && plan->proof == NULL)
		err = bundle_add(b, "attest.key", s->attestation, sizeof(s->attestation));
	if (err == CV_OK)
		err = bundle_add(b, "roots/fleet.pub", plan->fleet->root_key,
			sizeof(plan->fleet->root_key));
	if (err == CV_OK)
		err = bundle_add(
			b, "roots/tls.pem", plan->fleet->tls_root, strlen(plan->fleet->tls_root));
	if (err == CV_OK && plan->settings != NULL)
		err = add_settings(b, plan, s);
	return err;
}
