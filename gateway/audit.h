/*
 * Texts of the audit: one JSON object per record, at most AUDIT_TEXT_MAX bytes, no secret in any.
 * Members and kinds: docs/operations.md. The chain is protocol/audit_chain.h, the rows store.h.
 *
 * Use: audit_begin, members through `w` (protocol/json_write.h), audit_append.
 */
#ifndef CONCLAVE_GATEWAY_AUDIT_H
#define CONCLAVE_GATEWAY_AUDIT_H

#include "gateway/authorize.h"
#include "gateway/store.h"
#include "protocol/json_write.h"

struct audit_text {
	char buf[AUDIT_TEXT_MAX + 1];
	struct json_writer w;
};

/* `device` may be NULL. */
void audit_begin(struct audit_text *a, const char *kind, const struct authorize_clock *clock,
	const char *device);
/* Ends the object and appends it to the open transaction. */
CV_MUST_CHECK enum cv_err audit_append(struct audit_text *a, struct store *store);

#endif
