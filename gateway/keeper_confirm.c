/*
 * Releases that MOUNT_OK should follow. A device that gets shares and never says that it opened its
 * volume may be somebody who collects them. In RAM: a restart forgets them, and so does a gateway
 * with more devices than it has entries for; `conclave audit reconcile` finds those.
 */
#include "gateway/keeper_state.h"

/* It walks over every entry: not with each request. */
#define CONFIRM_TICK_MS 1000

void keeper_confirm_expect(struct keeper *k, const struct keeper_call *call)
{
	call->budget->released = true;
	call->budget->released_ms = k->now_ms;
}

/* MOUNT_FAIL is an answer as well, with an alert of its own. */
void keeper_confirm_came(const struct keeper_call *call, enum device_event event)
{
	if (event == DEVICE_EVENT_MOUNT_OK || event == DEVICE_EVENT_MOUNT_FAIL)
		call->budget->released = false;
}

void keeper_confirm_tick(struct keeper *k)
{
	struct budget_entry *e;
	size_t cursor = 0;

	if (k->now_ms < k->confirm_due_ms)
		return;
	k->confirm_due_ms = k->now_ms + CONFIRM_TICK_MS;
	if (k->now_ms < k->limits.mount_ok_ms)
		return;
	while ((e = budget_next_unconfirmed(
			k->budget, &cursor, k->now_ms - k->limits.mount_ok_ms)) != NULL) {
		e->released = false;
		keeper_alert(k, EVENT_MOUNT_MISSING, e->device, NULL);
	}
}
