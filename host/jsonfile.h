/*
 * JSON documents in files: the strict scanner of the protocol over the raw bytes, then cJSON
 * (protocol/json_get.h); written back atomically.
 */
#ifndef CONCLAVE_HOST_JSONFILE_H
#define CONCLAVE_HOST_JSONFILE_H

#include <stddef.h>
#include <sys/types.h>

#include "protocol/err.h"

struct cJSON;

/*
 * Reads a document whose root is an object. *out is the caller's to json_free. Errors as
 * file_read, or CV_ERR_FORMAT, CV_ERR_RANGE when the bytes are not strict JSON.
 */
CV_MUST_CHECK enum cv_err jsonfile_read(struct cJSON **out, const char *path, size_t limit);
/* Atomic and durable; indented, ends with a newline. */
CV_MUST_CHECK enum cv_err jsonfile_write(
	const char *path, const struct cJSON *document, mode_t mode);

#endif
