/*
 * The clear form inside a bundle: lp("conclave-bundle-v1", count, name, data, name, data, ...).
 * lp and not JSON, so that no secret passes through an unlocked heap.
 */
#ifndef CONCLAVE_HOST_BUNDLE_INTERNAL_H
#define CONCLAVE_HOST_BUNDLE_INTERNAL_H

#include <stdbool.h>

#include "host/bundle.h"

bool bundle_name_ok(const char *name);
/* Bytes that are enough for the document. */
size_t bundle_document_cap(const struct bundle *b);
CV_MUST_CHECK enum cv_err bundle_document_encode(
	uint8_t *out, size_t cap, size_t *len, const struct bundle *b);
/* *b may be part filled on failure: the caller wipes it. */
CV_MUST_CHECK enum cv_err bundle_document_decode(
	struct bundle *b, const uint8_t *data, size_t len);

#endif
