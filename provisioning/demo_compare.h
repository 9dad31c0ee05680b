/*
 * Compares what is in two directories: every regular file byte for byte, every symbolic link by its
 * target, every directory in turn.
 *
 * CV_ERR_MISMATCH at the first difference; CV_ERR_IO if something cannot be read.
 */
#ifndef CONCLAVE_PROVISIONING_DEMO_COMPARE_H
#define CONCLAVE_PROVISIONING_DEMO_COMPARE_H

#include <stdint.h>

#include "protocol/err.h"

CV_MUST_CHECK enum cv_err demo_compare_trees(
	const char *left, const char *right, uint64_t *files, uint64_t *bytes);

#endif
