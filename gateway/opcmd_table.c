/* Which commands there are, and who may give them. */
#include "gateway/opcmd.h"

#include <string.h>

static const struct opcmd_row rows[] = {
	{ "enrol", OP_ROLE_ENROL, opcmd_enrol },
	{ "reenrol", OP_ROLE_ENROL, opcmd_reenrol },
	{ "share", OP_ROLE_ENROL, opcmd_share },
	{ "list", OP_ROLE_AUDIT, opcmd_list },
	{ "show", OP_ROLE_AUDIT, opcmd_show },
	{ "revoke", OP_ROLE_REVOKE, opcmd_revoke },
	{ "quarantine", OP_ROLE_REVOKE, opcmd_quarantine },
	{ "reinstate", OP_ROLE_REVOKE, opcmd_reinstate },
	{ "allow-key", OP_ROLE_REVOKE, opcmd_allow_key },
	{ "policy", OP_ROLE_POLICY, opcmd_policy },
	{ "policy-push", OP_ROLE_POLICY, opcmd_policy_push },
	{ "policy-canary", OP_ROLE_POLICY, opcmd_policy_canary },
	{ "policy-show", OP_ROLE_AUDIT, opcmd_policy_show },
	{ "policy-status", OP_ROLE_AUDIT, opcmd_policy_status },
	{ "policy-test", OP_ROLE_POLICY, opcmd_policy_test },
	{ "evidence", OP_ROLE_AUDIT, opcmd_evidence },
	{ "suspect", OP_ROLE_AUDIT, opcmd_suspect },
	{ "group", OP_ROLE_POLICY, opcmd_group },
	{ "inventory", OP_ROLE_ENROL, opcmd_inventory },
	{ "freeze", OP_ROLE_REVOKE, opcmd_freeze },
	{ "thaw", OP_ROLE_REVOKE, opcmd_thaw },
	{ "requests", OP_ROLE_AUDIT, opcmd_requests },
	{ "approve", OP_ROLE_REVOKE, opcmd_approve },
	{ "fleet-rules", 0, opcmd_fleet_rules },
	{ "audit", OP_ROLE_AUDIT, opcmd_read_audit },
	{ "revocations", 0, opcmd_revocations },
};

/* Epoch change and rules for two operators: the formats carry them, this version does not. */
static const char *const later[] = { "epoch", "promote", "countersign" };

const struct opcmd_row *opcmd_find(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

bool opcmd_is_later(const char *name)
{
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (strcmp(later[i], name) == 0)
			return true;
	}
	return false;
}

const char *opcmd_code(enum opcmd_result result)
{
	static const char *const codes[] = {
#define OPCMD_CODE(name, code) [OPCMD_##name] = code,
		OPCMD_RESULTS(OPCMD_CODE)
#undef OPCMD_CODE
	};

	return result < OPCMD_RESULT_COUNT_ ? codes[result] : "store_failed";
}
