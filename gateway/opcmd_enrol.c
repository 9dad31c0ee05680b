/* Enrolment packages: a device's first share, and shares of its further volumes. */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <string.h>

#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"

/* Opens the package into k->enrolment. */
static enum opcmd_result open_package(
	struct keeper *k, struct opcmd *op, uint8_t hash[CV_HASH_BYTES])
{
	static const char *const names[] = { "package", NULL };
	const struct op_trust trust = { k->cfg->fleet, k->cfg->fleet_root, k->revoked, op->now_s };
	struct crypto_part part;
	struct opcert signer;
	const char *text;
	size_t len;
	enum cv_err err;

	if (json_only(op->tree, names) != CV_OK ||
		json_get_text_ref(op->tree, "package", &text, &len) != CV_OK)
		return OPCMD_MALFORMED;
	err = enrolment_open(k->enrolment, text, len, &trust, k->cfg->gateway,
		k->keys->enrolment_private, &signer);
	part.data = text;
	part.len = len;
	if (err == CV_OK)
		err = crypto_sha256(hash, &part, 1);
	if (err != CV_OK) {
		snprintf(op->problem, sizeof(op->problem), "package: %s", cv_err_text(err));
		return opcmd_document_refusal(err);
	}
	memcpy(op->device, k->enrolment->device, sizeof(op->device));
	return OPCMD_OK;
}

/* Also the record of its device into k->rec, if it is known. */
static enum opcmd_result take_package(
	struct keeper *k, struct opcmd *op, uint8_t hash[CV_HASH_BYTES], bool *known)
{
	enum opcmd_result result = open_package(k, op, hash);

	if (result != OPCMD_OK)
		return result;
	if (store_device_get(k->store, op->device, k->rec, known) == CV_OK)
		return OPCMD_OK;
	log_error("store: %s", store_why(k->store));
	return OPCMD_STORE_FAILED;
}

static void put_share(struct record_volume *volume, const struct enrolment *e,
	const uint8_t package_hash[CV_HASH_BYTES])
{
	struct record_share *s = &volume->current;

	memcpy(volume->volume_id, e->volume_id, sizeof(volume->volume_id));
	s->present = true;
	s->epoch = e->epoch;
	s->x = e->x;
	s->threshold = e->threshold;
	s->members = e->members;
	memcpy(s->share, e->share, sizeof(s->share));
	memcpy(s->share_set_hash, e->share_set_hash, sizeof(s->share_set_hash));
	memcpy(s->package_hash, package_hash, sizeof(s->package_hash));
}

static bool came_in(const struct record_share *share, const uint8_t hash[CV_HASH_BYTES])
{
	return share->present && crypto_equal(share->package_hash, hash, CV_HASH_BYTES);
}

/* The same package was taken before. */
static bool is_repeated(struct record *rec, const uint8_t hash[CV_HASH_BYTES])
{
	for (size_t i = 0; i < rec->volume_count; i++) {
		const struct record_volume *v = &rec->volumes[i];

		if (came_in(&v->current, hash) || came_in(&v->pending, hash))
			return true;
	}
	return false;
}

static enum opcmd_result answer(struct opcmd *op, const char *result)
{
	json_text(&op->w, "device", op->device);
	json_text(&op->w, "result", result);
	return OPCMD_OK;
}

static void alert_enrolled(struct keeper *k, const struct opcmd *op)
{
	struct event_alert alert;

	if (event_init(&alert, EVENT_DEVICE_ENROLLED, k->cfg->gateway, op->device,
		    k->clock.now_s) == CV_OK &&
		event_add_token(&alert, EVENT_KEY_operator, op->cert.operator_id) == CV_OK &&
		event_add_token(&alert, EVENT_KEY_trust_class,
			trust_class_name(k->rec->trust_class)) == CV_OK &&
		event_add_hex(&alert, EVENT_KEY_volume, k->enrolment->volume_id) == CV_OK)
		keeper_alert_later(k, &alert);
}

static enum opcmd_result write_record(struct keeper *k, struct opcmd *op)
{
	enum opcmd_result result = opcmd_begin(k, op, false);

