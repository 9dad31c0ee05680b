/* Inside the keeper: policies of groups, and what holds for the whole fleet. */
#ifndef CONCLAVE_GATEWAY_KEEPER_GROUP_H
#define CONCLAVE_GATEWAY_KEEPER_GROUP_H

#include "gateway/record.h"
#include "gateway/store_policy.h"
#include "protocol/group.h"

struct keeper;
struct keeper_groups;

/* What holds for all devices; sealed document `fleet`. */
struct keeper_fleet {
	bool frozen;
	uint64_t since_s;
	char reason[RECORD_NOTE_BUF];
	uint64_t rules_version; /* of the root's rules for operators; 0: none were given */
	bool two_for_policy;
};

/* keeper_group.c */
CV_MUST_CHECK enum cv_err keeper_groups_open(struct keeper_groups **out);
void keeper_groups_close(struct keeper_groups *all);
/* From the store, at the start and after a transaction that did not come about. */
CV_MUST_CHECK enum cv_err keeper_load_groups(struct keeper *k);
CV_MUST_CHECK enum cv_err keeper_group_changed(struct keeper *k, const struct store_group *group);
/*
 * The policy in force for this device, which may be a canary; NULL if its group has none, or it has
 * no group. It stays until the next call or change.
 */
const struct group_policy *keeper_group_policy(struct keeper *k, const struct record *rec);
/* Of the group's policy, of the device's own if it has no group; 0: there is none. */
uint64_t keeper_policy_version(struct keeper *k, const struct record *rec);
size_t keeper_group_count(const struct keeper *k);
const char *keeper_group_at(
	const struct keeper *k, size_t i, uint64_t *in_force, uint64_t *canary);

/* keeper_fleet.c */
CV_MUST_CHECK enum cv_err keeper_load_fleet(struct keeper *k);
CV_MUST_CHECK enum cv_err keeper_store_fleet(struct keeper *k);

#endif
