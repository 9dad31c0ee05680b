/* What the verbs that speak to gateways about a device open first: fleet, device, operator. */
#ifndef CONCLAVE_PROVISIONING_SESSION_H
#define CONCLAVE_PROVISIONING_SESSION_H

#include "provisioning/device_record.h"
#include "provisioning/op_client.h"

struct session {
	struct fleet fleet;
	struct operator op;
	struct passphrase passphrase;
	struct device_record record;
	struct op_client client;
};

/* device NULL: none is read. Prints its line; *out is session_close's. */
CV_MUST_CHECK enum cv_err session_open(struct session **out, const struct context *ctx,
	const char *device, enum op_role role);
void session_close(struct session *s);

#endif
