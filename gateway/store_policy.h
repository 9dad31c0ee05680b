/*
 * Policies of groups in the store. For each group a sealed document `group/ID` says which versions
 * there are, which one is in force and which one a canary share has; the signed texts are
 * `policy/ID/VERSION`, the newest STORE_POLICY_KEPT of them.
 *
 * Errors   as store.h; CV_ERR_TAMPERED for a document of a wrong form.
 */
#ifndef CONCLAVE_GATEWAY_STORE_POLICY_H
#define CONCLAVE_GATEWAY_STORE_POLICY_H

#include "gateway/store.h"

#define STORE_POLICY_KEPT 16
#define STORE_GROUP_PREFIX "group/"

struct store_policy {
	uint64_t version;
	uint8_t hash[CV_HASH_BYTES]; /* SHA-256 of the signed text */
	char signer[CV_ID_BUF];
	char second[CV_ID_BUF]; /* who countersigned; "" nobody */
	uint64_t taken_s;
};

struct store_group {
	char id[CV_ID_BUF];
	uint64_t in_force; /* 0: only canaries have a policy */
	uint64_t canary;   /* 0: none */
	uint32_t percent;
	uint64_t highest; /* ever taken; nothing below it is taken again */
	size_t count;	  /* newest last */
	struct store_policy policies[STORE_POLICY_KEPT];
};

CV_MUST_CHECK enum cv_err store_group_get(
	struct store *s, const char *id, struct store_group *group);
CV_MUST_CHECK enum cv_err store_group_put(struct store *s, const struct store_group *group);
/* The first group after `after` ("" for the first); CV_ERR_NOT_FOUND when there is no more. */
CV_MUST_CHECK enum cv_err store_group_next(
	struct store *s, const char *after, struct store_group *group);

/* The signed text; `out` of CV_JWS_MAX + 1 gets a NUL after *len bytes. */
CV_MUST_CHECK enum cv_err store_policy_get(
	struct store *s, const char *group, uint64_t version, char *out, size_t *len);
/* Adds the text and its row, and drops the oldest that nobody needs. */
CV_MUST_CHECK enum cv_err store_policy_add(struct store *s, struct store_group *group,
	const struct store_policy *policy, const char *text, size_t len);

/* NULL if the group does not keep that version. */
const struct store_policy *store_policy_find(const struct store_group *group, uint64_t version);

#endif
