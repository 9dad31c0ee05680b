/*
 * JSON documents in files: the strict scanner of the protocol over the raw bytes first
 * (protocol/json_scan.h), then cJSON; written back atomically.
 */
#ifndef CONCLAVE_HOST_JSONFILE_H
#define CONCLAVE_HOST_JSONFILE_H

#include <stddef.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

#include "protocol/err.h"

/*
 * Reads a document whose root is an object. *out is the caller's to cJSON_Delete. Errors as
 * file_read, or CV_ERR_FORMAT when the bytes are not strict JSON.
 */
CV_MUST_CHECK enum cv_err jsonfile_read(cJSON **out, const char *path, size_t limit);
/* Atomic and durable; indented, ends with a newline. */
CV_MUST_CHECK enum cv_err jsonfile_write(const char *path, const cJSON *document, mode_t mode);

#endif
