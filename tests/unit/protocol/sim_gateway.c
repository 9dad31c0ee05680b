#include "tests/unit/protocol/sim_gateway.h"

#include <stdio.h>
#include <string.h>

#include "protocol/nonce.h"
#include "protocol/sealed_share.h"

/* A codec of our own that fails on our own values is a bug, not a schedule. */
static void must(enum cv_err e, const char *what)
{
	if (e == CV_OK)
		return;
	fprintf(stderr, "sim_gateway: %s: %s\n", what, cv_err_text(e));
	__builtin_trap();
}

static void answer_sign(
	struct sim_gateway *g, const uint8_t request_mac[CV_MAC_BYTES], struct sim_message *answer)
{
	uint8_t mac[CV_MAC_BYTES];

	must(mac_response(mac, g->mac_key, &g->scope, request_mac, answer->status, answer->body,
		     answer->body_len),
		"mac_response");
	must(mac_response_header(answer->header, mac), "mac_response_header");
	answer->header_len = strlen(answer->header);
	answer->has_header = 1;
}

static void refuse(struct sim_message *answer, enum reason reason, enum retry_hint retry,
	uint32_t retry_after_s, int padded)
{
	struct refusal r = {.status = 403, .retry = retry, .retry_after_s = retry_after_s,
		.has_reason = 1, .reason = reason};

	answer->status = 403;
	must(refusal_encode(answer->body, sizeof(answer->body), &answer->body_len, &r,
		     padded ? CV_AUTHORIZE_REPLY_BYTES : 0),
		"refusal_encode");
}

static void refuse_for(struct sim_message *answer, enum reason reason, int padded)
{
	refuse(answer, reason, reason_retry(reason),
		reason_retry(reason) == RETRY_LATER ? 1 : 0, padded);
}

static struct sim_slot *slot_find(struct sim_gateway *g, uint32_t epoch)
{
	for (size_t i = 0; i < 2; i++) {
		if (g->slots[i].used && g->slots[i].epoch == epoch)
			return &g->slots[i];
	}
	return NULL;
}

static struct nonce_scope nonce_scope(const struct sim_gateway *g, uint32_t epoch)
{
	struct nonce_scope scope = {.gateway = g->id, .device = g->scope.device,
		.volume_id = g->volume_id, .epoch = epoch};

	return scope;
}

static void serve_nonce(struct sim_gateway *g, uint64_t now_ms, const struct sim_message *request,
	struct sim_message *answer)
{
	struct nonce_request m;
	struct nonce_answer a = {.expires_in_s = CV_NONCE_TTL_S};
	struct nonce_scope scope;
	uint8_t random[16];

	g->nonces++;
	if (nonce_request_decode(&m, request->body, request->body_len) != CV_OK) {
		refuse_for(answer, REASON_MALFORMED, 0);
		return;
	}
	if (memcmp(m.volume_id, g->volume_id, sizeof(m.volume_id)) != 0) {
		refuse_for(answer, REASON_VOLUME_UNKNOWN, 0);
		return;
	}
	if (slot_find(g, m.epoch) == NULL) {
		refuse_for(answer, REASON_EPOCH_UNKNOWN, 0);
		return;
	}
	scope = nonce_scope(g, m.epoch);
	sim_fill(&g->random, random, sizeof(random));
	must(nonce_make(a.nonce, g->nonce_key, &scope, random, now_ms + g->clock_offset_ms),
		"nonce_make");
	answer->status = 200;
	must(nonce_answer_encode(answer->body, sizeof(answer->body), &answer->body_len, &a),
		"nonce_answer_encode");
}

/* Step 5 of section 9; the nonce is spent whatever follows. */
static enum reason nonce_verdict(
	struct sim_gateway *g, uint64_t now_ms, const struct authorize_request *m)
{
	struct nonce_scope scope = nonce_scope(g, m->epoch);