	if (result == OPCMD_OK)
		result = opcmd_put_device(
			k, op, "trust_class", trust_class_name(k->rec->trust_class));
	if (result != OPCMD_OK)
		return result;
	alert_enrolled(k, op);
	return answer(op, "enrolled");
}

static enum opcmd_result check_policy(struct keeper *k, struct opcmd *op)
{
	const struct enrolment *e = k->enrolment;

	if (policy_decode(k->policy, e->policy, e->policy_len, op->problem,
		    sizeof(op->problem)) != CV_OK)
		return OPCMD_MALFORMED;
	if (policy_lint(k->policy, op->problem, sizeof(op->problem)) != CV_OK ||
		policy_lint_class(k->policy, e->trust_class, op->problem,
			sizeof(op->problem)) != CV_OK)
		return OPCMD_POLICY_EMPTY;
	return OPCMD_OK;
}

/* The keys and the share of the package, as the record's only ones. */
static void put_keys(struct keeper *k, const uint8_t package_hash[CV_HASH_BYTES])
{
	const struct enrolment *e = k->enrolment;
	struct record *rec = k->rec;

	rec->trust_class = e->trust_class;
	memcpy(rec->mac_key, e->mac_key, sizeof(rec->mac_key));
	memcpy(rec->attestation_key, e->attestation_key, sizeof(rec->attestation_key));
	rec->tpm = e->tpm;
	rec->enrolled_s = k->clock.now_s;
	rec->volume_count = 1;
	put_share(&rec->volumes[0], e, package_hash);
}

/*
 * Other keys in the place of those that a device has. Its shares go with the old keys, its boot
 * starts anew; its state stays, and so does its policy: who may enrol may not thereby loosen or
 * reinstate.
 */
static void replace_keys(struct keeper *k, const uint8_t package_hash[CV_HASH_BYTES])
{
	struct record *rec = k->rec;

	crypto_wipe(rec->volumes, sizeof(rec->volumes));
	memset(&rec->boot, 0, sizeof(rec->boot));
	rec->event_seen = false; /* the device counts its events anew, under another MAC key */
	rec->event_counter = 0;
	put_keys(k, package_hash);
}

static void new_record(struct keeper *k, const uint8_t package_hash[CV_HASH_BYTES])
{
	const struct enrolment *e = k->enrolment;
	struct record *rec = k->rec;

	crypto_wipe(rec, sizeof(*rec));
	memcpy(rec->device, e->device, sizeof(rec->device));
	rec->state = DEVICE_ACTIVE;
	memcpy(rec->group, e->group, sizeof(rec->group));
	memcpy(rec->policy, e->policy, e->policy_len);
	rec->policy_len = e->policy_len;
	rec->policy_version = k->policy->version;
	put_keys(k, package_hash);
}

static enum opcmd_result first_record(
	struct keeper *k, struct opcmd *op, const uint8_t package_hash[CV_HASH_BYTES])
{
	enum opcmd_result result = check_policy(k, op);

	if (result != OPCMD_OK)
		return result;
	new_record(k, package_hash);
	return write_record(k, op);
}

enum opcmd_result opcmd_enrol(struct keeper *k, struct opcmd *op)
{
	uint8_t hash[CV_HASH_BYTES];
	bool known = false;
	enum opcmd_result result = take_package(k, op, hash, &known);

	if (result != OPCMD_OK)
		return result;
	if (known) {
		if (is_repeated(k->rec, hash))
			return answer(op, "unchanged");
		snprintf(op->problem, sizeof(op->problem),
			"the device was enrolled with another package");
		return OPCMD_EXISTS;
	}
	return first_record(k, op, hash);
}

/* The policy that the record holds must suit the class that it gets. */
static enum opcmd_result check_kept_policy(struct keeper *k, struct opcmd *op)
{
	if (policy_decode(k->policy, k->rec->policy, k->rec->policy_len, op->problem,
		    sizeof(op->problem)) != CV_OK ||
		policy_lint_class(k->policy, k->enrolment->trust_class, op->problem,
			sizeof(op->problem)) != CV_OK)
		return OPCMD_POLICY_EMPTY;
	return OPCMD_OK;
}

/* The names of both quoting keys; "-" for a class without one. */
static enum cv_err key_text(char out[HEX_BUF(TPM_NAME_BYTES)], const struct enrolment_tpm *tpm)
{
	uint8_t name[TPM_NAME_BYTES];
	enum cv_err err = CV_OK;

