/*
 * What the keeper remembers of each device between requests, in RAM: its budget of requests, the
 * folding of repeated refusals, and the last boot id that it asked from.
 *
 * Only devices whose MAC held get an entry, so junk that names a device costs that device nothing.
 * Memory is fixed: BUDGET_ENTRIES; when they are used up, the entry of a set that was idle longest
 * is taken, and a device that comes back starts with a full budget.
 *
 * Threads  one thread per struct.
 */
#ifndef CONCLAVE_GATEWAY_BUDGET_H
#define CONCLAVE_GATEWAY_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/ipc.h"
#include "protocol/err.h"
#include "protocol/limits.h"
#include "protocol/reason.h"

#define BUDGET_ENTRIES 16384
#define BUDGET_FOLD_MS 60000	    /* repeats within this become one audit record */
#define BUDGET_BOOT_LOCKED_MS 60000 /* at most one BOOT_LOCKED per device in this time */

struct budget_entry {
	char device[CV_ID_BUF]; /* "" = free */
	uint64_t used_ms;
	uint64_t request_milli; /* thousandths of a request left */
	uint64_t request_ms;
	uint64_t audit_milli;
	uint64_t audit_ms;
	enum reason fold_reason; /* the refusal audited last; REASON_INTERNAL = none */
	uint64_t fold_ms;	 /* when it was audited */
	uint64_t fold_count;	 /* refusals since then without a record of their own */
	bool boot_seen;
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	uint64_t boot_locked_ms; /* last BOOT_LOCKED; 0 = never */
	bool released;		 /* and not confirmed by MOUNT_OK */
	uint64_t released_ms;
};

struct budget;

CV_MUST_CHECK enum cv_err budget_open(struct budget **out);
/* NULL is allowed. */
void budget_close(struct budget *b);

/* The entry of a device, made with a full budget if there is none. Lives until the next call. */
struct budget_entry *budget_entry(
	struct budget *b, const char *device, uint64_t now_ms, const struct keeper_limits *limits);
/* One request: false when the budget is used up. */
bool budget_take(struct budget_entry *e, uint64_t now_ms, const struct keeper_limits *limits);

/*
 * A refusal: true if it gets an audit record, and *repeats is how many went without one since the
 * last. False: it was counted.
 */
bool budget_audit_refusal(struct budget_entry *e, enum reason reason, uint64_t now_ms,
	const struct keeper_limits *limits, uint64_t *repeats);
/*
 * The next entry whose repeats have waited for BUDGET_FOLD_MS (all that have any, if `all`);
 * NULL when there is none. *cursor starts at 0. The caller audits fold_count and sets it to 0.
 */
struct budget_entry *budget_next_folded(
	struct budget *b, size_t *cursor, uint64_t now_ms, bool all);

/* The next entry with a release from before `before_ms` that nothing confirmed; as above. */
struct budget_entry *budget_next_unconfirmed(
	struct budget *b, size_t *cursor, uint64_t before_ms);

/* True if a nonce request from this boot id is worth a BOOT_LOCKED. */
bool budget_new_boot(struct budget_entry *e, const uint8_t boot_id[CV_BOOT_ID_BYTES],
	const uint8_t *released_boot_id, uint64_t now_ms);

#endif
