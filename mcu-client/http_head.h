/* The head of an HTTP/1.1 answer: status line and the three headers that matter. */
#ifndef CONCLAVE_MCU_HTTP_HEAD_H
#define CONCLAVE_MCU_HTTP_HEAD_H

#include "http.h"

#define HTTP_HEAD_MAX 1024

/*
 * `head` is NUL-terminated after its blank line; its lines are cut in place. Fills status,
 * body_len, mac_header, has_mac and closes of an answer that the caller zeroed. CV_ERR_FORMAT
 * without exactly one Content-Length, with Transfer-Encoding, or with two MACs; CV_ERR_TOO_LONG
 * over HTTP_ANSWER_MAX.
 */
CV_MUST_CHECK enum cv_err http_head_parse(char *head, struct http_answer *answer);

#endif