	strcpy(out, "-");
	if (tpm->ak_len > 0)
		err = tpm_name(name, tpm->ak, tpm->ak_len);
	if (err == CV_OK && tpm->ak_len > 0)
		hex_encode(out, name, sizeof(name));
	return err;
}

static enum opcmd_result reenrol(
	struct keeper *k, struct opcmd *op, const uint8_t package_hash[CV_HASH_BYTES])
{
	char was[HEX_BUF(TPM_NAME_BYTES)], is[HEX_BUF(TPM_NAME_BYTES)], detail[256];
	enum opcmd_result result = check_kept_policy(k, op);

	if (result == OPCMD_OK && (key_text(was, &k->rec->tpm) != CV_OK ||
					  key_text(is, &k->enrolment->tpm) != CV_OK))
		result = OPCMD_STORE_FAILED;
	if (result == OPCMD_OK)
		result = opcmd_begin(k, op, false);
	if (result != OPCMD_OK)
		return result;
	snprintf(detail, sizeof(detail), "%s to %s, quoting key %s to %s",
		trust_class_name(k->rec->trust_class), trust_class_name(k->enrolment->trust_class),
		was, is);
	replace_keys(k, package_hash);
	result = opcmd_put_device(k, op, "reenrolled", detail);
	if (result != OPCMD_OK)
		return result;
	alert_enrolled(k, op);
	return answer(op, "reenrolled");
}

enum opcmd_result opcmd_reenrol(struct keeper *k, struct opcmd *op)
{
	uint8_t hash[CV_HASH_BYTES];
	bool known = false;
	enum opcmd_result result = take_package(k, op, hash, &known);

	if (result != OPCMD_OK)
		return result;
	if (known)
		return is_repeated(k->rec, hash) ? answer(op, "unchanged") : reenrol(k, op, hash);
	return first_record(k, op, hash);
}

static bool same_tpm(const struct enrolment_tpm *a, const struct enrolment_tpm *b)
{
	return a->ak_len == b->ak_len && crypto_equal(a->ek_name, b->ek_name, TPM_NAME_BYTES) &&
	       crypto_equal(a->ak, b->ak, TPM_PUBLIC_MAX);
}

/* Why a package cannot add a volume to this record. */
static enum opcmd_result check_share(struct keeper *k, struct opcmd *op)
{
	const struct enrolment *e = k->enrolment;
	const struct record_volume *volume = record_volume_find(k->rec, e->volume_id);
	const char *why = NULL;

	if (volume != NULL && record_share_find(volume, e->epoch) == NULL) {
		snprintf(op->problem, sizeof(op->problem),
			"a further epoch of a volume is not built in this version");
		return OPCMD_NOT_BUILT;
	}
	if (volume != NULL)
		why = "this volume and epoch came with another package";
	else if (!crypto_equal(e->mac_key, k->rec->mac_key, CV_MAC_KEY_BYTES) ||
		!crypto_equal(e->attestation_key, k->rec->attestation_key,
			CV_ES256_PUBLIC_BYTES) ||
		e->trust_class != k->rec->trust_class || !same_tpm(&e->tpm, &k->rec->tpm))
		why = "the package has other keys than the device";
	else if (k->rec->volume_count == RECORD_VOLUMES_MAX)
		why = "the device has as many volumes as a record holds";
	if (why == NULL)
		return OPCMD_OK;
	snprintf(op->problem, sizeof(op->problem), "%s", why);
	return OPCMD_CONFLICT;
}

enum opcmd_result opcmd_share(struct keeper *k, struct opcmd *op)
{
	uint8_t hash[CV_HASH_BYTES];
	bool known = false;
	enum opcmd_result result = take_package(k, op, hash, &known);

	if (result == OPCMD_OK && !known)
		result = OPCMD_NOT_FOUND;
	if (result != OPCMD_OK)
		return result;
	if (is_repeated(k->rec, hash))
		return answer(op, "unchanged");
	result = check_share(k, op);
	if (result != OPCMD_OK)
		return result;
	put_share(&k->rec->volumes[k->rec->volume_count++], k->enrolment, hash);
	return write_record(k, op);
}
