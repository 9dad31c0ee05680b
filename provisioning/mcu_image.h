/*
 * The first image of a microcontroller's store partition (protocol/nv_format.h): the files of its
 * bundle as records, to be written to the start of the erased partition.
 *
 * It holds the device's keys in clear.
 */
#ifndef CONCLAVE_PROVISIONING_MCU_IMAGE_H
#define CONCLAVE_PROVISIONING_MCU_IMAGE_H

#include "host/bundle.h"

/* Makes the new file `path`, mode 0600, and says on failure what went wrong. */
CV_MUST_CHECK enum cv_err mcu_image_write(const struct bundle *bundle, const char *path);

#endif
