/*
 * Commands that must reach gateways which could not be asked yet: pending/NAME.json in the fleet's
 * directory, NAME being `device-ID` or `fleet`. Written before anything is sent, so that a crash
 * loses no revocation; gone once every gateway holds it. A newer command about the same thing takes
 * the place of an older one.
 *
 * A gateway counts as holding it only by a reply that its keeper signed.
 *
 * Errors print their line.
 */
#ifndef CONCLAVE_PROVISIONING_PENDING_H
#define CONCLAVE_PROVISIONING_PENDING_H

#include "provisioning/round.h"
#include "provisioning/session.h"

#define PENDING_NAME_BUF (CV_ID_BUF + 8)
#define PENDING_GATEWAYS_MAX 256
#define PENDING_WAIT_S 10

struct pending {
	char name[PENDING_NAME_BUF];
	char device[CV_ID_BUF]; /* "": the whole fleet */
	char command[32];	/* "revoke", "freeze", ... */
	char body[512];
	bool locks; /* in force when N-K+1 gateways hold it, else when K do */
	uint64_t since_s;
	size_t needed; /* of the device's gateways; 0 for the fleet, where all count */
	size_t count;
	struct {
		char id[CV_ID_BUF];
		bool holds;
	} gateways[PENDING_GATEWAYS_MAX];
};

/* For a device: its share set's members, none of which holds it yet. */
CV_MUST_CHECK enum cv_err pending_for_device(struct pending *p, const struct device_record *record,
	const char *command, const char *reason, bool locks);
/* For all gateways of the fleet. */
CV_MUST_CHECK enum cv_err pending_for_fleet(struct pending *p, const struct fleet *fleet,
	const char *command, const char *reason, bool locks);

size_t pending_held(const struct pending *p);
/* Fills *p from the file. CV_ERR_NOT_FOUND without a line. */
CV_MUST_CHECK enum cv_err pending_read(
	struct pending *p, const struct fleet *fleet, const char *name);
/* Calls `each` for every one that is there. */
CV_MUST_CHECK enum cv_err pending_each(const struct fleet *fleet,
	enum cv_err (*each)(void *user, const char *name), void *user);

/*
 * Keeps it, sends it to those that do not hold it yet, and asks again for `wait_s` seconds while
 * it is not in force. Adds "gateways", "holding", "needed", "in_force" and "effective_ms" to
 * `result`. CV_ERR_TOO_FEW, or CV_ERR_DENIED when it was refused, if it is not in force.
 */
CV_MUST_CHECK enum cv_err pending_drive(struct context *ctx, cJSON *result, struct session *s,
	struct pending *p, const char *did, uint64_t wait_s);

#endif
