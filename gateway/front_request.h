/*
 * The head of one request: method, target, headers. What is wrong with it decides the status
 * (docs/protocol.md sections 4 and 9, step 1); what is right goes to the keeper as raw text.
 *
 * Threads  any.
 */
#ifndef CONCLAVE_GATEWAY_FRONT_REQUEST_H
#define CONCLAVE_GATEWAY_FRONT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/front_server.h"
#include "gateway/ipc.h"

struct mg_request_info;

#define FRONT_HEADERS_MAX 32

struct front_head {
	struct ipc_request request; /* all but id, peer and body */
	size_t body_len;	    /* by Content-Length; set as soon as it is known */
	bool expect_continue;
};

/* 0, or the HTTP status that refuses the request. `head` is zeroed by the caller. */
unsigned int front_head_check(struct front_head *head, enum front_listener listener,
	const struct mg_request_info *info, const char *fleet);

#endif
