/*
 * Dealing: the secrets of a new device, made and kept in locked memory, and what is built from
 * them: share set, a sealed enrolment package per gateway, the device's bundle.
 *
 * Nothing here prints. The plan is public; struct deal_secrets is not, and is wiped with
 * secret_free as soon as the volume or the blob is sealed and the bundle written.
 */
#ifndef CONCLAVE_PROVISIONING_DEAL_H
#define CONCLAVE_PROVISIONING_DEAL_H

#include "host/bundle.h"
#include "host/recovery_code.h"
#include "protocol/enrol.h"
#include "protocol/share_set.h"
#include "provisioning/enroll.h"
#include "provisioning/gateway_record.h"
#include "provisioning/operator.h"
#include "shamir/shamir.h"

struct deal_plan {
	const struct fleet *fleet;
	const struct operator *op;
	char device[CV_ID_BUF];
	enum trust_class trust_class;
	struct gateway_record gateways[CV_MEMBERS_MAX];
	size_t count;
	size_t threshold;
	uint32_t epoch;
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	char group[CV_ID_BUF]; /* "": none */
	char policy[CV_POLICY_MAX + 1];
	size_t policy_len;
	/* what a TPM has shown: its keys take the place of new ones; NULL without a TPM */
	const struct enroll_proof *proof;
	const uint8_t *settings; /* of a microcontroller, plain; NULL otherwise */
	size_t settings_len;

	/* set by deal_make */
	uint8_t attestation_key[CV_ES256_PUBLIC_BYTES];
	struct share_set set;
	char set_text[CV_SHARE_SET_MAX + 1];
	size_t set_len;
};

struct deal_secrets { /* secret_alloc */
	uint8_t unlock[CV_SECRET_BYTES];
	uint8_t mac_root[CV_MAC_ROOT_BYTES];
	uint8_t attestation[CV_ES256_PRIVATE_BYTES];
	uint8_t recovery[RECOVERY_CODE_BYTES];
	char recovery_text[RECOVERY_CODE_BUF];
	char passphrase[BUNDLE_PASSPHRASE_BUF];
	struct shamir_share shares[CV_MEMBERS_MAX];
	uint8_t coefficients[SHAMIR_RANDOM_BYTES(CV_MEMBERS_MAX)];
	struct enrolment enrolment;
};

/* Volume id, every secret, shares and the signed share set. */
CV_MUST_CHECK enum cv_err deal_make(struct deal_plan *plan, struct deal_secrets *secrets);
/* Writes DIR/GATEWAY.jws for each gateway: what travels online or on a stick, byte for byte. */
CV_MUST_CHECK enum cv_err deal_write_packages(
	const struct deal_plan *plan, struct deal_secrets *secrets, const char *dir);
/* The device's files, as its state directory will hold them; bundle_wipe afterwards. */
CV_MUST_CHECK enum cv_err deal_bundle(
	struct bundle *bundle, const struct deal_plan *plan, const struct deal_secrets *secrets);

#endif
