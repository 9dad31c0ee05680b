#include "gateway/budget.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/crypto.h"

#define WAYS 8
#define SETS (BUDGET_ENTRIES / WAYS)
#define DAY_MS 86400000

struct budget {
	uint64_t seed; /* so that nobody can aim at a set */
	struct budget_entry entries[BUDGET_ENTRIES];
};

enum cv_err budget_open(struct budget **out)
{
	struct budget *b = calloc(1, sizeof(*b));
	enum cv_err err;

	if (b == NULL)
		return CV_ERR_MEMORY;
	err = crypto_random(&b->seed, sizeof(b->seed));
	if (err != CV_OK) {
		free(b);
		return err;
	}
	*out = b;
	return CV_OK;
}

void budget_close(struct budget *b)
{
	free(b);
}

static size_t set_of(const struct budget *b, const char *device)
{
	uint64_t hash = b->seed;

	for (const char *p = device; *p != '\0'; p++) {
		hash ^= (unsigned char)*p;
		hash *= 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return (size_t)(hash % SETS) * WAYS;
}

struct budget_entry *budget_entry(
	struct budget *b, const char *device, uint64_t now_ms, const struct keeper_limits *limits)
{
	struct budget_entry *set = &b->entries[set_of(b, device)];
	struct budget_entry *idle = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (strcmp(set[i].device, device) == 0) {
			set[i].used_ms = now_ms;
			return &set[i];
		}
		if (set[i].used_ms < idle->used_ms)
			idle = &set[i];
	}
	memset(idle, 0, sizeof(*idle));
	strncpy(idle->device, device, sizeof(idle->device) - 1);
	idle->used_ms = now_ms;
	idle->request_milli = (uint64_t)limits->device_burst * 1000;
	idle->request_ms = now_ms;
	idle->audit_milli = (uint64_t)limits->audit_refusals_per_minute * 1000;
	idle->audit_ms = now_ms;
	return idle;
}

/* A token bucket in thousandths, so that slow rates are not rounded away. */
static bool take(uint64_t *milli, uint64_t *last_ms, uint64_t now_ms, uint64_t per_minute,
	uint64_t burst)
{
	const uint64_t full = burst * 1000;
	const uint64_t passed = now_ms - *last_ms < DAY_MS ? now_ms - *last_ms : DAY_MS;
	const uint64_t gained = passed * per_minute / 60;

	if (gained > 0) {
		*milli += gained;
		*last_ms = now_ms;
	}
	if (*milli > full)
		*milli = full;
	if (*milli < 1000)
		return false;
	*milli -= 1000;
	return true;
}

bool budget_take(struct budget_entry *e, uint64_t now_ms, const struct keeper_limits *limits)
{
	return take(&e->request_milli, &e->request_ms, now_ms, limits->device_per_minute,
		limits->device_burst);
}

bool budget_audit_refusal(struct budget_entry *e, enum reason reason, uint64_t now_ms,
	const struct keeper_limits *limits, uint64_t *repeats)
{
	const bool repeated = e->fold_reason == reason && now_ms - e->fold_ms < BUDGET_FOLD_MS;
	const uint64_t rate = limits->audit_refusals_per_minute;

	if (repeated || !take(&e->audit_milli, &e->audit_ms, now_ms, rate, rate)) {
		e->fold_count++;
		return false;
	}
	*repeats = e->fold_count;
	e->fold_count = 0;
	e->fold_reason = reason;
	e->fold_ms = now_ms;
	return true;
}

struct budget_entry *budget_next_folded(
	struct budget *b, size_t *cursor, uint64_t now_ms, bool all)
{
	while (*cursor < BUDGET_ENTRIES) {
		struct budget_entry *e = &b->entries[(*cursor)++];

		if (e->fold_count > 0 && (all || now_ms - e->fold_ms >= BUDGET_FOLD_MS))
			return e;
	}
	return NULL;
}

struct budget_entry *budget_next_unconfirmed(
	struct budget *b, size_t *cursor, uint64_t before_ms)
{
	while (*cursor < BUDGET_ENTRIES) {
		struct budget_entry *e = &b->entries[(*cursor)++];

		if (e->released && e->released_ms < before_ms)
			return e;
	}
	return NULL;
}

bool budget_new_boot(struct budget_entry *e, const uint8_t boot_id[CV_BOOT_ID_BYTES],
	const uint8_t *released_boot_id, uint64_t now_ms)
{
	const bool seen = e->boot_seen ? memcmp(e->boot_id, boot_id, CV_BOOT_ID_BYTES) == 0
		: released_boot_id != NULL &&
			memcmp(released_boot_id, boot_id, CV_BOOT_ID_BYTES) == 0;

	e->boot_seen = true;
	memcpy(e->boot_id, boot_id, CV_BOOT_ID_BYTES);
	if (seen)
		return false;
	if (e->boot_locked_ms != 0 && now_ms - e->boot_locked_ms < BUDGET_BOOT_LOCKED_MS)
		return false;
	e->boot_locked_ms = now_ms;
	return true;
}