	for (size_t i = 0; i < g->spent_count; i++) {
		if (memcmp(g->spent[i], m->nonce, CV_NONCE_BYTES) == 0)
			return REASON_NONCE_SPENT;
	}
	switch ((int)nonce_check(m->nonce, g->nonce_key, &scope, now_ms + g->clock_offset_ms,
		CV_NONCE_TTL_S * 1000)) {
	case CV_OK:
		break;
	case CV_ERR_NONCE_EXPIRED:
		return REASON_NONCE_EXPIRED;
	default:
		return REASON_NONCE_FOREIGN;
	}
	if (g->spent_count == SIM_SPENT_MAX)
		return REASON_BUSY;
	memcpy(g->spent[g->spent_count++], m->nonce, CV_NONCE_BYTES);
	return REASON_RELEASE;
}

static enum reason boot_verdict(struct sim_gateway *g, const struct evidence *ev, int record)
{
	int same_boot = memcmp(g->boot_id, ev->platform.boot_id, CV_BOOT_ID_BYTES) == 0;
	size_t known = same_boot ? g->boot_key_count : 0;

	for (size_t i = 0; i < known; i++) {
		if (memcmp(g->boot_keys[i], ev->boot_key, CV_X25519_BYTES) == 0)
			return REASON_RELEASE;
	}
	if (known == SIM_BOOT_KEYS)
		return REASON_BOOT_KEY;
	if (record) {
		memcpy(g->boot_id, ev->platform.boot_id, CV_BOOT_ID_BYTES);
		memcpy(g->boot_keys[known], ev->boot_key, CV_X25519_BYTES);
		g->boot_key_count = known + 1;
	}
	return REASON_RELEASE;
}

static enum reason evidence_verdict(struct sim_gateway *g, const struct authorize_request *m,
	const struct sim_slot *slot, enum evidence_purpose purpose, struct evidence *ev)
{
	uint8_t ueid[EVIDENCE_UEID_BYTES];

	switch ((int)evidence_decode(ev, m->evidence, m->evidence_len, g->attestation_public)) {
	case CV_OK:
		break;
	case CV_ERR_SIGNATURE:
		return REASON_EVIDENCE_SIGNATURE;
	case CV_ERR_ALGORITHM:
		return REASON_EVIDENCE_ALGORITHM;
	default:
		return REASON_EVIDENCE_FORMAT;
	}
	must(evidence_ueid(ueid, g->scope.fleet, g->scope.device), "evidence_ueid");
	if (ev->other_profile)
		return REASON_EVIDENCE_PROFILE;
	if (ev->purpose != purpose)
		return REASON_EVIDENCE_PURPOSE;
	if (!evidence_names_nonce(ev, m->nonce))
		return REASON_EVIDENCE_NONCE;
	if (memcmp(ev->ueid, ueid, sizeof(ueid)) != 0)
		return REASON_EVIDENCE_DEVICE;
	if (memcmp(ev->volume_id, g->volume_id, CV_VOLUME_ID_BYTES) != 0)
		return REASON_EVIDENCE_VOLUME;
	if (ev->epoch != m->epoch)
		return REASON_EVIDENCE_EPOCH;
	if (memcmp(ev->share_set_hash, slot->set_hash, CV_HASH_BYTES) != 0)
		return REASON_EVIDENCE_SHARE_SET;
	if (ev->platform.dbgstat == EVIDENCE_DEBUG_ENABLED)
		return REASON_DEBUG_ENABLED;
	return boot_verdict(g, ev, purpose == EVIDENCE_UNLOCK);
}

/* The share as this conduct sends it; sets answer->lie where it is not the one asked for. */
static void release(struct sim_gateway *g, uint64_t now_ms, enum sim_conduct conduct,
	const struct authorize_request *m, const struct sim_slot *slot, const struct evidence *ev,
	struct sim_message *answer)
{
	struct authorize_answer a = {.policy_version = 1, .store_revision = g->releases + 1u};
	struct sim_slot sent = *slot;
	uint8_t nonce[CV_NONCE_BYTES], boot_key[CV_X25519_BYTES], unused[CV_X25519_BYTES];
	struct sealed_share_scope scope = {.peers = g->scope, .volume_id = g->volume_id,
		.epoch = m->epoch, .nonce = nonce, .x = slot->x, .share_set_hash = slot->set_hash};

