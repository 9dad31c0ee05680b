/*
 * The strict scanner that runs over raw bytes before cJSON sees them (docs/protocol.md section 1):
 * UTF-8, no NUL, depth, duplicate names, integers only, nothing after the end. No allocation; the
 * duplicate check compares names after unescaping.
 *
 * Errors: CV_ERR_FORMAT, CV_ERR_TOO_LONG (len over max), CV_ERR_RANGE (an integer too large).
 */
#ifndef CONCLAVE_PROTOCOL_JSON_SCAN_H
#define CONCLAVE_PROTOCOL_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

/* The text must be one object of at most `max` bytes. */
CV_MUST_CHECK enum cv_err json_scan(const char *text, size_t len, size_t max);

#endif
