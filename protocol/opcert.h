/*
 * Operator certificates and the revocation list (docs/protocol.md section 2), and documents signed
 * by operators.
 */
#ifndef CONCLAVE_PROTOCOL_OPCERT_H
#define CONCLAVE_PROTOCOL_OPCERT_H

#include "protocol/jws.h"

#define OPCERT_TYP "conclave-opcert+jws"
#define REVOCATIONS_TYP "conclave-revocations+jws"
#define REVOCATIONS_MAX 256 /* operators in one list */

enum op_role {
	OP_ROLE_ENROL = 1,
	OP_ROLE_REVOKE = 2,
	OP_ROLE_POLICY = 4,
	OP_ROLE_AUDIT = 8,
	OP_ROLE_DEAL = 16
};
#define OP_ROLES_ALL 31u

struct opcert {
	char fleet[CV_ID_BUF];
	char operator_id[CV_ID_BUF];
	uint8_t key[CV_ES256_PUBLIC_BYTES];
	uint32_t roles; /* enum op_role, or-ed */
	uint64_t iat_s;
	uint64_t exp_s;
};

struct revocations {
	char fleet[CV_ID_BUF];
	uint64_t version;
	uint64_t iat_s;
	size_t count;
	char operators[REVOCATIONS_MAX][CV_ID_BUF];
};

const char *op_role_name(enum op_role role);
/* 0 if the name is none. */
uint32_t op_role_parse(const char *name);

CV_MUST_CHECK enum cv_err opcert_encode(char *out, size_t cap, size_t *len,
	const struct opcert *cert, const struct jws_signer *root);
/* CV_ERR_MISMATCH for another fleet; expiry is the caller's (opcert_current). */
CV_MUST_CHECK enum cv_err opcert_decode(struct opcert *cert, const char *text, size_t len,
	const char *fleet, const uint8_t root_key[CV_ES256_PUBLIC_BYTES]);
/* CV_ERR_ROLE, CV_ERR_EXPIRED (now_s == 0: the clock is not trusted, expiry not checked). */
CV_MUST_CHECK enum cv_err opcert_allows(
	const struct opcert *cert, uint32_t role, uint64_t now_s);

CV_MUST_CHECK enum cv_err revocations_encode(char *out, size_t cap, size_t *len,
	const struct revocations *list, const struct jws_signer *root);
/* The list is zeroed on failure, so keep the old one elsewhere until this returned CV_OK. */
CV_MUST_CHECK enum cv_err revocations_decode(struct revocations *list, const char *text,
	size_t len, const char *fleet, const uint8_t root_key[CV_ES256_PUBLIC_BYTES]);
/* 1 if the list names the operator. */
int revocations_names(const struct revocations *list, const char *operator_id);

/* Who may have signed: what a verifier of operator-signed documents knows. */
struct op_trust {
	const char *fleet;
	const uint8_t *root_key;	   /* CV_ES256_PUBLIC_BYTES */
	const struct revocations *revoked; /* or NULL */
	uint64_t now_s;			   /* 0: clock not trusted */
};

/*
 * Verify a document with "crt": certificate by the root, role, expiry, revocation, signature.
 * `cert` receives the signer. Errors as above, plus CV_ERR_EXPIRED, CV_ERR_ROLE and CV_ERR_DENIED
 * (the revocation list names the operator).
 */
CV_MUST_CHECK enum cv_err op_document_verify(const struct op_trust *trust, uint32_t role,
	const char *text, size_t len, const char *typ, struct opcert *cert, char *payload,
	size_t cap, size_t *payload_len);

#endif
