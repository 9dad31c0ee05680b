/*
 * The one function that decides: from a parsed request and what the gateway knows, to a verdict.
 *
 * Pure: no clock, no store, no randomness, nothing kept between calls. The verdict starts as
 * REASON_INTERNAL, a refusal, and only the last line of authorize() makes it a release. The order
 * is that of docs/protocol.md section 9, from step 5 on; what comes before needs the raw bytes.
 */
#ifndef CONCLAVE_GATEWAY_AUTHORIZE_H
#define CONCLAVE_GATEWAY_AUTHORIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/record.h"
#include "protocol/evidence.h"
#include "protocol/group.h"
#include "protocol/message.h"
#include "protocol/policy.h"
#include "protocol/reason.h"

#define AUTHORIZE_GRANT_S 900 /* an operator's approval holds this long */

/* What a verdict gives cause to tell; or-ed. */
enum authorize_alert {
	AUTHORIZE_ALERT_REPLAY = 1,	   /* a spent nonce came again */
	AUTHORIZE_ALERT_NEW_BOOT_KEY = 2,  /* another X25519 key in the same boot */
	AUTHORIZE_ALERT_CLONE = 4,	   /* too many keys, or an older boot came back */
	AUTHORIZE_ALERT_COUNTER_AHEAD = 8, /* boot counter far above the last one */
	AUTHORIZE_ALERT_ROLLBACK = 16	   /* boot counter below the last one */
};

/* Which policy's rule decided. */
enum authorize_source {
	AUTHORIZE_BY_GATEWAY, /* none: nonce, evidence, state, or nothing spoke against it */
	AUTHORIZE_BY_GROUP,
	AUTHORIZE_BY_DEVICE
};

struct authorize_clock {
	uint64_t now_s;
	bool trusted;
};

/*
 * Results of the caller's work come as they are: nonce is what nonce_check and the memory of spent
 * nonces said, evidence_result what evidence_decode said. A result that nobody set is
 * CV_ERR_INTERNAL and refuses.
 */
struct authorize_input {
	const struct authorize_request *request;
	enum evidence_purpose purpose; /* EVIDENCE_CHECK for /v1/check */
	enum cv_err nonce;
	enum cv_err evidence_result;
	const struct evidence *evidence;
	/* what tpm_quote_verify said, for class tpm; attest and quote go with RELEASE */
	enum reason quote_result;
	const struct tpm_attest *attest;
	const struct tpm_quote *quote;
	const uint8_t *ueid; /* EVIDENCE_UEID_BYTES, of the device that the MAC speaks for */
	const struct record *record;
	const struct policy *policy; /* NULL: the record's text is no policy */
	/*
	 * in force for the record's group; NULL: it has none, or the gateway holds no policy for it
	 */
	const struct group_policy *group;
	bool frozen; /* the fleet */
	struct authorize_clock clock;
};

#define VERDICT_TEXT_BUF 80

enum verdict_unit {
	VERDICT_NO_UNIT = 0,
	VERDICT_MM,
	VERDICT_S
};

/*
 * For the audit only, never for the device: which rule of the policy refused, and by how much.
 * `claimed` and `nearest` are "" when they say nothing; what is personal goes through privacy.h.
 */
struct verdict_detail {
	char rule[VERDICT_TEXT_BUF];	/* "place.areas", "measurements.conclave-device"; "": none */
	char claimed[VERDICT_TEXT_BUF]; /* what the evidence says instead */
	char nearest[VERDICT_TEXT_BUF]; /* the area that was missed by least */
	enum verdict_unit unit;
	uint64_t over; /* by so much */
	bool is_place;	/* personal: where the device is */
	bool is_serial; /* personal: of a part of the machine */
};

