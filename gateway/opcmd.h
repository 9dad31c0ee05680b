/*
 * Operators' commands, inside the keeper (docs/protocol.md section 10). Default deny: a command
 * runs only after certificate, role, expiry, revocation list, nonce and signature held, in this
 * order, whatever the front and TLS said before. Every reply, refusals too, is signed.
 */
#ifndef CONCLAVE_GATEWAY_OPCMD_H
#define CONCLAVE_GATEWAY_OPCMD_H

#include <stdbool.h>

#include "gateway/keeper_state.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"

#define OPCMD_REVOCATIONS "revocations" /* name of the document in the store */

/* code on the wire */
#define OPCMD_RESULTS(X) \
	X(OK, "ok") \
	X(CERTIFICATE, "op_certificate") \
	X(ROLE, "op_role") \
	X(EXPIRED, "op_expired") \
	X(REVOKED, "op_revoked") \
	X(NONCE, "op_nonce") \
	X(SIGNATURE, "op_signature") \
	X(MALFORMED, "malformed") \
	X(NOT_FOUND, "not_found") \
	X(EXISTS, "exists") \
	X(CONFLICT, "conflict") \
	X(NOT_BUILT, "not_built") \
	X(STORE_FAILED, "store_failed") \
	X(POLICY_EMPTY, "policy_empty")

enum opcmd_result {
#define OPCMD_ENUM(name, code) OPCMD_##name,
	OPCMD_RESULTS(OPCMD_ENUM)
#undef OPCMD_ENUM
	OPCMD_RESULT_COUNT_
};

const char *opcmd_code(enum opcmd_result result);

struct opcmd {
	const struct ipc_request *request;
	uint8_t command_hash[CV_HASH_BYTES];
	uint64_t now_s; /* for expiry */
	struct opcert cert;
	struct cJSON *tree;
	struct json_writer w; /* the 200 answer; run() writes members, the object is open */
	char problem[160];    /* title of a refusal; "" = a general one */
	char device[CV_ID_BUF]; /* for the audit, once known */
	bool changed;	      /* something was written */
};

struct opcmd_row {
	const char *name;
	uint32_t role; /* 0: any operator */
	enum opcmd_result (*run)(struct keeper *k, struct opcmd *op);
};

/* opcmd_table.c; NULL if there is no such command. */
const struct opcmd_row *opcmd_find(const char *name);
/* Commands of later versions. */
bool opcmd_is_later(const char *name);

/* opcmd_reply.c: signs and sends, after the commit if a transaction is open. */
void opcmd_reply(struct keeper *k, struct opcmd *op, const char *body, size_t len);
void opcmd_refuse(struct keeper *k, struct opcmd *op, enum opcmd_result result);

/* opcmd.c: why a document that operators signed (a package, a policy) was not taken. */
enum opcmd_result opcmd_document_refusal(enum cv_err err);

/* opcmd_device.c */
/* The record named by "device" of the body into k->rec. */
enum opcmd_result opcmd_get_device(struct keeper *k, struct opcmd *op);
/* Writes k->rec and an audit record of the command; `detail` may be NULL. */
enum opcmd_result opcmd_put_device(
	struct keeper *k, struct opcmd *op, const char *detail_name, const char *detail);
/* Opens the transaction; `urgent`: also from the reserve of a full disk. */
enum opcmd_result opcmd_begin(struct keeper *k, struct opcmd *op, bool urgent);
enum opcmd_result opcmd_audit(struct keeper *k, struct opcmd *op, const char *result,
	const char *detail_name, const char *detail);
enum opcmd_result opcmd_revoke(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_quarantine(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_reinstate(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_allow_key(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_policy(struct keeper *k, struct opcmd *op);

/* opcmd_enrol.c */
enum opcmd_result opcmd_enrol(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_reenrol(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_share(struct keeper *k, struct opcmd *op);

/* opcmd_inventory.c */
enum opcmd_result opcmd_inventory(struct keeper *k, struct opcmd *op);

/* opcmd_read.c */
enum opcmd_result opcmd_list(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_show(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_read_audit(struct keeper *k, struct opcmd *op);

/* opcmd_policy.c */
enum opcmd_result opcmd_policy_push(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_policy_canary(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_policy_show(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_policy_status(struct keeper *k, struct opcmd *op);

/* opcmd_policy_test.c */
enum opcmd_result opcmd_policy_test(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_evidence(struct keeper *k, struct opcmd *op);

/* opcmd_suspect.c */
enum opcmd_result opcmd_suspect(struct keeper *k, struct opcmd *op);

/* opcmd_approve.c */
enum opcmd_result opcmd_requests(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_approve(struct keeper *k, struct opcmd *op);

/* opcmd_fleet.c */
enum opcmd_result opcmd_freeze(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_thaw(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_fleet_rules(struct keeper *k, struct opcmd *op);
enum opcmd_result opcmd_group(struct keeper *k, struct opcmd *op);

/* opcmd_revocations.c */
enum opcmd_result opcmd_revocations(struct keeper *k, struct opcmd *op);

#endif
