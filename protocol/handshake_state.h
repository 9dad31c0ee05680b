/* What the files of the handshake share among themselves; nobody else includes this. */
#ifndef CONCLAVE_PROTOCOL_HANDSHAKE_STATE_H
#define CONCLAVE_PROTOCOL_HANDSHAKE_STATE_H

#include "protocol/handshake.h"

#define HANDSHAKE_RETRIES_MAX 3		 /* new_nonce, and later, per member and attempt */
#define HANDSHAKE_QUOTES_MAX 3		 /* tokens made in vain because the boot id moved on */
#define HANDSHAKE_GRACE_MS 500		 /* for a driver that reports a timeout late */
#define HANDSHAKE_BACKOFF_FIRST_MS 1000
#define HANDSHAKE_BACKOFF_MAX_MS 30000

static inline int handshake_in_flight(const struct handshake_member *m)
{
	return m->phase == HANDSHAKE_NONCE_SENT || m->phase == HANDSHAKE_AUTHORIZE_SENT;
}

static inline size_t handshake_threshold(const struct handshake *h)
{
	return h->config.share_set->threshold;
}

/* How many members may fall out before K cannot be reached: N-K+1 of them end the hope. */
static inline size_t handshake_blocking(const struct handshake *h)
{
	return (size_t)h->config.share_set->count - handshake_threshold(h) + 1;
}

struct mac_scope handshake_scope(const struct handshake *h, size_t member);
/* Uniform in 0 .. max_ms; max_ms itself if there is no randomness. */
uint64_t handshake_jitter(const struct handshake *h, uint64_t max_ms);
/* Jitter for the n-th try, n from 0, exponential up to HANDSHAKE_BACKOFF_MAX_MS. */
uint64_t handshake_backoff(const struct handshake *h, uint32_t n);
/* The shares and nonces of all members, and the token. */
void handshake_forget(struct handshake *h);

/* Makes one token that names the nonces of all members in HELD that no token names yet. */
CV_MUST_CHECK enum cv_err handshake_token_sign(struct handshake *h);
/* Fill `request` and move the member on; on error the member is as before. */
CV_MUST_CHECK enum cv_err handshake_ask_nonce(
	struct handshake *h, size_t member, uint64_t now_ms, struct handshake_request *request);
CV_MUST_CHECK enum cv_err handshake_ask_share(
	struct handshake *h, size_t member, uint64_t now_ms, struct handshake_request *request);

#endif
