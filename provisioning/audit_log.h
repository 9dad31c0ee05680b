/*
 * An audit log in memory: the texts of records 1..count, and the walk along their chain against a
 * head that the keeper signed (docs/protocol.md section 10).
 */
#ifndef CONCLAVE_PROVISIONING_AUDIT_LOG_H
#define CONCLAVE_PROVISIONING_AUDIT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

struct audit_log {
	char **texts; /* malloc'ed, each too */
	size_t count;
	size_t cap;
};

/* Copies the text. CV_ERR_TOO_LONG over AUDIT_TEXT_MAX; CV_ERR_FORMAT if it has a newline. */
CV_MUST_CHECK enum cv_err audit_log_add(struct audit_log *log, const char *text, size_t len);
void audit_log_free(struct audit_log *log);

/* One record a line, as `audit read` prints them. */
CV_MUST_CHECK enum cv_err audit_log_read_file(struct audit_log *log, const char *path);

/*
 * Does record `seq` end in `head`? CV_ERR_TAMPERED with a line in `problem`: an edit, a deletion, a
 * change of order, or a cut tail. seq 0 with a zero head is the empty log.
 */
CV_MUST_CHECK enum cv_err audit_log_verify(const struct audit_log *log, const char *gateway,
	uint64_t seq, const uint8_t head[CV_HASH_BYTES], char *problem, size_t cap);

#endif
