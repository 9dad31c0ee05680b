/*
 * One command about one device at all its gateways, and how many of them took it.
 */
#ifndef CONCLAVE_PROVISIONING_ROUND_H
#define CONCLAVE_PROVISIONING_ROUND_H

#include "provisioning/device_record.h"
#include "provisioning/op_client.h"
#include "provisioning/session.h"

struct round {
	struct op_errand *errands; /* one per member of the share set */
	size_t count;
	size_t done;	    /* answered 200 by a store that is not older than seen before */
	size_t denied;
	size_t unreachable; /* not reached, or no answer to trust */
};

/* Reads the gateways' records; bodies are the caller's to set. */
CV_MUST_CHECK enum cv_err round_init(
	struct round *r, const struct fleet *fleet, const struct share_set *set);
/* All gateways of the fleet. */
CV_MUST_CHECK enum cv_err round_init_fleet(struct round *r, const struct fleet *fleet);
/* The same body for all. */
CV_MUST_CHECK enum cv_err round_set_body(struct round *r, const char *body);
/* Runs it, counts, and adds "gateways" to the result; `did` says in a word what was done. */
void round_run(struct round *r, struct context *ctx, const struct op_client *client,
	const char *command, const char *did);
/*
 * When not every gateway did it: CV_ERR_DENIED if one refused, which running it again does not mend,
 * else CV_ERR_TOO_FEW.
 */
CV_MUST_CHECK enum cv_err round_shortfall(const struct round *r);
/* What to do then: the end of a line. */
const char *round_advice(const struct round *r);
void round_free(struct round *r);
/*
 * One body to all gateways of the session's device. CV_OK if all have it, else one line and
 * CV_ERR_DENIED if one of them refused, CV_ERR_TOO_FEW if not.
 */
CV_MUST_CHECK enum cv_err round_of_device(
	struct context *ctx, struct session *s, const char *command, const char *body);

/* {"device":ID} and, if not NULL, "reason":TEXT; malloc'ed. */
char *round_device_body(const char *device, const char *reason);

#endif
