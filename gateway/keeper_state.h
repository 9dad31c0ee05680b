/* Inside the keeper: what its parts share. Not for other modules. */
#ifndef CONCLAVE_GATEWAY_KEEPER_STATE_H
#define CONCLAVE_GATEWAY_KEEPER_STATE_H

#include "gateway/audit.h"
#include "gateway/authorize.h"
#include "gateway/budget.h"
#include "gateway/ipc.h"
#include "gateway/keeper.h"
#include "gateway/keeper_group.h"
#include "gateway/keeper_keys.h"
#include "gateway/keeper_request.h"
#include "gateway/privacy.h"
#include "gateway/record.h"
#include "gateway/spent.h"
#include "gateway/store.h"
#include "gateway/store_policy.h"
#include "notify/channel.h"
#include "protocol/enrol.h"
#include "protocol/nonce.h"
#include "protocol/opcert.h"
#include "protocol/policy.h"

#define KEEPER_BATCH_ALERTS 512
#define KEEPER_OUT_MAX 4096 /* answers that the front has not taken; then no more is read */

/* An answer, encoded as a packet. */
struct keeper_packet {
	struct keeper_packet *next;
	struct keeper_packet *instead; /* sent in its place when the commit fails; may be NULL */
	size_t len;
	uint8_t bytes[];
};

struct keeper_queue {
	struct keeper_packet *first, *last;
	size_t count;
};

struct keeper_counters {
	uint64_t reasons[REASON_COUNT_];
	uint64_t released, batches, unknown_device, bad_mac, op_commands, op_refused, audit_lost;
};

/* One alert a minute for something that anyone can cause. */
struct keeper_counted {
	uint64_t count;
	uint64_t next_ms;
};

struct keeper {
	const struct keeper_config *cfg;
	struct keeper_limits limits;
	uint64_t nonce_ttl_ms;
	struct keeper_keys *keys; /* secret memory */
	struct jws_signer signer;
	struct store *store;
	struct spent *spent;
	struct budget *budget;
	struct channel alerts;
	char sender_metrics[CHANNEL_METRICS_MAX + 1]; /* its last answer; "": none */
	struct revocations *revoked; /* version 0: none was given */
	struct keeper_groups *groups;
	struct keeper_requests *requests;
	struct keeper_fleet fleet;

	/* work space, for one request at a time */
	struct record *rec;	    /* secret memory */
	struct enrolment *enrolment; /* secret memory */
	struct policy *policy;
	struct evidence *evidence;
	char *body;    /* IPC_ANSWER_BODY_MAX + 1 */
	uint8_t *packet; /* IPC_PACKET_MAX: what is being answered */
	uint8_t *encoded; /* IPC_PACKET_MAX: what is being sent */

	/* the batch */
	enum store_room room;
	bool batch_failed;
	struct keeper_queue deferred; /* wait for the commit */
	struct event_alert *batch_alerts;
	size_t batch_alert_count;
	uint64_t batch_released;
	uint64_t last_commit_us;

	struct keeper_queue out; /* wait for the front to read */
	struct keeper_counters counters;
	struct keeper_counted unknown_device, bad_mac, disk_low;
	struct budget_entry op_budget; /* audit records and alerts of refused commands */
	struct keeper_limits op_limits;
	struct authorize_clock clock;
	uint64_t now_ms;
	uint64_t started_ms;
	uint64_t fold_due_ms;
	uint64_t sender_due_ms; /* asked for its metrics next */
	uint64_t confirm_due_ms;
	bool store_writable;
	bool draining;
	bool finished;
};

/* A request of a device whose MAC held. */
struct keeper_call {
	const struct ipc_request *request;
	uint8_t request_mac[CV_MAC_BYTES];
	struct budget_entry *budget;
	struct record *rec;
	const struct verdict *verdict; /* NULL until there is one */
	const struct authorize_input *input; /* goes with it */
};

