/* A JSON document as sorted lines `path = value`, so that two can be compared line by line. */
#ifndef CONCLAVE_PROVISIONING_POLICY_FLAT_H
#define CONCLAVE_PROVISIONING_POLICY_FLAT_H

#include "provisioning/verb.h"

struct policy_flat {
	char **lines; /* sorted; malloc'ed, each too */
	size_t count;
};

CV_MUST_CHECK enum cv_err policy_flatten(struct policy_flat *flat, const char *json, size_t len);
void policy_flat_free(struct policy_flat *flat);
/* Prints what is only in `from` with a minus, what is only in `to` with a plus. */
void policy_flat_diff(struct context *ctx, cJSON *changes, const struct policy_flat *from,
	const struct policy_flat *to);

#endif
