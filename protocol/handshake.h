/*
 * The unlock handshake without I/O (docs/protocol.md section 7). One state machine for both
 * clients: the Linux device drives it with many connections at once, a microcontroller one gateway
 * after another, the tests with a simulator.
 *
 * The driver loops:
 *
 *   switch (handshake_next(h, now, &request, &wake_ms)) {
 *   case HANDSHAKE_SEND:    send request to request.member; at most one is under way per member.
 *                           Later call handshake_answer or handshake_no_answer for it, once. A
 *                           request that neither came for is given up half a second after its
 *                           deadline; what comes later is dropped.
 *   case HANDSHAKE_WAIT:    nothing to send before wake_ms; feed answers as they come.
 *   case HANDSHAKE_DONE:    handshake_secret has the secret (purpose unlock), or the verdicts are in
 *                           (purpose check: handshake_outcome sums them up). Answers under way may
 *                           still be fed: they add sessions.
 *   case HANDSHAKE_FAILED:  the deadline of the whole passed; handshake_outcome says why.
 *   }
 *
 * Attempts. One attempt asks every member; within it a member is asked again for "new_nonce" and
 * "later", three times each, and, while a "later" is being waited out, after a lost answer. It ends
 * without success as soon as K shares can no longer come; then shares and nonces are wiped: a
 * secret never comes from shares of two attempts, so what gateways released before a revocation
 * does not add up with what they release after. Nothing is released in vain: once K cannot be
 * reached, members that hold a nonce are not asked for their share. A check is one attempt.
 *
 * Time is the driver's monotonic clock in ms. Memory is the caller's: put struct handshake in
 * locked memory (it holds shares and the secret) and call handshake_wipe at the end. Not thread
 * safe. No answer without a valid MAC changes more than "this request got no answer".
 */
#ifndef CONCLAVE_PROTOCOL_HANDSHAKE_H
#define CONCLAVE_PROTOCOL_HANDSHAKE_H

#include "protocol/evidence.h"
#include "protocol/jws.h"
#include "protocol/mac.h"
#include "protocol/message.h"
#include "protocol/share_set.h"

#define HANDSHAKE_BODY_MIN (CV_EVIDENCE_MAX + 512)
/* what a quote and the events of the boot add to a request, in base64url */
#define HANDSHAKE_QUOTE_TEXT_MAX (1312 + EVENTLOG_BYTES_MAX * 4 / 3)

/* Why a request got no usable answer; the driver's transport says which. */
enum handshake_fault {
	HANDSHAKE_FAULT_NONE = 0,
	HANDSHAKE_FAULT_REFUSED,     /* connection refused, host unreachable */
	HANDSHAKE_FAULT_TIMEOUT,
	HANDSHAKE_FAULT_TLS,	     /* wrong certificate, name or role */
	HANDSHAKE_FAULT_TRANSPORT,   /* cut, not HTTP, too long */
	HANDSHAKE_FAULT_MAC,	     /* an answer, but not authentic (set by the machine) */
	HANDSHAKE_FAULT_MESSAGE,     /* authentic, but not what the protocol says (set by the machine) */
	HANDSHAKE_FAULT_SHARE,	     /* authentic, but the share is wrong: a liar (set by the machine) */
	HANDSHAKE_FAULT_LOCAL	     /* this device could not deal with the answer: memory, crypto */
};

struct handshake_config {
	const char *fleet;
	const char *device;
	const struct share_set *share_set;
	/* pairwise keys in the order of share_set->members */
	const uint8_t (*mac_keys)[CV_MAC_KEY_BYTES];
	const uint8_t *boot_private; /* CV_X25519_BYTES; RAM only */
	const uint8_t *boot_public;
	const struct evidence_platform *platform; /* read each time a token is made */
	struct jws_signer signer;
	/*
	 * Trust class tpm: quotes each token into *quote, the caller's too; NULL for others. It may
	 * take seconds. CV_ERR_MISMATCH: *platform was brought up to date (another boot id: the
	 * machine slept), so the token is made anew, a few times. Other errors end the attempt.
	 */
	enum cv_err (*make_quote)(
		void *context, struct tpm_quote *quote, const char *token, size_t token_len);
	void *quote_context;
	struct tpm_quote *quote;
	enum evidence_purpose purpose;
	int sequential; /* one gateway at a time, in the set's order, one token per nonce */
	uint64_t give_up_ms; /* absolute; 0 = never */
	/* NULL: crypto_random. For jitter and request ids; the simulator gives a seeded one. */
	enum cv_err (*random)(void *context, void *out, size_t len);
	void *random_context;
	/* Caller's buffers, alive as long as the handshake. */
	char *token; /* CV_EVIDENCE_MAX + 1 */
	char *body;  /* request.body points into it; HANDSHAKE_BODY_MIN or more, and for quotes
		      * HANDSHAKE_QUOTE_TEXT_MAX on top */
	size_t body_cap;
};

