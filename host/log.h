/*
 * One event, one line on standard error, written with a single write(2), so that lines of several
 * threads and processes never mix. Control characters and invalid UTF-8 in the text are shown as
 * \xNN: what a peer sends cannot forge a line. Lines over LOG_LINE_MAX are cut and end in "...".
 *
 * Text follows `what: who: why`, for example
 *
 *	log_error("gateway g2: no answer: connection refused (127.0.0.1:7443)");
 *
 * Under systemd (JOURNAL_STREAM names standard error) each line starts with its <priority>.
 * Never pass a secret, an address of a webhook or a token.
 *
 * Threads  every call, from any thread. log_set_level takes effect at once.
 */
#ifndef CONCLAVE_HOST_LOG_H
#define CONCLAVE_HOST_LOG_H

#include <stddef.h>

#include "protocol/err.h"

#define LOG_LINE_MAX 1024

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` starts each line ("conclave-gateway[keeper]"); not copied, must stay. */
void log_init(const char *program);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/*
 * `text` as a line shows it, NUL-terminated, into `out`; longer than cap - 1 bytes it is cut and
 * ends in "...". cap is at least 8. Returns the length.
 */
size_t log_escape(char *out, size_t cap, const char *text);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
