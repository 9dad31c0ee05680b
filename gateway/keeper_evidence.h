/* Inside the keeper: recorded evidence (gateway/store_evidence.h). */
#ifndef CONCLAVE_GATEWAY_KEEPER_EVIDENCE_H
#define CONCLAVE_GATEWAY_KEEPER_EVIDENCE_H

#include "gateway/authorize.h"
#include "gateway/store_evidence.h"

struct keeper;

/*
 * Inside a transaction: evidence of a release in a new boot, or of a refusal by a policy. A failure
 * fails the batch.
 */
void keeper_evidence_keep(struct keeper *k, const char *device, const struct authorize_input *in,
	enum reason reason);

#endif