struct handshake_request {
	size_t member; /* index in share_set->members */
	const char *target;
	char mac_header[MAC_REQUEST_HEADER_BUF];
	const char *body; /* valid until the next call: copy it */
	size_t body_len;
	uint64_t deadline_ms; /* absolute; then call handshake_no_answer(TIMEOUT) */
};

enum handshake_action {
	HANDSHAKE_SEND,
	HANDSHAKE_WAIT,
	HANDSHAKE_DONE,
	HANDSHAKE_FAILED
};

enum handshake_phase {
	HANDSHAKE_IDLE = 0,	 /* wants a nonce */
	HANDSHAKE_NONCE_SENT,
	HANDSHAKE_NONCE_HELD,	 /* waits for its token */
	HANDSHAKE_AUTHORIZE_SENT,
	HANDSHAKE_LATER,	 /* asked again from not_before_ms on */
	HANDSHAKE_SHARE_HELD,	 /* or: would release */
	HANDSHAKE_OUT		 /* not again in this attempt */
};

struct handshake_member { /* what is known about one gateway; read-only for the driver */
	enum handshake_phase phase;
	enum handshake_fault fault;    /* last one of this attempt */
	uint8_t denied;		       /* an authentic "no" in this attempt */
	uint8_t has_reason;
	enum reason reason;	       /* if revealed */
	uint8_t share_invalid;	       /* sent a wrong share under a valid MAC, in any attempt */
	uint8_t nonce_retries;
	uint8_t later_retries;
	uint8_t fault_retries;
	uint8_t in_token;
	uint64_t not_before_ms;
	uint64_t sent_ms;
	uint64_t deadline_ms;
	uint64_t answered_ms;	       /* last authentic answer; 0 = none */
	uint8_t request_mac[CV_MAC_BYTES];
	uint8_t nonce[CV_NONCE_BYTES];
	uint8_t share[CV_SECRET_BYTES];
	uint8_t has_session;
	uint8_t session[CV_SESSION_BYTES];
	uint32_t lease_s;
	uint64_t policy_version;
	uint64_t store_revision;       /* highest seen */
	char anchor[MESSAGE_ANCHOR_MAX + 1];
};

struct handshake {
	struct handshake_config config;
	struct handshake_member members[CV_MEMBERS_MAX];
	uint32_t attempt; /* from 1 */
	uint32_t tokens;  /* signed so far */
	uint8_t token_live;
	uint8_t finished;
	enum cv_err outcome;
	uint64_t start_ms;
	uint64_t attempt_start_ms;
	uint64_t token_due_ms;
	uint64_t next_attempt_ms; /* 0 = an attempt is under way */
	enum cv_err attempt_error; /* what this device itself could not do: random, signing, memory */
	enum cv_err last_outcome;  /* of the attempt before; CV_OK = there was none */
	size_t token_len;
	struct evidence evidence; /* too large for a small stack */
	uint8_t has_secret;
	uint8_t secret[CV_SECRET_BYTES];
};

/*
 * Checks the configuration and starts the first attempt. Copies the struct, not what it points to.
 * CV_ERR_ARGUMENT: something is missing or too small; CV_ERR_MISMATCH: the share set is for another
 * fleet or device; CV_ERR_SHARE_COUNT, CV_ERR_SHARE_INDEX: it cannot be combined.
 */
CV_MUST_CHECK enum cv_err handshake_init(
	struct handshake *h, const struct handshake_config *config, uint64_t now_ms);
enum handshake_action handshake_next(struct handshake *h, uint64_t now_ms,
	struct handshake_request *request, uint64_t *wake_ms);
/* `header` is the value of Conclave-MAC, or NULL if there was none. */
void handshake_answer(struct handshake *h, size_t member, uint64_t now_ms, unsigned int status,
	const char *header, size_t header_len, const char *body, size_t body_len);
void handshake_no_answer(
	struct handshake *h, size_t member, uint64_t now_ms, enum handshake_fault fault);
/* The unlock secret; CV_ERR_TOO_FEW if the handshake is not DONE. */
CV_MUST_CHECK enum cv_err handshake_secret(
	const struct handshake *h, uint8_t secret[CV_SECRET_BYTES]);
/*
 * Why it failed, or would fail now: CV_ERR_DENIED (N-K+1 or more said no), CV_ERR_SHARE_SET (they
 * did, and the reasons they revealed say that they know another share set or epoch),
 * CV_ERR_SHARE_INVALID (liars leave fewer than K), CV_ERR_TIMEOUT (deadline while K might still
 * answer), CV_ERR_TOO_FEW (too few reachable), or what this device itself could not do
 * (CV_ERR_RANDOM, CV_ERR_CRYPTO, CV_ERR_TOO_LONG, ...). CV_OK when DONE; of a check, when K or more
 * would release.
 */
CV_MUST_CHECK enum cv_err handshake_outcome(const struct handshake *h);
/* Shares whose commitments hold (or would-release verdicts), and authentic refusals. */
size_t handshake_shares(const struct handshake *h);
size_t handshake_denials(const struct handshake *h);
const char *handshake_fault_text(enum handshake_fault fault);
void handshake_wipe(struct handshake *h);

#endif
