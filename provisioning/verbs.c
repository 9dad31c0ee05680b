#include "provisioning/verbs.h"

#include <stddef.h>

const struct verb *const verbs[] = {
	&verb_fleet_init,
	&verb_operator_add,
	&verb_operator_revoke,
	&verb_gateway_add,
	&verb_gateway_list,
	&verb_gateway_address,
	&verb_device_add,
	&verb_device_list,
	&verb_device_show,
	&verb_device_push,
	&verb_device_revoke,
	&verb_device_quarantine,
	&verb_device_reinstate,
	&verb_device_allow_key,
	&verb_policy_set,
	&verb_policy_lint,
	&verb_audit_read,
	&verb_audit_verify,
	&verb_volume_create,
	&verb_volume_info,
	&verb_volume_check,
	&verb_volume_import,
	&verb_volume_header_backup,
	&verb_volume_header_restore,
	&verb_volume_grow,
	&verb_volume_trim,
	&verb_demo,
	NULL,
};
