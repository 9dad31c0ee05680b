/* Operators' commands and the keeper's replies (docs/protocol.md section 10). */
#ifndef CONCLAVE_PROTOCOL_OP_H
#define CONCLAVE_PROTOCOL_OP_H

#include "protocol/jws.h"

#define OP_HEADER_NAME "Conclave-Op"
#define OP_CERT_HEADER_NAME "Conclave-Op-Cert"
#define OP_REPLY_HEADER_NAME "Conclave-Op-Reply"
#define OP_HEADER_BUF 192
#define OP_REPLY_HEADER_BUF 256

struct op_command {
	const uint8_t *keeper_key; /* CV_ES256_PUBLIC_BYTES */
	const uint8_t *nonce;	   /* nonce_len bytes: CV_NONCE_BYTES, or 0 for /v1/op/nonce */
	size_t nonce_len;
	const char *method;
	const char *target;
	const void *body;
	size_t body_len;
};

struct op_reply {
	unsigned int status;
	uint64_t store_revision;
	uint64_t audit_seq;
	uint8_t audit_head[CV_HASH_BYTES];
	const void *body;
	size_t body_len;
};

/* SHA-256(C) of the command: what the operator signs and the reply refers to. */
CV_MUST_CHECK enum cv_err op_command_hash(
	uint8_t out[CV_HASH_BYTES], const struct op_command *command);
/* What the keeper signs. */
CV_MUST_CHECK enum cv_err op_reply_hash(uint8_t out[CV_HASH_BYTES],
	const uint8_t command_hash[CV_HASH_BYTES], const struct op_reply *reply);

/* "v1 nonce=B64U sig=B64U" */
CV_MUST_CHECK enum cv_err op_header(char out[OP_HEADER_BUF],
	const uint8_t nonce[CV_NONCE_BYTES], const uint8_t sig[CV_ES256_SIG_BYTES]);
CV_MUST_CHECK enum cv_err op_header_parse(const char *value, size_t len,
	uint8_t nonce[CV_NONCE_BYTES], uint8_t sig[CV_ES256_SIG_BYTES]);
/* "v1 revision=N seq=N head=HEX sig=B64U" */
CV_MUST_CHECK enum cv_err op_reply_header(char out[OP_REPLY_HEADER_BUF],
	const struct op_reply *reply, const uint8_t sig[CV_ES256_SIG_BYTES]);
/* Fills store_revision, audit_seq and audit_head of reply. */
CV_MUST_CHECK enum cv_err op_reply_header_parse(const char *value, size_t len,
	struct op_reply *reply, uint8_t sig[CV_ES256_SIG_BYTES]);

#endif
