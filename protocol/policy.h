/* The policy of a device (docs/protocol.md section 9): decode and lint. */
#ifndef CONCLAVE_PROTOCOL_POLICY_H
#define CONCLAVE_PROTOCOL_POLICY_H

#include "protocol/enrol.h"
#include "protocol/evidence.h"
#include "protocol/limits.h"
#include "protocol/place.h"
#include "protocol/tpm_quote.h"

struct cJSON;

enum policy_section {
	POLICY_EMPTY = 0,     /* absent or empty: refuses */
	POLICY_RULES,
	POLICY_NOT_REQUIRED
};

struct policy_measurement {
	char name[EVIDENCE_TEXT_BUF];
	uint8_t count;
	uint8_t values[CV_REFERENCE_VALUES_MAX][CV_HASH_BYTES];
};

struct policy_pcr {
	uint8_t count; /* 0: not looked at */
	uint8_t values[CV_PCR_VALUES_MAX][CV_HASH_BYTES];
};

struct policy_list {
	uint8_t present;
	uint8_t count;
	char names[CV_PLACES_MAX][EVIDENCE_TEXT_BUF];
};

struct policy_source { /* of a position; "" = any */
	char source[EVIDENCE_TEXT_BUF];
	char receiver[EVIDENCE_TEXT_BUF];
	char firmware[EVIDENCE_TEXT_BUF];
};

struct policy_event_name { /* an event that must come */
	char name[EVIDENCE_TEXT_BUF];
	uint8_t position; /* tpm_pcr_position of its PCR */
};

#define POLICY_EVENT_CHAINS 256

struct policy_event_value {
	uint8_t position;
	uint8_t name; /* index of its name; CV_EVENT_NAMES_MAX: it may come, and need not */
	uint16_t next; /* 1 + index of the next in its chain; 0: the last */
	uint8_t digest[CV_HASH_BYTES];
};

struct policy_area {
	char name[EVIDENCE_TEXT_BUF];
	uint8_t is_circle;
	struct place_circle circle;
	uint16_t first; /* of corner_count in policy.corners */
	uint16_t corner_count;
	struct place_point box[2];
};

struct policy { /* large: allocate it */
	uint64_t version;
	uint32_t boot_max_keys;
	uint64_t boot_max_step;
	enum policy_section boot;
	enum policy_section measurements;
	uint8_t measurement_count;
	struct policy_measurement measurement[CV_DIGESTS_MAX];
	enum policy_section place;
	struct policy_list regions, states, cities;
	uint8_t source_count; /* 0: any */
	struct policy_source sources[CV_PLACE_SOURCES_MAX];
	uint8_t area_count; /* 0: anywhere */
	struct policy_area areas[CV_AREAS_MAX];
	uint16_t corner_count;
	struct place_point corners[CV_CORNERS_MAX];
	uint32_t max_accuracy_m; /* with areas only */
	uint8_t has_max_age;
	uint32_t max_age_s; /* of the fix */
	enum policy_section platform;
	struct policy_list kernels, boot_states;
	uint8_t cmdline_count; /* 0: any */
	uint8_t cmdlines[CV_PCR_VALUES_MAX][CV_HASH_BYTES];
	enum policy_section inventory;
	struct policy_list inventory_required, inventory_recorded; /* patterns of inventory.h */
	enum policy_section iat;
	uint64_t iat_max_age_s;
	uint64_t iat_max_ahead_s;
	/* devices of trust class tpm only; policies made before there was one have neither */
	enum policy_section pcrs;
	struct policy_pcr pcr[TPM_PCR_COUNT]; /* by tpm_pcr_position */
	enum policy_section firmware;
	uint8_t firmware_count;
	uint64_t firmwares[CV_PCR_VALUES_MAX];
	enum policy_section events;
	uint16_t event_pcrs; /* bits by tpm_pcr_position */
	uint8_t event_name_count;
	struct policy_event_name event_names[CV_EVENT_NAMES_MAX];
	uint16_t event_value_count;
	struct policy_event_value event_values[CV_EVENT_VALUES_MAX];
	uint16_t event_chains[POLICY_EVENT_CHAINS]; /* by the digest's last byte; as `next` */
	uint32_t lease_s;
	uint8_t reveal_reason;
};

/*
 * Decodes; unknown members are errors. Sections that are absent or empty decode to POLICY_EMPTY
 * (the verdict then refuses). problem (may be NULL) gets one line saying what is wrong and where,
 * cut to problem_cap. *p is zeroed on failure: every section then refuses.
 */
CV_MUST_CHECK enum cv_err policy_decode(
	struct policy *p, const char *json, size_t len, char *problem, size_t problem_cap);
/* The same of a document that was parsed already, as part of a larger one; of any size. */
CV_MUST_CHECK enum cv_err policy_decode_tree(
	struct policy *p, const struct cJSON *tree, char *problem, size_t problem_cap);
/*
 * What a device of this class must and must not find in its policy: class tpm needs `pcrs` and
 * `tpm_firmware`, no other class can keep their rules. Errors as policy_lint.
 */
CV_MUST_CHECK enum cv_err policy_lint_class(const struct policy *p, enum trust_class trust_class,
	char *problem, size_t problem_cap);
/* CV_OK if no section is POLICY_EMPTY; else CV_ERR_TYPE with the section named in problem. */
CV_MUST_CHECK enum cv_err policy_lint(const struct policy *p, char *problem, size_t problem_cap);

#endif
