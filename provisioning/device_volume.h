/*
 * The volume of a new device: made and filled under the name VOLUME.ID.new, and renamed once the
 * device is in the fleet's directory, so that a volume without its device is never in place. A
 * block device is used where it is. Prints its lines.
 */
#ifndef CONCLAVE_PROVISIONING_DEVICE_VOLUME_H
#define CONCLAVE_PROVISIONING_DEVICE_VOLUME_H

#include "provisioning/deal.h"

struct device_volume {
	char path[FILE_PATH_BUF];    /* where it will be; absolute */
	char partial[FILE_PATH_BUF]; /* where it is made; the same for a block device */
	uint64_t size_bytes;
	bool full, overwrite;
	bool recovery;
	const char *import; /* NULL: leave it empty */
	bool made;
};

/* Reads --volume, --size, --full, --no-recovery, --import; checks what can be checked now. */
CV_MUST_CHECK enum cv_err device_volume_plan(
	struct device_volume *v, const struct context *ctx, const char *device);
/* Creates and fills. */
CV_MUST_CHECK enum cv_err device_volume_make(struct device_volume *v, struct context *ctx,
	const struct deal_plan *plan, const struct deal_secrets *secrets);
/* The final name, durably; CV_OK if it has it already. */
CV_MUST_CHECK enum cv_err device_volume_commit(const char *path, const char *device);
/* Removes what device_volume_make made. */
void device_volume_abort(struct device_volume *v);

#endif
