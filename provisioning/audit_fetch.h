/* Reading a gateway's whole audit log. Prints its line. */
#ifndef CONCLAVE_PROVISIONING_AUDIT_FETCH_H
#define CONCLAVE_PROVISIONING_AUDIT_FETCH_H

#include "provisioning/audit_log.h"
#include "provisioning/op_client.h"

/* Records from..the newest; *state is what the keeper signed with the last page. */
CV_MUST_CHECK enum cv_err audit_fetch(struct audit_log *log, const struct op_client *client,
	const struct gateway_record *gateway, uint64_t from, struct seen *state);

#endif
