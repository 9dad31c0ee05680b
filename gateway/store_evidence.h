/*
 * Recorded evidence of a device's last boots, in the sealed document `evidence/ID`: what a dry run
 * of a policy judges and what new reference values are learned from. Tokens and quotes as they
 * came, so that they are verified again by whoever reads them; place and serials are exact here
 * and nowhere else.
 *
 * Kept are the newest STORE_EVIDENCE_RELEASES releases, one for each boot, and the newest refusal.
 */
#ifndef CONCLAVE_GATEWAY_STORE_EVIDENCE_H
#define CONCLAVE_GATEWAY_STORE_EVIDENCE_H

#include "gateway/store.h"
#include "protocol/reason.h"
#include "protocol/tpm_quote.h"

#define STORE_EVIDENCE_RELEASES 3
#define STORE_EVIDENCE_MAX (STORE_EVIDENCE_RELEASES + 1)

struct store_evidence {
	uint64_t time_s;
	enum reason reason; /* REASON_RELEASE, or why it was refused */
	uint8_t nonce[CV_NONCE_BYTES];
	size_t token_len;
	char token[CV_EVIDENCE_MAX + 1];
	bool has_quote;
	struct tpm_quote quote;
};

struct store_evidences { /* large: allocate it */
	size_t count;
	struct store_evidence list[STORE_EVIDENCE_MAX]; /* newest first, a refusal last */
};

/* No document is an empty list. */
CV_MUST_CHECK enum cv_err store_evidence_get(
	struct store *s, const char *device, struct store_evidences *all);
/* Puts one more in its place and writes the document; `all` is what store_evidence_get gave. */
CV_MUST_CHECK enum cv_err store_evidence_add(struct store *s, const char *device,
	struct store_evidences *all, const struct store_evidence *one);

#endif
