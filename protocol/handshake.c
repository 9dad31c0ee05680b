#include "protocol/handshake_state.h"

#include <string.h>

#include "protocol/crypto.h"

/* Members by what they can still do in this attempt. */
struct tally {
	size_t ready;	/* may be asked for a nonce now */
	size_t asked;	/* nonce request under way */
	size_t held;	/* nonce here, no token yet */
	size_t tokened; /* token names them, or the share request is under way */
	size_t flying;	/* any request under way */
	size_t shares;
	size_t later;	 /* the gateway said "later" */
	size_t retrying; /* lost answer, waiting to be asked once more */
	size_t denied;
	size_t liars;
};

static struct tally tally_of(const struct handshake *h)
{
	struct tally t = {0};

	for (size_t i = 0; i < h->config.share_set->count; i++) {
		const struct handshake_member *m = &h->members[i];

		t.denied += m->denied;
		t.liars += m->fault == HANDSHAKE_FAULT_SHARE;
		t.flying += handshake_in_flight(m);
		switch (m->phase) {
		case HANDSHAKE_IDLE:
			t.ready++;
			break;
		case HANDSHAKE_NONCE_SENT:
			t.asked++;
			break;
		case HANDSHAKE_NONCE_HELD:
			if (m->in_token)
				t.tokened++;
			else
				t.held++;
			break;
		case HANDSHAKE_AUTHORIZE_SENT:
			t.tokened++;
			break;
		case HANDSHAKE_LATER:
			if (m->fault == HANDSHAKE_FAULT_NONE)
				t.later++;
			else
				t.retrying++;
			break;
		case HANDSHAKE_SHARE_HELD:
			t.shares++;
			break;
		case HANDSHAKE_OUT:
			break;
		}
	}
	return t;
}

/* Members that can still give a share in this attempt, or have. */
static size_t reachable(const struct tally *t)
{
	return t->shares + t->ready + t->asked + t->held + t->tokened + t->later;
}

void handshake_forget(struct handshake *h)
{
	for (size_t i = 0; i < CV_MEMBERS_MAX; i++) {
		crypto_wipe(h->members[i].share, sizeof(h->members[i].share));
		/* An answer under way still needs its nonce to show whether its sender lies. */
		if (!handshake_in_flight(&h->members[i]))
			crypto_wipe(h->members[i].nonce, sizeof(h->members[i].nonce));
		h->members[i].in_token = 0;
	}
	h->token_len = 0;
}

static void attempt_start(struct handshake *h, uint64_t now_ms)
{
	h->attempt++;
	h->attempt_start_ms = now_ms;
	h->next_attempt_ms = 0;
	h->token_due_ms = 0;
	h->attempt_error = CV_OK;
	for (size_t i = 0; i < h->config.share_set->count; i++) {
		struct handshake_member *m = &h->members[i];

		/* What a gateway asked for outlives the attempt; our own patience does not. */
		if (m->fault != HANDSHAKE_FAULT_NONE)
			m->not_before_ms = 0;
		m->phase = m->not_before_ms > now_ms ? HANDSHAKE_LATER : HANDSHAKE_IDLE;
		m->fault = HANDSHAKE_FAULT_NONE;
		m->denied = 0;
		m->has_reason = 0;
		m->nonce_retries = 0;
		m->later_retries = 0;
		m->fault_retries = 0;
		m->has_session = 0;
	}
}

static enum cv_err set_check(const struct share_set *set)
{
	if (set->threshold < 1 || set->threshold > set->count || set->count > CV_MEMBERS_MAX)
		return CV_ERR_SHARE_COUNT;
	for (size_t i = 0; i < set->count; i++) {
		if (set->members[i].x == 0)
			return CV_ERR_SHARE_INDEX;
		for (size_t j = 0; j < i; j++) {
			if (set->members[j].x == set->members[i].x)
				return CV_ERR_SHARE_INDEX;
		}
	}
	return CV_OK;
}

