/*
 * Spent nonces. Nonces are stateless (protocol/nonce.h); only those that were spent are remembered,
 * in RAM, until they expire: the nonce key dies with the process, so nothing older can be valid.
 *
 * Fixed memory: SPENT_MAX nonces. Only MAC-valid requests with a valid nonce get in, and each
 * device has a budget; when it is full all the same, the answer is "busy", never "not spent".
 *
 * Threads  one thread per struct.
 */
#ifndef CONCLAVE_GATEWAY_SPENT_H
#define CONCLAVE_GATEWAY_SPENT_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define SPENT_MAX 65536

struct spent;

CV_MUST_CHECK enum cv_err spent_open(struct spent **out);
/* NULL is allowed. */
void spent_close(struct spent *s);

/*
 * Spends a nonce whose tag holds: CV_OK the first time, CV_ERR_NONCE_SPENT after it, CV_ERR_BUSY if
 * there is no room. It is forgotten ttl_ms after now_ms, when it has expired by itself. Times
 * must not go back.
 */
CV_MUST_CHECK enum cv_err spent_add(struct spent *s, const uint8_t nonce[CV_NONCE_BYTES],
	uint64_t now_ms, uint64_t ttl_ms);
size_t spent_count(const struct spent *s);

#endif
