/*
 * Commands to keepers (docs/protocol.md section 10): each is signed by the operator over the
 * keeper's own key and a fresh nonce, and an answer counts only when that keeper has signed it for
 * this very command. What a front or anybody between says besides is no answer.
 *
 * Threads  op_call: any. op_round uses one thread per gateway.
 */
#ifndef CONCLAVE_PROVISIONING_OP_CLIENT_H
#define CONCLAVE_PROVISIONING_OP_CLIENT_H

#include "provisioning/gateway_record.h"
#include "provisioning/operator.h"
#include "provisioning/seen.h"

struct op_client {
	const struct fleet *fleet;
	const struct operator *op;
};

struct op_result {
	enum cv_err err;
	struct cJSON *body; /* the answer (status 200); json_free it */
	struct seen state;  /* what the keeper says of itself */
	char reason[64];    /* why it refused, "" if it did not */
	char problem[320];  /* one line for people when err is not CV_OK */
};

/*
 * `body` is a JSON object. result->err, which is also returned:
 *   CV_ERR_UNREACHABLE  no answer, or none that the keeper signed
 *   CV_ERR_DENIED       the keeper refused: reason
 *   CV_ERR_TOO_OLD      done, but by a store older than this operator has seen
 *   CV_ERR_TAMPERED     done, but its audit chain is not the one seen before
 *   CV_ERR_CONFIG       no address is known
 */
CV_MUST_CHECK enum cv_err op_call(const struct op_client *client,
	const struct gateway_record *gateway, const char *command, const char *body,
	struct op_result *result);
void op_result_wipe(struct op_result *result);

/* The same command at `count` gateways at once, each with its own body. */
struct op_errand {
	struct gateway_record gateway;
	char *body; /* malloc'ed, freed by op_errands_free */
	struct op_result result;
};
void op_round(const struct op_client *client, const char *command, struct op_errand *errands,
	size_t count);
void op_errands_free(struct op_errand *errands, size_t count);

#endif