static int config_is_complete(const struct handshake_config *c)
{
	return c->fleet != NULL && c->device != NULL && c->share_set != NULL &&
		c->mac_keys != NULL && c->boot_private != NULL && c->boot_public != NULL &&
		c->platform != NULL && c->signer.sign != NULL && c->token != NULL &&
		c->body != NULL && (c->make_quote == NULL || c->quote != NULL) &&
		c->body_cap >= HANDSHAKE_BODY_MIN +
				(c->make_quote != NULL ? HANDSHAKE_QUOTE_TEXT_MAX : 0) &&
		(c->purpose == EVIDENCE_UNLOCK || c->purpose == EVIDENCE_CHECK);
}

enum cv_err handshake_init(
	struct handshake *h, const struct handshake_config *config, uint64_t now_ms)
{
	const struct share_set *set = config->share_set;
	struct evidence *ev = &h->evidence;
	enum cv_err e = CV_ERR_INTERNAL;

	memset(h, 0, sizeof(*h));
	h->outcome = CV_ERR_INTERNAL;
	if (!config_is_complete(config))
		return CV_ERR_ARGUMENT;
	if (strcmp(set->fleet, config->fleet) != 0 || strcmp(set->device, config->device) != 0)
		return CV_ERR_MISMATCH;
	e = set_check(set);
	if (e != CV_OK)
		return e;
	e = evidence_ueid(ev->ueid, config->fleet, config->device);
	if (e != CV_OK)
		return e;
	ev->purpose = config->purpose;
	memcpy(ev->volume_id, set->volume_id, sizeof(ev->volume_id));
	ev->epoch = set->epoch;
	memcpy(ev->share_set_hash, set->hash, sizeof(ev->share_set_hash));
	memcpy(ev->boot_key, config->boot_public, sizeof(ev->boot_key));
	h->config = *config;
	h->start_ms = now_ms;
	attempt_start(h, now_ms);
	return CV_OK;
}

/* Authentic refusals whose revealed reason is that the gateway knows another share set. */
static size_t denied_for_share_set(const struct handshake *h)
{
	size_t count = 0;

	for (size_t i = 0; i < h->config.share_set->count; i++) {
		const struct handshake_member *m = &h->members[i];

		count += m->denied && m->has_reason &&
			 (m->reason == REASON_EVIDENCE_SHARE_SET ||
				 m->reason == REASON_EPOCH_UNKNOWN);
	}
	return count;
}

static enum cv_err judge(const struct handshake *h)
{
	struct tally t = tally_of(h);
	size_t blocking = handshake_blocking(h);

	if (h->attempt_error != CV_OK)
		return h->attempt_error;
	if (denied_for_share_set(h) >= blocking)
		return CV_ERR_SHARE_SET;
	if (t.denied >= blocking)
		return CV_ERR_DENIED;
	if (t.liars > 0 && t.liars + t.denied >= blocking)
		return CV_ERR_SHARE_INVALID;
	if (reachable(&t) >= handshake_threshold(h))
		return h->config.purpose == EVIDENCE_CHECK && t.shares >= handshake_threshold(h)
			? CV_OK
			: CV_ERR_TIMEOUT;
	return CV_ERR_TOO_FEW;
}

enum cv_err handshake_outcome(const struct handshake *h)
{
	enum cv_err e = CV_ERR_INTERNAL;

	if (h->finished)
		return h->outcome;
	e = judge(h);
	/* An attempt that is still open says less than the one before it. */
	if (e == CV_ERR_TIMEOUT && h->last_outcome != CV_OK)
		e = h->last_outcome;
	return e;
}

static enum handshake_action finish(struct handshake *h, enum cv_err outcome)
{
	h->finished = 1;
	h->outcome = outcome;
	handshake_forget(h);
	return h->config.purpose == EVIDENCE_CHECK ? HANDSHAKE_DONE : HANDSHAKE_FAILED;
}

static void attempt_end(struct handshake *h, uint64_t now_ms)
{
	struct tally t = tally_of(h);

	h->last_outcome = judge(h);
	handshake_forget(h);
	if (t.denied >= handshake_blocking(h))
		h->next_attempt_ms = now_ms + CV_DENIED_RETRY_MS;
	else
		h->next_attempt_ms = now_ms + 1 + handshake_backoff(h, h->attempt - 1);
}

