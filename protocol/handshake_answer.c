/* What the handshake hears. Nothing here believes a byte before its MAC held. */
#include "protocol/handshake_state.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/sealed_share.h"
#include "shamir/shamir.h"

static void member_fail(struct handshake_member *m, enum handshake_fault fault)
{
	m->phase = HANDSHAKE_OUT;
	m->fault = fault;
}

/* A decoder's or a library's failure, told apart: the peer's doing, or this device's. */
static enum handshake_fault fault_of(enum cv_err e)
{
	return e == CV_ERR_MEMORY || e == CV_ERR_CRYPTO || e == CV_ERR_INTERNAL
		? HANDSHAKE_FAULT_LOCAL
		: HANDSHAKE_FAULT_MESSAGE;
}

static enum cv_err authenticate(const struct handshake *h, size_t member, unsigned int status,
	const char *header, size_t header_len, const char *body, size_t body_len)
{
	struct mac_scope scope = handshake_scope(h, member);
	uint8_t claimed[CV_MAC_BYTES], expected[CV_MAC_BYTES];
	enum cv_err e = CV_ERR_INTERNAL;

	if (header == NULL || body_len > CV_BODY_MAX)
		return CV_ERR_MAC;
	e = mac_response_header_parse(header, header_len, claimed);
	if (e != CV_OK)
		return e;
	e = mac_response(expected, h->config.mac_keys[member], &scope,
		h->members[member].request_mac, status, body, body_len);
	if (e != CV_OK)
		return e;
	return crypto_equal(claimed, expected, sizeof(expected)) ? CV_OK : CV_ERR_MAC;
}

static void revision_seen(struct handshake_member *m, uint64_t revision)
{
	if (revision > m->store_revision)
		m->store_revision = revision;
}

static void on_nonce(struct handshake_member *m, const char *body, size_t len)
{
	struct nonce_answer a;
	enum cv_err e = nonce_answer_decode(&a, body, len);

	if (e != CV_OK) {
		member_fail(m, fault_of(e));
		return;
	}
	memcpy(m->nonce, a.nonce, sizeof(m->nonce));
	m->phase = HANDSHAKE_NONCE_HELD;
}

static void on_verdict(struct handshake_member *m, const char *body, size_t len)
{
	struct check_answer a;
	enum cv_err e = check_answer_decode(&a, body, len);

	if (e == CV_OK && !a.would_release)
		e = CV_ERR_TYPE; /* a refusal has its own form */
	if (e != CV_OK) {
		member_fail(m, fault_of(e));
		return;
	}
	m->lease_s = a.lease_s;
	m->policy_version = a.policy_version;
	revision_seen(m, a.store_revision);
	m->phase = HANDSHAKE_SHARE_HELD;
}

/* K shares are here, each under its commitment. */
static void combine(struct handshake *h)
{
	const struct share_set *set = h->config.share_set;
	struct shamir_share shares[CV_MEMBERS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < set->count && count < set->threshold; i++) {
		if (h->members[i].phase != HANDSHAKE_SHARE_HELD)
			continue;
		shares[count].x = set->members[i].x;
		memcpy(shares[count].y, h->members[i].share, CV_SECRET_BYTES);
		count++;
	}
	h->finished = 1;
	switch (shamir_combine(h->secret, shares, count, set->threshold)) {
	case SHAMIR_OK:
		h->has_secret = 1;
		h->outcome = CV_OK;
		break;
	case SHAMIR_ERR_COUNT:
		h->outcome = CV_ERR_SHARE_COUNT;
		break;
	case SHAMIR_ERR_INDEX:
		h->outcome = CV_ERR_SHARE_INDEX;
		break;
	}
	crypto_wipe(shares, sizeof(shares));
	handshake_forget(h);
}

static enum cv_err share_open(struct handshake *h, size_t member,
	const uint8_t sealed[MESSAGE_SEALED_SHARE_BYTES])
{
	const struct share_set *set = h->config.share_set;
	struct handshake_member *m = &h->members[member];
	struct sealed_share_scope scope = {
		.peers = handshake_scope(h, member),
		.volume_id = set->volume_id,
		.epoch = set->epoch,
		.nonce = m->nonce,
		.x = set->members[member].x,
		.share_set_hash = set->hash,
	};
	enum cv_err e = sealed_share_open(
		m->share, h->config.boot_private, h->config.boot_public, &scope, sealed);

	if (e == CV_OK)
		e = share_set_check(set, member, m->share);
	if (e != CV_OK)
		crypto_wipe(m->share, sizeof(m->share));
	return e;
}

