/*
 * The policy of a group of devices (docs/policy.md): a document that an operator signs, with the
 * rules of protocol/policy.h inside and what only a group has around them.
 *
 * Form     docs/protocol.md section 14, docs/policy.schema.json.
 * Memory   a struct group_policy is large: allocate it. group_decode allocates the reference
 *          values with cJSON's hooks; group_free gives them back.
 * Errors   as json_get.h; `problem` (may be NULL) gets one line saying what is wrong and where.
 */
#ifndef CONCLAVE_PROTOCOL_GROUP_H
#define CONCLAVE_PROTOCOL_GROUP_H

#include "protocol/opcert.h"
#include "protocol/policy.h"
#include "protocol/reason.h"

#define GROUP_TYP "conclave-policy+jws"
#define GROUP_COUNTERSIGN_TYP "conclave-countersign+jws"
#define GROUP_REFERENCES_MAX 1024 /* in one policy, over all measurements */
#define GROUP_WINDOWS_MAX 16
#define GROUP_CLIENTS_MAX 8
#define GROUP_COUNTERSIGN_MAX 4096 /* compact JWS text */

/* A named reference value. Times are seconds since 1970; 0 and UINT64_MAX: without bound. */
struct group_reference {
	char measurement[EVIDENCE_TEXT_BUF];
	char name[EVIDENCE_TEXT_BUF];
	uint8_t value[CV_HASH_BYTES];
	uint64_t from_s;
	uint64_t until_s; /* not valid any more from here on */
};

/* UTC. A window whose end is not after its start runs over midnight; days are of its start. */
struct group_window {
	uint8_t days;	      /* bit 0 = Monday */
	uint16_t from_minute; /* of the day */
	uint16_t until_minute;
};

struct group_period {
	uint64_t from_s;
	uint64_t until_s;
};

struct group_client {
	char name[EVIDENCE_TEXT_BUF];
	char version[EVIDENCE_TEXT_BUF];
};

struct group_policy {
	char fleet[CV_ID_BUF];
	char group[CV_ID_BUF];
	struct policy rules; /* rules.version is the version of the whole */
	enum policy_section references;
	size_t reference_count;
	struct group_reference *reference; /* those of one measurement stand together */
	uint32_t trust_classes;		   /* bit 1 << enum trust_class */
	enum policy_section clients;
	size_t client_count;
	struct group_client client[GROUP_CLIENTS_MAX];
	enum policy_section windows;
	size_t window_count;
	struct group_window window[GROUP_WINDOWS_MAX];
	size_t maintenance_count;
	struct group_period maintenance[GROUP_WINDOWS_MAX];
	enum policy_section quota;
	uint32_t releases_per_day;
	uint8_t approval; /* an operator approves each new boot key */
	uint8_t clock_trusted; /* rules about time refuse while the gateway's clock is not trusted */
	uint8_t quarantine_on[REASON_COUNT_];
};

/* Decodes and lints the JSON text (a payload). *p is zeroed on failure. */
CV_MUST_CHECK enum cv_err group_decode(
	struct group_policy *p, const char *json, size_t len, char *problem, size_t problem_cap);
/* Gives back what group_decode allocated, and zeroes *p. */
void group_free(struct group_policy *p);

/*
 * Verifies a signed policy: form, fleet (CV_ERR_MISMATCH), signer (role policy) and content; errors
 * also as op_document_verify. `payload` (cap bytes) receives the JSON, `signer` who signed.
 */
CV_MUST_CHECK enum cv_err group_open(struct group_policy *p, const char *text, size_t len,
	const struct op_trust *trust, struct opcert *signer, char *payload, size_t cap,
	char *problem, size_t problem_cap);

/* A second operator's signature: over the hash of the signed text. */
CV_MUST_CHECK enum cv_err group_countersign(char *out, size_t cap, size_t *len, const char *fleet,
	const char *text, size_t text_len, const char *crt, const struct jws_signer *signer);
/*
 * CV_ERR_MISMATCH: it is over another text, or for another fleet; CV_ERR_DENIED: by the operator,
 * or with the key, that signed the policy (or the revocation list names it).
 */
CV_MUST_CHECK enum cv_err group_countersign_verify(const struct op_trust *trust,
	const char *countersign, size_t len, const char *text, size_t text_len,
	const struct opcert *first, struct opcert *second);

/* "2026-01-02T03:04:05Z", years 1970 to 9999; exactly this form. */
CV_MUST_CHECK enum cv_err group_time_parse(const char *text, uint64_t *seconds);
/* Versions as runs of digits and of other characters: <0, 0, >0; "1.10" is above "1.9". */
int group_version_compare(const char *a, const char *b);
/* Is this device among the first `percent` of its group? The same at every gateway. */
CV_MUST_CHECK enum cv_err group_is_canary(
	const char *group, const char *device, uint32_t percent, int *is);

#endif