/* Time does to members what no answer did. */
static void members_wake(struct handshake *h, uint64_t now_ms)
{
	for (size_t i = 0; i < h->config.share_set->count; i++) {
		struct handshake_member *m = &h->members[i];

		if (handshake_in_flight(m) && now_ms >= m->deadline_ms + HANDSHAKE_GRACE_MS)
			handshake_no_answer(h, i, now_ms, HANDSHAKE_FAULT_TIMEOUT);
		if (m->phase == HANDSHAKE_LATER && now_ms >= m->not_before_ms &&
			h->config.purpose == EVIDENCE_UNLOCK) {
			m->phase = HANDSHAKE_IDLE;
			m->not_before_ms = 0;
		}
	}
}

/* K cannot be reached any more: ask for nothing that would be released in vain. */
static void members_prune(struct handshake *h)
{
	struct tally t = tally_of(h);

	if (h->config.purpose == EVIDENCE_CHECK || reachable(&t) >= handshake_threshold(h))
		return;
	for (size_t i = 0; i < h->config.share_set->count; i++) {
		struct handshake_member *m = &h->members[i];

		if (m->phase == HANDSHAKE_IDLE || m->phase == HANDSHAKE_NONCE_HELD)
			m->phase = HANDSHAKE_OUT;
	}
}

/* While a "later" is waited out, members whose answer was lost are asked once more. */
static void members_retry(struct handshake *h, uint64_t now_ms)
{
	for (size_t i = 0; i < h->config.share_set->count; i++) {
		struct handshake_member *m = &h->members[i];

		if (m->phase != HANDSHAKE_OUT || m->fault == HANDSHAKE_FAULT_NONE ||
			m->fault == HANDSHAKE_FAULT_SHARE)
			continue;
		m->phase = HANDSHAKE_LATER;
		m->not_before_ms = now_ms + 1 + handshake_backoff(h, m->fault_retries);
		if (m->fault_retries < UINT8_MAX)
			m->fault_retries++;
	}
}

/* Index of a member in `phase` (with in_token as given), or count. */
static size_t member_find(const struct handshake *h, enum handshake_phase phase, int in_token)
{
	size_t i;

	for (i = 0; i < h->config.share_set->count; i++) {
		if (h->members[i].phase == phase && h->members[i].in_token == in_token)
			break;
	}
	return i;
}

/* Sign now, or (returning 0, with token_due_ms set or cleared) wait for more nonces. */
static int token_is_due(struct handshake *h, const struct tally *t, uint64_t now_ms)
{
	if (t->held == 0)
		return 0;
	if (h->config.sequential || t->ready + t->asked == 0)
		return 1;
	if (h->config.purpose == EVIDENCE_UNLOCK &&
		t->shares + t->tokened + t->held < handshake_threshold(h)) {
		h->token_due_ms = 0;
		return 0;
	}
	if (h->token_due_ms == 0)
		h->token_due_ms = now_ms + CV_TOKEN_WAIT_MS;
	return now_ms >= h->token_due_ms;
}

/* 1 if `request` was filled. An error of our own ends the attempt. */
static int ask_next(struct handshake *h, uint64_t now_ms, struct handshake_request *request)
{
	struct tally t = tally_of(h);
	size_t count = h->config.share_set->count;
	size_t member = member_find(h, HANDSHAKE_IDLE, 0);

	if (h->attempt_error != CV_OK)
		return 0;
	if (h->config.sequential && t.flying > 0)
		return 0;
	if (member < count && !(h->config.sequential && t.held + t.tokened > 0)) {
		h->attempt_error = handshake_ask_nonce(h, member, now_ms, request);
		return h->attempt_error == CV_OK;
	}
	if (member_find(h, HANDSHAKE_NONCE_HELD, 1) == count && token_is_due(h, &t, now_ms)) {
		h->token_due_ms = 0;
		h->attempt_error = handshake_token_sign(h);
		/* a TPM is slow: the deadlines of the requests count from the driver's next call */
		if (h->attempt_error != CV_OK || h->config.make_quote != NULL)
			return 0;
	}
	member = member_find(h, HANDSHAKE_NONCE_HELD, 1);
	if (member == count)
		return 0;
	h->attempt_error = handshake_ask_share(h, member, now_ms, request);
	return h->attempt_error == CV_OK;
}

static void earliest(uint64_t *wake_ms, uint64_t t)
{
	if (t < *wake_ms)
		*wake_ms = t;
}