struct verdict {
	enum reason reason; /* REASON_RELEASE or why not */
	struct verdict_detail detail;
	uint32_t alerts;    /* enum authorize_alert */
	/* on release only: */
	const struct record_share *share; /* inside input->record */
	struct record_boot boot;	  /* the record's boot state from now on */
	bool new_boot;
	bool new_key;  /* this boot key got nothing before */
	bool approved; /* used the record's grant up */
	const struct group_reference *reference; /* the first that matched; inside input->group */
	/* also on refusal */
	enum authorize_source source;
};

/*
 * Both policies must agree: a group's policy is what holds for its devices, and a device's own can
 * only narrow it (docs/policy.md).
 */
struct verdict authorize(const struct authorize_input *in);
/*
 * What the policies say of evidence that was authentic once, for a dry run: without nonce, state,
 * boot history and quota. Everything else is what authorize() does, by the same code.
 */
struct verdict authorize_again(const struct authorize_input *in);

/*
 * Steps 5 and 6 alone: REASON_RELEASE means that the evidence is worth decoding. authorize() goes
 * through them again, so a caller that forgets this loses time, not safety.
 */
enum reason authorize_before_evidence(const struct authorize_input *in);

/* Step 6 for requests without nonce and evidence. REASON_RELEASE: nothing speaks against it. */
enum reason authorize_volume(
	const struct record *rec, const uint8_t volume_id[CV_VOLUME_ID_BYTES], uint32_t epoch);
enum reason authorize_state(const struct record *rec, bool frozen);

/* authorize_boot.c: step 8's boot rule; fills boot, new_boot, new_key and alerts of the verdict. */
enum reason authorize_boot(const struct authorize_input *in, struct verdict *v);
/* authorize_quote.c: step 7's quote, and what step 10 demands of its values. */
enum reason authorize_quote(const struct authorize_input *in);
enum reason authorize_pcrs(const struct authorize_input *in, struct verdict *v);
/* authorize_rules.c: step 9; authorize_place.c: step 11. They fill v->detail when they refuse. */
enum reason authorize_time(const struct authorize_input *in, struct verdict *v);
enum reason authorize_measurements(const struct authorize_input *in, struct verdict *v);
enum reason authorize_place(const struct authorize_input *in, struct verdict *v);

/* authorize_events.c: beside step 10. */
enum reason authorize_events(const struct authorize_input *in, struct verdict *v);
/* authorize_residency.c: beside step 9. */
enum reason authorize_platform(const struct authorize_input *in, struct verdict *v);
enum reason authorize_inventory(const struct authorize_input *in, struct verdict *v);
/*
 * The next part that a pattern of the list names and that is not as it was enrolled; NULL at the
 * end. *cursor starts at 0; *reason is set with each.
 */
const char *authorize_inventory_difference(const struct authorize_input *in,
	const struct policy_list *list, size_t *cursor, enum reason *reason);

/* authorize_detail.c: `member` may be NULL; texts are cut. All return `reason`. */
enum reason verdict_rule(
	struct verdict *v, enum reason reason, const char *section, const char *member);
enum reason verdict_claim(struct verdict *v, enum reason reason, const char *section,
	const char *member, const char *claimed);
enum reason verdict_claim_hash(struct verdict *v, enum reason reason, const char *section,
	const char *member, const uint8_t claimed[CV_HASH_BYTES]);
enum reason verdict_over(struct verdict *v, enum reason reason, const char *section,
	const char *member, enum verdict_unit unit, uint64_t over);

/* authorize_group.c: what only a group's policy has; all of them with in->group. */
enum reason authorize_class(const struct authorize_input *in, struct verdict *v);
enum reason authorize_references(const struct authorize_input *in, struct verdict *v);
enum reason authorize_client(const struct authorize_input *in, struct verdict *v);
enum reason authorize_windows(const struct authorize_input *in, struct verdict *v);
enum reason authorize_quota(const struct authorize_input *in, struct verdict *v);
enum reason authorize_approval(const struct authorize_input *in, struct verdict *v);

#endif
