/*
 * Parse (json_scan, then cJSON) and typed, case-sensitive look-ups with limits. A decoder calls
 * json_parse, then getters, then json_only with the names it knows, then json_free.
 *
 * Errors: CV_ERR_TYPE for a missing member or another type, CV_ERR_TOO_LONG, CV_ERR_RANGE,
 * CV_ERR_FORMAT. Outputs are set on success only. Memory: cJSON's hooks.
 */
#ifndef CONCLAVE_PROTOCOL_JSON_GET_H
#define CONCLAVE_PROTOCOL_JSON_GET_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

struct cJSON;

/* *out belongs to the caller (json_free). */
CV_MUST_CHECK enum cv_err json_parse(
	struct cJSON **out, const char *text, size_t len, size_t max);
/* Wipes the strings in the tree, then frees it; NULL is allowed. */
void json_free(struct cJSON *tree);

/* CV_ERR_TYPE if the object has a member that is not in `names` (NULL-terminated list). */
CV_MUST_CHECK enum cv_err json_only(const struct cJSON *object, const char *const *names);
/* Also the member "v", the format's version, must be 1. */
CV_MUST_CHECK enum cv_err json_only_v1(const struct cJSON *object, const char *const *names);
/* 1 if the member is there. */
int json_has(const struct cJSON *object, const char *name);

CV_MUST_CHECK enum cv_err json_get_text(
	const struct cJSON *object, const char *name, char *out, size_t cap);
/* Borrowed pointer into the tree. */
CV_MUST_CHECK enum cv_err json_get_text_ref(
	const struct cJSON *object, const char *name, const char **text, size_t *len);
CV_MUST_CHECK enum cv_err json_get_id(
	const struct cJSON *object, const char *name, char out[CV_ID_BUF]);
/* base64url of exactly n bytes. */
CV_MUST_CHECK enum cv_err json_get_bytes(
	const struct cJSON *object, const char *name, void *out, size_t n);
/* base64url of at most `cap` bytes; *len: how many there are. */
CV_MUST_CHECK enum cv_err json_get_bytes_max(
	const struct cJSON *object, const char *name, void *out, size_t cap, size_t *len);
CV_MUST_CHECK enum cv_err json_get_u64(const struct cJSON *object, const char *name, uint64_t min,
	uint64_t max, uint64_t *out);
CV_MUST_CHECK enum cv_err json_get_i64(const struct cJSON *object, const char *name, int64_t min,
	int64_t max, int64_t *out);
CV_MUST_CHECK enum cv_err json_get_bool(const struct cJSON *object, const char *name, int *out);
CV_MUST_CHECK enum cv_err json_get_object(
	const struct cJSON *object, const char *name, const struct cJSON **out);
CV_MUST_CHECK enum cv_err json_get_array(
	const struct cJSON *object, const char *name, const struct cJSON **out, size_t *count);

#endif
