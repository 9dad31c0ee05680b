/*
 * last.json in the state directory: what the last unlock did and how long each step took. Written
 * for people and for `status`; nothing depends on it.
 */
#ifndef CONCLAVE_DEVICE_LAST_H
#define CONCLAVE_DEVICE_LAST_H

#include "device/unlock.h"

struct cJSON;

/* What comes after the secret; zero where it did not happen. */
struct last_mount {
	uint64_t volume_us;   /* volume process started until ready */
	uint64_t generation;
	const char *mount_point; /* or NULL */
};

/* Best effort: an error is one warning line. */
void last_write(const struct unlock *u, enum cv_err outcome, const struct last_mount *mount);
CV_MUST_CHECK enum cv_err last_read(struct cJSON **out, const char *state_dir);

#endif