	memcpy(nonce, m->nonce, sizeof(nonce));
	memcpy(boot_key, ev->boot_key, sizeof(boot_key));
	answer->lie = conduct != SIM_HONEST;
	if (conduct == SIM_WRONG_SHARE)
		sim_fill(&g->random, sent.share, sizeof(sent.share));
	else if (conduct == SIM_OTHER_EPOCH)
		memcpy(sent.share, g->slots[slot == &g->slots[0]].share, sizeof(sent.share));
	else if (conduct == SIM_OTHER_NONCE)
		nonce[0] ^= 1;
	else if (conduct == SIM_OTHER_X)
		scope.x ^= 1;
	else if (conduct == SIM_OTHER_KEY)
		must(crypto_x25519_keypair(unused, boot_key), "crypto_x25519_keypair");
	if (conduct != SIM_LOW_ORDER)
		must(sealed_share_seal(a.sealed_share, boot_key, &scope, sent.share),
			"sealed_share_seal");
	sim_fill(&g->random, a.session, sizeof(a.session));
	if (conduct == SIM_HONEST) {
		g->releases++;
		g->release_epoch = m->epoch;
		g->release_ms = now_ms;
	}
	must(authorize_answer_encode(answer->body, sizeof(answer->body), &answer->body_len, &a),
		"authorize_answer_encode");
}

static void serve_authorize(struct sim_gateway *g, uint64_t now_ms, enum sim_conduct conduct,
	const struct sim_message *request, struct sim_message *answer)
{
	static char text[CV_EVIDENCE_MAX + 1];
	static struct tpm_quote quote;
	static struct evidence ev;
	int check = strcmp(request->target, MESSAGE_TARGET_CHECK) == 0;
	struct check_answer a = {.would_release = 1, .policy_version = 1, .store_revision = 1};
	struct authorize_request m;
	const struct sim_slot *slot;
	enum reason reason = REASON_INTERNAL;

	answer->status = 200;
	if (authorize_request_decode(&m, request->body, request->body_len, text, &quote) != CV_OK) {
		refuse_for(answer, REASON_MALFORMED, 1);
		return;
	}
	reason = nonce_verdict(g, now_ms, &m);
	slot = slot_find(g, m.epoch);
	if (reason == REASON_RELEASE && memcmp(m.volume_id, g->volume_id, CV_VOLUME_ID_BYTES) != 0)
		reason = REASON_VOLUME_UNKNOWN;
	if (reason == REASON_RELEASE && slot == NULL)
		reason = REASON_EPOCH_UNKNOWN;
	if (reason == REASON_RELEASE)
		reason = evidence_verdict(
			g, &m, slot, check ? EVIDENCE_CHECK : EVIDENCE_UNLOCK, &ev);
	if (reason != REASON_RELEASE)
		refuse_for(answer, reason, 1);
	else if (check)
		must(check_answer_encode(
			     answer->body, sizeof(answer->body), &answer->body_len, &a),
			"check_answer_encode");
	else
		release(g, now_ms, conduct, &m, slot, &ev, answer);
}

/* MOUNT_OK under the pending epoch promotes it; an old counter changes nothing. */
static void serve_event(
	struct sim_gateway *g, const struct sim_message *request, struct sim_message *answer)
{
	struct event_request m;

	if (event_request_decode(&m, request->body, request->body_len) != CV_OK) {
		refuse_for(answer, REASON_MALFORMED, 0);
		return;
	}
	if (m.counter < g->counter || slot_find(g, m.epoch) == NULL) {
		refuse_for(answer,
			m.counter < g->counter ? REASON_COUNTER_REUSED : REASON_EPOCH_UNKNOWN, 0);
		return;
	}
	g->counter = m.counter;
	if (m.event == DEVICE_EVENT_MOUNT_OK)
		g->current = (int)(slot_find(g, m.epoch) - g->slots);
	answer->status = 200;
	must(event_answer_encode(answer->body, sizeof(answer->body), &answer->body_len, &m),
		"event_answer_encode");
}

