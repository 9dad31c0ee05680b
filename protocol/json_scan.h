/*
 * The strict scanner that runs over raw bytes before cJSON sees them (docs/protocol.md section 1):
 * UTF-8, no NUL, depth, duplicate names, integers only, nothing after the end. No allocation; the
 * duplicate check compares names after unescaping. It looks at no more than CV_JSON_NAMES_MAX
 * names, so a text is scanned in time linear in its length, times that number at worst.
 *
 * Errors: CV_ERR_FORMAT, CV_ERR_RANGE (an integer too large), CV_ERR_TOO_LONG (len over max, or too
 * many names in the objects open at one point).
 */
#ifndef CONCLAVE_PROTOCOL_JSON_SCAN_H
#define CONCLAVE_PROTOCOL_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

/* The text must be one object of at most `max` bytes. */
CV_MUST_CHECK enum cv_err json_scan(const char *text, size_t len, size_t max);
/*
 * The same; *at is how far it came, the place of the mistake if there is one (0 if len is over
 * max).
 */
CV_MUST_CHECK enum cv_err json_scan_to(const char *text, size_t len, size_t max, size_t *at);

/*
 * The raw text of one member's value in an object that json_scan accepted: a part of `text`, for
 * documents that travel inside others (a policy). CV_ERR_TYPE if there is no such member.
 */
CV_MUST_CHECK enum cv_err json_member_raw(
	const char *text, size_t len, const char *name, const char **value, size_t *value_len);

#endif
