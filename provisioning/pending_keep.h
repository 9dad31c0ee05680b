/* Inside the pending commands: what both halves write. Not for other modules. */
#ifndef CONCLAVE_PROVISIONING_PENDING_KEEP_H
#define CONCLAVE_PROVISIONING_PENDING_KEEP_H

#include "provisioning/pending.h"

/* Writes the file; removes it once every gateway holds the command. */
CV_MUST_CHECK enum cv_err pending_keep(const struct pending *p, const struct fleet *fleet);

#endif
