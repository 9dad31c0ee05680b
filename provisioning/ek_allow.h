/*
 * A fleet's list of TPMs that are let in by name, as from a purchase order: for chips without a
 * certificate.
 *
 * Form     one line each: SHA-256, 64 lower-case hex digits, of an EK certificate (DER) or of an
 *          endorsement key (DER of its SubjectPublicKeyInfo); then anything. `#` starts a comment
 *          line; empty lines are skipped.
 */
#ifndef CONCLAVE_PROVISIONING_EK_ALLOW_H
#define CONCLAVE_PROVISIONING_EK_ALLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define EK_ALLOW_FILE_MAX 16777216 /* 100,000 devices with a note each */

/*
 * *found: one of the `count` hashes is on the list. A file that is not there is an empty list.
 * CV_ERR_CONFIG: a line is wrong; *line says which, from 1. Prints nothing.
 */
CV_MUST_CHECK enum cv_err ek_allow_find(bool *found, size_t *line, const char *path,
	const uint8_t (*hashes)[CV_HASH_BYTES], size_t count);

#endif
