/*
 * The newest state of each gateway that this operator has seen: revision of its store, and number
 * and head of its audit chain. A gateway that later shows an older state was set back, and is not
 * called healthy.
 *
 * Threads  seen_check may be called from several threads and processes at once.
 */
#ifndef CONCLAVE_PROVISIONING_SEEN_H
#define CONCLAVE_PROVISIONING_SEEN_H

#include "provisioning/fleet.h"

struct seen {
	uint64_t revision;
	uint64_t seq;
	uint8_t head[CV_HASH_BYTES];
	uint64_t time_s;
};

/* CV_ERR_NOT_FOUND if this gateway was never seen. */
CV_MUST_CHECK enum cv_err seen_get(
	struct seen *out, const struct fleet *fleet, const char *gateway);
/*
 * Compares and remembers. CV_ERR_TOO_OLD: older than what was seen (which is kept);
 * CV_ERR_TAMPERED: the same number of audit records with another head.
 */
CV_MUST_CHECK enum cv_err seen_check(
	const struct fleet *fleet, const char *gateway, const struct seen *now);

#endif
