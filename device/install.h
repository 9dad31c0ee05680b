/* What `install` does, for `enroll` to do it too. Prints its lines. */
#ifndef CONCLAVE_DEVICE_INSTALL_H
#define CONCLAVE_DEVICE_INSTALL_H

#include "device/options.h"

/*
 * Opens the bundle (by o->passphrase_fd, or with the TPM of the pending enrolment if that is -1)
 * and puts it into o->state_dir. CV_ERR_EXISTS: there is a device already and o->force is not set;
 * CV_ERR_SEAL, CV_ERR_FORMAT: not this device's bundle, or damaged.
 */
CV_MUST_CHECK enum cv_err install_bundle(const struct options *o, const char *path);
/* The same question before anything was asked for: CV_ERR_EXISTS with its line. */
CV_MUST_CHECK enum cv_err install_allowed(const struct options *o);

#endif
