/*
 * An alert as one line for people, for example
 * "CRITICAL gateway-1: device cam-7 sent a spent nonce again (nonce_spent)".
 */
#ifndef CONCLAVE_NOTIFY_FORMAT_H
#define CONCLAVE_NOTIFY_FORMAT_H

#include "notify/event.h"

#define FORMAT_LINE_MAX 1024 /* bytes, with the NUL */

/* Plain text, no markup, no newline; always NUL-terminated. */
void format_line(char out[FORMAT_LINE_MAX], const struct event_alert *alert);

#endif
