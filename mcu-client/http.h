/*
 * The little HTTP/1.1 that the exchange needs: one POST, one answer with Content-Length, on a
 * connection that stays open. Anything else is CV_ERR_FORMAT.
 */
#ifndef CONCLAVE_MCU_HTTP_H
#define CONCLAVE_MCU_HTTP_H

#include "protocol/mac.h"
#include "tls.h"

#define HTTP_ANSWER_MAX 1536 /* body; no answer of the protocol is longer than 1024 */

struct http_answer {
	unsigned int status;
	int has_mac;
	int closes; /* the server closes the connection after this answer */
	char mac_header[MAC_RESPONSE_HEADER_BUF];
	size_t body_len;
	char body[HTTP_ANSWER_MAX];
};

CV_MUST_CHECK enum cv_err http_post(struct tls *t, const char *host, const char *target,
	const char *mac_header, const char *body, size_t body_len, uint64_t deadline_ms,
	struct http_answer *answer);

#endif
