/* Group commit: many requests, one transaction, one fsync, and only then their answers. */
#include "gateway/keeper_state.h"

#include "host/clock.h"
#include "host/log.h"

enum cv_err keeper_transaction(struct keeper *k)
{
	enum cv_err err;

	if (k->batch_failed)
		return CV_ERR_IO;
	if (store_in_transaction(k->store))
		return k->room == STORE_ROOM_NONE ? CV_ERR_FULL : CV_OK;
	err = store_begin(k->store, &k->room);
	if (err != CV_OK) {
		keeper_batch_fail(k);
		return err;
	}
	if (k->room != STORE_ROOM_PLENTY) {
		if (k->disk_low.count == 0 && k->now_ms >= k->disk_low.next_ms)
			log_error("store: the disk is full: only releases and revocations are "
				  "recorded, from the space set aside (%llu bytes left)",
				(unsigned long long)store_reserve_bytes(k->store));
		keeper_alert_count(k, EVENT_DISK_LOW, &k->disk_low);
	}
	return k->room == STORE_ROOM_NONE ? CV_ERR_FULL : CV_OK;
}

void keeper_batch_fail(struct keeper *k)
{
	if (!k->batch_failed)
		log_error("store: nothing of this transaction is released: %s",
			store_why(k->store));
	k->batch_failed = true;
}

static uint64_t trusted_time(const struct keeper *k)
{
	return k->clock.trusted ? k->clock.now_s : 0;
}

static bool commit(struct keeper *k)
{
	const uint64_t start_us = clock_monotonic_us();

	if (k->batch_failed) {
		store_rollback(k->store);
		return false;
	}
	if (!store_in_transaction(k->store))
		return true;
	if (store_commit(k->store, k->clock.now_s, trusted_time(k)) != CV_OK) {
		keeper_batch_fail(k);
		return false;
	}
	k->counters.batches++;
	k->last_commit_us = clock_monotonic_us() - start_us;
	k->store_writable = true;
	return true;
}

void keeper_batch_end(struct keeper *k)
{
	const bool committed = commit(k);

	if (committed) {
		k->counters.reasons[REASON_RELEASE] += k->batch_released;
		k->counters.released += k->batch_released;
		for (size_t i = 0; i < k->batch_alert_count; i++)
			channel_alert(&k->alerts, &k->batch_alerts[i]);
	} else {
		k->store_writable = false;
		k->counters.reasons[REASON_STORE_FAILED] += k->deferred.count;
		keeper_alert_count(k, EVENT_DISK_LOW, &k->disk_low);
	}
	k->batch_alert_count = 0;
	k->batch_released = 0;
	k->batch_failed = false;
	keeper_release_deferred(k, committed);
	/* What the rolled back transaction brought is gone again. */
	if (!committed && keeper_load_revocations(k) != CV_OK)
		log_error("store: the revocation list cannot be read: %s", store_why(k->store));
	if (!committed && (keeper_load_groups(k) != CV_OK || keeper_load_fleet(k) != CV_OK))
		log_error("store: policies cannot be read: %s", store_why(k->store));
	store_tidy(k->store);
}

void keeper_audit_folded(struct keeper *k, bool all)
{
	struct budget_entry *e;
	size_t cursor = 0;

	while ((e = budget_next_folded(k->budget, &cursor, k->now_ms, all)) != NULL) {
		struct audit_text a;

		if (keeper_transaction(k) != CV_OK || k->room != STORE_ROOM_PLENTY) {
			k->counters.audit_lost += e->fold_count;
			e->fold_count = 0;
			continue;
		}
		audit_begin(&a, "repeats", &k->clock, e->device);
		json_text(&a.w, "reason", reason_code(e->fold_reason));
		json_u64(&a.w, "count", e->fold_count);
		if (audit_append(&a, k->store) != CV_OK)
			keeper_batch_fail(k);
		e->fold_count = 0;
	}
}