static void on_share(struct handshake *h, size_t member, const char *body, size_t len)
{
	struct handshake_member *m = &h->members[member];
	struct authorize_answer a;
	enum cv_err e = authorize_answer_decode(&a, body, len);

	if (e != CV_OK) {
		member_fail(m, fault_of(e));
		return;
	}
	revision_seen(m, a.store_revision);
	e = share_open(h, member, a.sealed_share);
	if (e == CV_ERR_SEAL || e == CV_ERR_SHARE_INVALID) {
		m->share_invalid = 1;
		member_fail(m, HANDSHAKE_FAULT_SHARE);
		return;
	}
	if (e != CV_OK) {
		member_fail(m, HANDSHAKE_FAULT_LOCAL);
		return;
	}
	m->phase = HANDSHAKE_SHARE_HELD;
	m->has_session = 1;
	memcpy(m->session, a.session, sizeof(m->session));
	m->lease_s = a.lease_s;
	m->policy_version = a.policy_version;
	memcpy(m->anchor, a.anchor, sizeof(m->anchor));
	if (h->finished)
		crypto_wipe(m->share, sizeof(m->share));
	else if (handshake_shares(h) >= handshake_threshold(h))
		combine(h);
}

static void on_refusal(struct handshake *h, struct handshake_member *m, uint64_t now_ms,
	unsigned int status, const char *body, size_t len)
{
	struct refusal r;
	enum cv_err e = refusal_decode(&r, status, body, len);
	uint64_t wait_s;

	if (e != CV_OK) {
		member_fail(m, fault_of(e));
		return;
	}
	m->has_reason = r.has_reason;
	m->reason = r.reason;
	m->phase = HANDSHAKE_OUT;
	switch (r.retry) {
	case RETRY_NEW_NONCE:
		if (m->nonce_retries++ < HANDSHAKE_RETRIES_MAX)
			m->phase = HANDSHAKE_IDLE;
		break;
	case RETRY_LATER:
		wait_s = r.retry_after_s < CV_RETRY_AFTER_MAX_S ? r.retry_after_s
								: CV_RETRY_AFTER_MAX_S;
		/* Jitter on top: a gateway that restarts gave a whole fleet the same number. */
		m->not_before_ms = now_ms + 1 + wait_s * 1000 + handshake_jitter(h, 999);
		if (m->later_retries++ < HANDSHAKE_RETRIES_MAX)
			m->phase = HANDSHAKE_LATER;
		break;
	case RETRY_NO:
		m->denied = 1;
		break;
	}
}

void handshake_answer(struct handshake *h, size_t member, uint64_t now_ms, unsigned int status,
	const char *header, size_t header_len, const char *body, size_t body_len)
{
	struct handshake_member *m;
	enum cv_err e = CV_ERR_INTERNAL;

	if (member >= h->config.share_set->count || (h->finished && h->outcome != CV_OK))
		return;
	m = &h->members[member];
	if (!handshake_in_flight(m))
		return;
	e = authenticate(h, member, status, header, header_len, body, body_len);
	if (e != CV_OK) {
		handshake_no_answer(h, member, now_ms, HANDSHAKE_FAULT_MAC);
		return;
	}
	m->answered_ms = now_ms;
	m->fault = HANDSHAKE_FAULT_NONE;
	m->has_reason = 0;
	if (status != 200)
		on_refusal(h, m, now_ms, status, body, body_len);
	else if (m->phase == HANDSHAKE_NONCE_SENT)
		on_nonce(m, body, body_len);
	else if (h->config.purpose == EVIDENCE_CHECK)
		on_verdict(m, body, body_len);
	else
		on_share(h, member, body, body_len);
}

void handshake_no_answer(
	struct handshake *h, size_t member, uint64_t now_ms, enum handshake_fault fault)
{
	struct handshake_member *m;

	(void)now_ms;
	if (member >= h->config.share_set->count)
		return;
	m = &h->members[member];
	if (handshake_in_flight(m))
		member_fail(m, fault == HANDSHAKE_FAULT_NONE ? HANDSHAKE_FAULT_TRANSPORT : fault);
}