static uint64_t wake_time(const struct handshake *h)
{
	uint64_t wake_ms = UINT64_MAX;

	if (h->config.give_up_ms != 0)
		wake_ms = h->config.give_up_ms;
	if (h->next_attempt_ms != 0) {
		earliest(&wake_ms, h->next_attempt_ms);
		return wake_ms;
	}
	if (h->token_due_ms != 0)
		earliest(&wake_ms, h->token_due_ms);
	for (size_t i = 0; i < h->config.share_set->count; i++) {
		const struct handshake_member *m = &h->members[i];

		if (handshake_in_flight(m))
			earliest(&wake_ms, m->deadline_ms + HANDSHAKE_GRACE_MS);
		else if (m->phase == HANDSHAKE_LATER)
			earliest(&wake_ms, m->not_before_ms);
		else if (m->phase == HANDSHAKE_NONCE_HELD && m->in_token &&
			h->attempt_error == CV_OK)
			wake_ms = 0; /* its token is there: at once */
	}
	return wake_ms;
}

/* Nothing to send. Returns 1 if the attempt is over. */
static int attempt_is_over(struct handshake *h, uint64_t now_ms)
{
	struct tally t = tally_of(h);

	if (t.flying > 0)
		return 0;
	if (h->attempt_error != CV_OK)
		return 1;
	if (t.ready + t.held + t.tokened > 0)
		return 0;
	if (h->config.purpose == EVIDENCE_CHECK)
		return 1;
	if (t.later == 0 || t.shares + t.later < handshake_threshold(h))
		return 1;
	members_retry(h, now_ms);
	return 0;
}

enum handshake_action handshake_next(struct handshake *h, uint64_t now_ms,
	struct handshake_request *request, uint64_t *wake_ms)
{
	if (h->finished)
		return h->outcome == CV_OK || h->config.purpose == EVIDENCE_CHECK
			       ? HANDSHAKE_DONE
			       : HANDSHAKE_FAILED;
	if (h->config.give_up_ms != 0 && now_ms >= h->config.give_up_ms)
		return finish(h, handshake_outcome(h));
	if (h->next_attempt_ms != 0 && now_ms >= h->next_attempt_ms)
		attempt_start(h, now_ms);
	if (h->next_attempt_ms == 0) {
		members_wake(h, now_ms);
		members_prune(h);
		if (ask_next(h, now_ms, request))
			return HANDSHAKE_SEND;
		if (attempt_is_over(h, now_ms)) {
			if (h->config.purpose == EVIDENCE_CHECK)
				return finish(h, judge(h));
			attempt_end(h, now_ms);
		}
	}
	*wake_ms = wake_time(h);
	return HANDSHAKE_WAIT;
}

enum cv_err handshake_secret(const struct handshake *h, uint8_t secret[CV_SECRET_BYTES])
{
	memset(secret, 0, CV_SECRET_BYTES);
	if (!h->finished || h->outcome != CV_OK || !h->has_secret)
		return CV_ERR_TOO_FEW;
	memcpy(secret, h->secret, CV_SECRET_BYTES);
	return CV_OK;
}

size_t handshake_shares(const struct handshake *h)
{
	return tally_of(h).shares;
}

size_t handshake_denials(const struct handshake *h)
{
	return tally_of(h).denied;
}

const char *handshake_fault_text(enum handshake_fault fault)
{
	switch (fault) {
	case HANDSHAKE_FAULT_NONE:
		return "no fault";
	case HANDSHAKE_FAULT_REFUSED:
		return "not reachable";
	case HANDSHAKE_FAULT_TIMEOUT:
		return "no answer in time";
	case HANDSHAKE_FAULT_TLS:
		return "not the expected gateway (TLS)";
	case HANDSHAKE_FAULT_TRANSPORT:
		return "connection failed";
	case HANDSHAKE_FAULT_MAC:
		return "answer not authentic";
	case HANDSHAKE_FAULT_MESSAGE:
		return "answer not as the protocol says";
	case HANDSHAKE_FAULT_SHARE:
		return "sent a wrong share";
	case HANDSHAKE_FAULT_LOCAL:
		return "answer could not be processed here";
	}
	return "unknown fault";
}

void handshake_wipe(struct handshake *h)
{
	crypto_wipe(h, sizeof(*h));
}