/* keeper_clock.c */
void keeper_clock_read(struct keeper *k);
/* The rule by itself. */
struct authorize_clock keeper_clock_judge(
	uint64_t now_s, bool synchronised, uint64_t build_s, uint64_t last_trusted_s);
uint64_t keeper_build_time_s(void);

/* keeper_answer.c */
/* Sends at once, or queues if the front is slow. */
void keeper_send(struct keeper *k, const struct ipc_answer *answer);
/* Sends after the commit; `instead` (may be NULL) if it fails. */
CV_MUST_CHECK enum cv_err keeper_defer(
	struct keeper *k, const struct ipc_answer *answer, const struct ipc_answer *instead);
void keeper_flush(struct keeper *k);
void keeper_release_deferred(struct keeper *k, bool committed);
void keeper_queue_wipe(struct keeper_queue *q);
/* An answer to a device, with its MAC; body must stay until it is sent. */
CV_MUST_CHECK enum cv_err keeper_device_answer(struct ipc_answer *out, struct keeper *k,
	const struct keeper_call *call, unsigned int status, const char *body, size_t len);

/* keeper_batch.c */
/* Opens the transaction if there is none; CV_ERR_FULL when not even the reserve is left. */
CV_MUST_CHECK enum cv_err keeper_transaction(struct keeper *k);
/* Something in the transaction failed: nothing of it will be released. */
void keeper_batch_fail(struct keeper *k);
/* Commits what there is and lets the answers go. */
void keeper_batch_end(struct keeper *k);
/* Writes the counted repeats of refusals. */
void keeper_audit_folded(struct keeper *k, bool all);

/* keeper_alert.c */
void keeper_alert(struct keeper *k, enum event_type type, const char *device, const char *reason);
/* Raised after the commit. */
void keeper_alert_later(struct keeper *k, const struct event_alert *alert);
void keeper_alert_count(struct keeper *k, enum event_type type, struct keeper_counted *counted);
/* Counted alerts whose minute is over. */
void keeper_alert_tick(struct keeper *k);

/* keeper_device.c */
void keeper_on_device(struct keeper *k, const struct ipc_request *request);
void keeper_refuse(struct keeper *k, const struct keeper_call *call, enum reason reason);
/* With what the audit may say of the rule that decided. */
void keeper_refuse_verdict(struct keeper *k, const struct keeper_call *call, enum reason reason,
	const struct verdict_detail *detail);
/* Body and status of a refusal as this device may see it. */
CV_MUST_CHECK enum cv_err keeper_refusal_body(struct keeper *k, const struct keeper_call *call,
	enum reason reason, char *out, size_t cap, size_t *len, unsigned int *status);

/* keeper_authorize.c */
void keeper_on_nonce(struct keeper *k, struct keeper_call *call);
void keeper_on_authorize(
	struct keeper *k, struct keeper_call *call, enum evidence_purpose purpose);
/* keeper_release.c */
void keeper_release(struct keeper *k, struct keeper_call *call,
	const struct authorize_input *in, const struct verdict *v);

/* The shorter of the two that are not 0. `group` may be NULL. */
uint32_t keeper_lease(const struct policy *own, const struct group_policy *group);

/* keeper_confirm.c: releases that wait for MOUNT_OK. */
void keeper_confirm_expect(struct keeper *k, const struct keeper_call *call);
void keeper_confirm_came(const struct keeper_call *call, enum device_event event);
void keeper_confirm_tick(struct keeper *k);

/* keeper_event.c */
void keeper_on_event(struct keeper *k, struct keeper_call *call);
void keeper_on_status(struct keeper *k, struct keeper_call *call);

/* keeper_health.c */
void keeper_on_health(struct keeper *k, const struct ipc_request *request);

/* opcmd.c */
void keeper_on_operator(struct keeper *k, const struct ipc_request *request);
/* Loads the revocation list from the store. */
CV_MUST_CHECK enum cv_err keeper_load_revocations(struct keeper *k);

#endif
