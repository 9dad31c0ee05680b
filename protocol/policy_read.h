/* Inside the policy's decoder: what its sections share. Not for other modules. */
#ifndef CONCLAVE_PROTOCOL_POLICY_READ_H
#define CONCLAVE_PROTOCOL_POLICY_READ_H

#include "protocol/policy.h"

#define POLICY_WAIVED "not_required"

struct cJSON;

/* Where the first mistake is reported. */
struct policy_complaint {
	char *text; /* may be NULL */
	size_t cap;
};

/* Writes "SECTION.MEMBER: WHAT" and returns err; section may be "", member NULL. */
enum cv_err policy_complain(const struct policy_complaint *c, enum cv_err err, const char *section,
	const char *member, const char *what);

/* *rules is NULL unless the section is an object with members. */
CV_MUST_CHECK enum cv_err policy_section_get(const struct cJSON *tree, const char *name,
	int may_waive, enum policy_section *section, const struct cJSON **rules,
	const struct policy_complaint *c);
/* A section that version 1 did not have at first: absent means not required; empty refuses. */
CV_MUST_CHECK enum cv_err policy_section_later(const struct cJSON *tree, const char *name,
	enum policy_section *section, const struct cJSON **rules,
	const struct policy_complaint *c);
CV_MUST_CHECK enum cv_err policy_only(const struct cJSON *object, const char *section,
	const char *const *names, const struct policy_complaint *c);
CV_MUST_CHECK enum cv_err policy_number(const struct cJSON *object, const char *section,
	const char *name, uint64_t min, uint64_t max, uint64_t *out,
	const struct policy_complaint *c);
/* A list of 1 .. CV_PLACES_MAX texts; one that is absent leaves list->present 0. */
CV_MUST_CHECK enum cv_err policy_texts(const struct cJSON *rules, const char *section,
	const char *name, struct policy_list *list, const struct policy_complaint *c);
/* 64 lower-case hex digits. */
CV_MUST_CHECK enum cv_err policy_hash(uint8_t out[CV_HASH_BYTES], const struct cJSON *item);

/* policy_place.c, policy_residency.c, policy_tpm.c: one section each. */
CV_MUST_CHECK enum cv_err policy_place_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c);
CV_MUST_CHECK enum cv_err policy_platform_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c);
CV_MUST_CHECK enum cv_err policy_inventory_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c);
CV_MUST_CHECK enum cv_err policy_pcrs_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c);
CV_MUST_CHECK enum cv_err policy_events_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c);
/* "0" .. "15" without leading zeros; the position, or -1. */
int policy_pcr_position(const char *name);
CV_MUST_CHECK enum cv_err policy_firmware_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c);

#endif
