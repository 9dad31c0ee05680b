/* Enrolment package (docs/protocol.md section 6). */
#ifndef CONCLAVE_PROTOCOL_ENROL_H
#define CONCLAVE_PROTOCOL_ENROL_H

#include "protocol/opcert.h"
#include "protocol/tpm_quote.h"

#define ENROL_MAX 24576 /* compact JWS text of a package: enough for the largest policy */
#define ENROL_TYP "conclave-enrol+jws"

enum trust_class {
	TRUST_SOFTWARE = 1,
	TRUST_MICROCONTROLLER,
	TRUST_TPM
};

/* Which TPM: its endorsement key by name, its attestation key by TPMT_PUBLIC. Class tpm only. */
struct enrolment_tpm {
	uint8_t ek_name[TPM_NAME_BYTES];
	size_t ak_len;
	uint8_t ak[TPM_PUBLIC_MAX];
};

struct enrolment { /* holds secrets: keep it in locked memory */
	char fleet[CV_ID_BUF];
	char gateway[CV_ID_BUF];
	char device[CV_ID_BUF];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t epoch;
	uint8_t x;
	uint8_t share[CV_SECRET_BYTES];
	uint8_t mac_key[CV_MAC_KEY_BYTES];
	uint8_t attestation_key[CV_ES256_PUBLIC_BYTES];
	uint8_t share_set_hash[CV_HASH_BYTES];
	uint8_t threshold;
	uint8_t members;
	enum trust_class trust_class;
	struct enrolment_tpm tpm;
	char group[CV_ID_BUF]; /* whose policy holds for it; "": none */
	char policy[CV_POLICY_MAX + 1]; /* JSON text */
	size_t policy_len;
};

const char *trust_class_name(enum trust_class c);
/* 0 if unknown. */
enum trust_class trust_class_parse(const char *name);

/*
 * Seals to the keeper's enrolment key and signs. CV_ERR_ARGUMENT for a struct that enrolment_open
 * would refuse; the policy must be one JSON object (policy.h says more about it).
 *
 * Both functions run on Linux only. Plaintext and parsed tree pass through memory from cJSON's
 * hooks (scratch.h) and are wiped; a keeper sets the hooks to locked memory.
 */
CV_MUST_CHECK enum cv_err enrolment_seal(char *out, size_t cap, size_t *len,
	const struct enrolment *e, const uint8_t enrolment_key[CV_X25519_BYTES], const char *crt,
	const struct jws_signer *signer);
/*
 * Verifies the signer (role enrol), that it is for this fleet and gateway (CV_ERR_MISMATCH), opens
 * (CV_ERR_SEAL) and decodes. `cert` receives the signer. *e is zeroed on failure.
 */
CV_MUST_CHECK enum cv_err enrolment_open(struct enrolment *e, const char *text, size_t len,
	const struct op_trust *trust, const char *gateway,
	const uint8_t enrolment_private[CV_X25519_BYTES], struct opcert *cert);

#endif
