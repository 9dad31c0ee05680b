/* Copying a host directory into an open volume, with progress and a report. Prints its lines. */
#ifndef CONCLAVE_PROVISIONING_VOLUME_FILL_H
#define CONCLAVE_PROVISIONING_VOLUME_FILL_H

#include "fs/volume.h"
#include "provisioning/verb.h"

CV_MUST_CHECK enum cv_err volume_fill(struct context *ctx, struct volume *volume,
	const char *source, const char *target);

#endif