/* Answers that need no request body. Returns 0 if this conduct goes on as an honest one does. */
static int misbehave(
	struct sim_gateway *g, enum sim_conduct conduct, int nonce, struct sim_message *answer)
{
	/* Half of the time only after the nonce, when more is at stake. */
	if (conduct < SIM_GARBAGE || (nonce && sim_chance(&g->random, 50)))
		return 0;
	switch ((int)conduct) {
	case SIM_GARBAGE:
		answer->status = 200;
		answer->body_len = (size_t)sim_below(&g->random, 200);
		sim_fill(&g->random, answer->body, answer->body_len);
		return 1;
	case SIM_WRONG_STATUS:
		refuse(answer, REASON_DEVICE_REVOKED, RETRY_NO, 0, 1);
		answer->status = sim_chance(&g->random, 50) ? 200 : 503;
		return 1;
	case SIM_DENIES:
		refuse(answer, REASON_DEVICE_REVOKED, RETRY_NO, 0, 1);
		return 1;
	case SIM_LATER_YEAR:
		refuse(answer, REASON_BUSY, RETRY_LATER, SIM_YEAR_S, 1);
		return 1;
	case SIM_NEW_NONCE:
		refuse(answer, REASON_NONCE_FOREIGN, RETRY_NEW_NONCE, 0, 1);
		return 1;
	default:
		return 0;
	}
}

/* Step 2 of section 9: over the raw bytes, before any parsing. */
static int request_is_authentic(const struct sim_gateway *g, const struct sim_message *request,
	uint8_t mac[CV_MAC_BYTES])
{
	uint8_t claimed[CV_MAC_BYTES];
	char device[CV_ID_BUF];

	if (mac_request_header_parse(request->header, request->header_len, device, claimed) != CV_OK)
		return 0;
	must(mac_request(mac, g->mac_key, &g->scope, "POST", request->target, request->body,
		     request->body_len),
		"mac_request");
	return strcmp(device, g->scope.device) == 0 && crypto_equal(claimed, mac, CV_MAC_BYTES);
}

int sim_gateway_serve(struct sim_gateway *g, uint64_t now_ms, const struct sim_message *request,
	struct sim_message *answer)
{
	enum sim_conduct conduct = g->conduct;
	uint8_t mac[CV_MAC_BYTES];
	int nonce = strcmp(request->target, MESSAGE_TARGET_NONCE) == 0;

	memset(answer, 0, sizeof(*answer));
	if (conduct == SIM_FICKLE)
		conduct = (enum sim_conduct)sim_below(&g->random, SIM_FICKLE);
	if (conduct == SIM_SILENT)
		return 0;
	if (!request_is_authentic(g, request, mac)) {
		g->unauthentic++;
		answer->status = 401;
		return 1;
	}
	g->authentic++;
	memcpy(answer->answers, request->header, sizeof(answer->answers));
	if (!misbehave(g, conduct, nonce, answer)) {
		if (nonce)
			serve_nonce(g, now_ms, request, answer);
		else if (strcmp(request->target, MESSAGE_TARGET_EVENTS) == 0)
			serve_event(g, request, answer);
		else
			serve_authorize(g, now_ms, conduct, request, answer);
	} else if (nonce) {
		g->nonces++;
	}
	answer_sign(g, mac, answer);
	return 1;
}

void sim_gateway_restart(struct sim_gateway *g)
{
	sim_fill(&g->random, g->nonce_key, sizeof(g->nonce_key));
	g->spent_count = 0;
}

const char *sim_conduct_name(enum sim_conduct conduct)
{
	static const char *const names[SIM_CONDUCTS] = {"honest", "wrong_share", "other_epoch",
		"other_nonce", "other_x", "other_key", "low_order", "garbage", "wrong_status",
		"denies", "later_year", "new_nonce", "silent", "fickle"};

	return conduct < SIM_CONDUCTS ? names[conduct] : "?";
}
