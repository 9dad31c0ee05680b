/* What the handshake sends: nonce requests, tokens, requests for a share. */
#include "protocol/handshake_state.h"

#include <string.h>

#include "protocol/crypto.h"

struct mac_scope handshake_scope(const struct handshake *h, size_t member)
{
	struct mac_scope scope = {
		.fleet = h->config.fleet,
		.gateway = h->config.share_set->members[member].gateway,
		.device = h->config.device,
	};

	return scope;
}

static enum cv_err random_bytes(const struct handshake *h, void *out, size_t len)
{
	if (h->config.random != NULL)
		return h->config.random(h->config.random_context, out, len);
	return crypto_random(out, len);
}

uint64_t handshake_jitter(const struct handshake *h, uint64_t max_ms)
{
	uint64_t value = 0;

	if (random_bytes(h, &value, sizeof(value)) != CV_OK)
		return max_ms;
	return value % (max_ms + 1);
}

uint64_t handshake_backoff(const struct handshake *h, uint32_t n)
{
	uint64_t max_ms = HANDSHAKE_BACKOFF_MAX_MS;

	if (n < 5)
		max_ms = (uint64_t)HANDSHAKE_BACKOFF_FIRST_MS << n;
	return handshake_jitter(h, max_ms);
}

/* The token, and the quote over it. */
static enum cv_err sign_and_quote(struct handshake *h)
{
	struct handshake_config *c = &h->config;
	enum cv_err e = CV_ERR_MISMATCH;

	for (int i = 0; e == CV_ERR_MISMATCH && i < HANDSHAKE_QUOTES_MAX; i++) {
		h->evidence.platform = *c->platform;
		/* No request is being built now, so the body's buffer is free for the claims. */
		e = evidence_encode(c->token, CV_EVIDENCE_MAX + 1, &h->token_len, &h->evidence,
			&c->signer, c->body, c->body_cap);
		if (e == CV_OK && c->make_quote != NULL)
			e = c->make_quote(c->quote_context, c->quote, c->token, h->token_len);
	}
	return e == CV_ERR_MISMATCH ? CV_ERR_BUSY : e;
}

enum cv_err handshake_token_sign(struct handshake *h)
{
	const struct share_set *set = h->config.share_set;
	struct evidence *ev = &h->evidence;
	enum cv_err e = CV_ERR_INTERNAL;

	ev->nonce_count = 0;
	for (size_t i = 0; i < set->count; i++) {
		h->members[i].in_token = h->members[i].phase == HANDSHAKE_NONCE_HELD;
		if (h->members[i].in_token)
			memcpy(ev->nonces[ev->nonce_count++], h->members[i].nonce, CV_NONCE_BYTES);
	}
	e = sign_and_quote(h);
	if (e != CV_OK) {
		for (size_t i = 0; i < set->count; i++)
			h->members[i].in_token = 0;
		return e;
	}
	h->tokens++;
	return CV_OK;
}

/* The MAC over the body that is in config.body, and the rest of the request. */
static enum cv_err request_finish(struct handshake *h, size_t member, const char *target,
	size_t body_len, uint64_t now_ms, struct handshake_request *request)
{
	struct handshake_member *m = &h->members[member];
	struct mac_scope scope = handshake_scope(h, member);
	uint8_t mac[CV_MAC_BYTES];
	enum cv_err e = mac_request(mac, h->config.mac_keys[member], &scope, "POST", target,
		h->config.body, body_len);

	if (e != CV_OK)
		return e;
	e = mac_request_header(request->mac_header, h->config.device, mac);
	if (e != CV_OK)
		return e;
	memcpy(m->request_mac, mac, sizeof(mac));
	m->sent_ms = now_ms;
	m->deadline_ms = now_ms + CV_GATEWAY_TIMEOUT_MS;
	if (h->config.give_up_ms != 0 && h->config.give_up_ms < m->deadline_ms)
		m->deadline_ms = h->config.give_up_ms;
	request->member = member;
	request->target = target;
	request->body = h->config.body;
	request->body_len = body_len;
	request->deadline_ms = m->deadline_ms;
	return CV_OK;
}

enum cv_err handshake_ask_nonce(
	struct handshake *h, size_t member, uint64_t now_ms, struct handshake_request *request)
{
	struct nonce_request m = {.epoch = h->config.share_set->epoch};
	size_t len = 0;
	enum cv_err e = random_bytes(h, m.request_id, sizeof(m.request_id));

	if (e != CV_OK)
		return e;
	memcpy(m.volume_id, h->config.share_set->volume_id, sizeof(m.volume_id));
	memcpy(m.boot_id, h->config.platform->boot_id, sizeof(m.boot_id));
	e = nonce_request_encode(h->config.body, h->config.body_cap, &len, &m);
	if (e != CV_OK)
		return e;
	e = request_finish(h, member, MESSAGE_TARGET_NONCE, len, now_ms, request);
	if (e == CV_OK)
		h->members[member].phase = HANDSHAKE_NONCE_SENT;
	return e;
}

enum cv_err handshake_ask_share(
	struct handshake *h, size_t member, uint64_t now_ms, struct handshake_request *request)
{
	struct authorize_request m = {
		.epoch = h->config.share_set->epoch,
		.evidence = h->config.token,
		.evidence_len = h->token_len,
		.quote = h->config.make_quote != NULL ? h->config.quote : NULL,
	};
	const char *target = h->config.purpose == EVIDENCE_CHECK ? MESSAGE_TARGET_CHECK
								 : MESSAGE_TARGET_AUTHORIZE;
	size_t len = 0;
	enum cv_err e = random_bytes(h, m.request_id, sizeof(m.request_id));

	if (e != CV_OK)
		return e;
	memcpy(m.volume_id, h->config.share_set->volume_id, sizeof(m.volume_id));
	memcpy(m.nonce, h->members[member].nonce, sizeof(m.nonce));
	e = authorize_request_encode(h->config.body, h->config.body_cap, &len, &m);
	if (e != CV_OK)
		return e;
	e = request_finish(h, member, target, len, now_ms, request);
	if (e != CV_OK)
		return e;
	h->members[member].phase = HANDSHAKE_AUTHORIZE_SENT;
	h->members[member].in_token = 0;
	return CV_OK;
}
