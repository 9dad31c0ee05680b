/*
 * The flash partition "conclave", as the store (mcu-client/store.h) wants it.
 *
 * Threads  one. Compile-checked against declarations; never linked or run.
 */
#ifndef CONCLAVE_ESP_PARTITION_H
#define CONCLAVE_ESP_PARTITION_H

#include "store.h"

extern const struct store_flash partition_flash;

/* CV_ERR_CONFIG: not in the partition table, or not two banks of 64 KiB. */
CV_MUST_CHECK enum cv_err partition_open(void);
/* Both banks, the first one last, so that a cut leaves an image that is read again. */
CV_MUST_CHECK enum cv_err partition_erase(void);

#endif
