/* The verbs, each defined in the file of its name. */
#ifndef CONCLAVE_PROVISIONING_VERBS_H
#define CONCLAVE_PROVISIONING_VERBS_H

#include "provisioning/verb.h"

extern const struct verb verb_fleet_init;
extern const struct verb verb_operator_add;
extern const struct verb verb_operator_revoke;
extern const struct verb verb_gateway_add;
extern const struct verb verb_gateway_list;
extern const struct verb verb_gateway_address;
extern const struct verb verb_device_add;
extern const struct verb verb_device_reenroll;
extern const struct verb verb_device_list;
extern const struct verb verb_device_show;
extern const struct verb verb_device_push;
extern const struct verb verb_device_revoke;
extern const struct verb verb_device_quarantine;
extern const struct verb verb_device_reinstate;
extern const struct verb verb_device_allow_key;
extern const struct verb verb_device_group;
extern const struct verb verb_device_inventory;
extern const struct verb verb_fleet_rules;
extern const struct verb verb_fleet_freeze;
extern const struct verb verb_fleet_thaw;
extern const struct verb verb_fleet_pending;
extern const struct verb verb_device_approve;
extern const struct verb verb_device_requests;
extern const struct verb verb_policy_set;
extern const struct verb verb_policy_sign;
extern const struct verb verb_policy_push;
extern const struct verb verb_policy_promote;
extern const struct verb verb_policy_abort;
extern const struct verb verb_policy_show;
extern const struct verb verb_policy_diff;
extern const struct verb verb_policy_status;
extern const struct verb verb_policy_test;
extern const struct verb verb_policy_learn;
extern const struct verb verb_audit_reconcile;
extern const struct verb verb_policy_lint;
extern const struct verb verb_audit_read;
extern const struct verb verb_audit_verify;
extern const struct verb verb_volume_create;
extern const struct verb verb_volume_info;
extern const struct verb verb_volume_check;
extern const struct verb verb_volume_import;
extern const struct verb verb_volume_header_backup;
extern const struct verb verb_volume_header_restore;
extern const struct verb verb_volume_grow;
extern const struct verb verb_volume_trim;
extern const struct verb verb_volume_rekey;
extern const struct verb verb_volume_salvage;
extern const struct verb verb_volume_compact;
extern const struct verb verb_demo;

#endif
