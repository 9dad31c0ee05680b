/* On which machine, and on which platform: hardware inventory, kernel, boot state, command line. */
#include "gateway/authorize.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/inventory.h"

static bool named(const struct policy_list *list, const char *item)
{
	for (size_t i = 0; i < list->count && i < CV_PLACES_MAX; i++) {
		if (inventory_pattern_fits(list->names[i], item))
			return true;
	}
	return false;
}

static bool same(const struct evidence_digest *a, const struct evidence_digest *b)
{
	return a != NULL && b != NULL && crypto_equal(a->value, b->value, CV_HASH_BYTES);
}

const char *authorize_inventory_difference(const struct authorize_input *in,
	const struct policy_list *list, size_t *cursor, enum reason *reason)
{
	const struct evidence_platform *p = &in->evidence->platform;
	const struct record *rec = in->record;

	for (; *cursor < rec->inventory_count; (*cursor)++) {
		const struct evidence_digest *want = &rec->inventory[*cursor];
		const struct evidence_digest *got =
			inventory_find(p->inventory, p->inventory_count, want->name);

		if (!named(list, want->name) || same(want, got))
			continue;
		*reason = got == NULL ? REASON_INVENTORY_MISSING : REASON_INVENTORY_MISMATCH;
		(*cursor)++;
		return want->name;
	}
	for (; *cursor - rec->inventory_count < p->inventory_count; (*cursor)++) {
		const struct evidence_digest *got = &p->inventory[*cursor - rec->inventory_count];

		if (!named(list, got->name) ||
			inventory_find(rec->inventory, rec->inventory_count, got->name) != NULL)
			continue;
		*reason = REASON_INVENTORY_MISMATCH; /* a part that was not enrolled */
		(*cursor)++;
		return got->name;
	}
	return NULL;
}

/* A rule without an enrolled item to compare with would let every machine pass. */
static bool any_enrolled(const struct authorize_input *in)
{
	for (size_t i = 0; i < in->record->inventory_count; i++) {
		if (named(&in->policy->inventory_required, in->record->inventory[i].name))
			return true;
	}
	return false;
}

enum reason authorize_inventory(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	const struct evidence_digest *got;
	enum reason reason = REASON_INTERNAL;
	const char *item;
	size_t cursor = 0;

	if (p->inventory == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->inventory != POLICY_RULES ||
		(!p->inventory_required.present && !p->inventory_recorded.present))
		return verdict_rule(v, REASON_POLICY_EMPTY, "inventory", NULL);
	if (!p->inventory_required.present)
		return REASON_RELEASE;
	if (!any_enrolled(in))
		return verdict_claim(v, REASON_INVENTORY_MISSING, "inventory", "required",
			"the gateway has no enrolled inventory of this device");
	item = authorize_inventory_difference(in, &p->inventory_required, &cursor, &reason);
	if (item == NULL)
		return REASON_RELEASE;
	v->detail.is_serial = true;
	got = inventory_find(in->evidence->platform.inventory,
		in->evidence->platform.inventory_count, item);
	return got != NULL ? verdict_claim_hash(v, reason, "inventory", item, got->value)
			   : verdict_rule(v, reason, "inventory", item);
}

static enum reason text_in(const struct policy_list *list, const char *claimed,
	const char *member, struct verdict *v)
{
	if (!list->present)
		return REASON_RELEASE;
	if (claimed[0] == '\0')
		return verdict_rule(v, REASON_RESIDENCY_MISSING, "platform", member);
	for (size_t i = 0; i < list->count && i < CV_PLACES_MAX; i++) {
		if (strcmp(list->names[i], claimed) == 0)
			return REASON_RELEASE;
	}
	return verdict_claim(v, REASON_RESIDENCY_MISMATCH, "platform", member, claimed);
}

static enum reason command_line(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	const struct evidence_platform *claimed = &in->evidence->platform;

	if (p->cmdline_count == 0)
		return REASON_RELEASE;
	if (!claimed->has_cmdline)
		return verdict_rule(v, REASON_RESIDENCY_MISSING, "platform", "cmdline");
	for (size_t i = 0; i < p->cmdline_count && i < CV_PCR_VALUES_MAX; i++) {
		if (crypto_equal(claimed->cmdline, p->cmdlines[i], CV_HASH_BYTES))
			return REASON_RELEASE;
	}
	return verdict_claim_hash(
		v, REASON_RESIDENCY_MISMATCH, "platform", "cmdline", claimed->cmdline);
}

enum reason authorize_platform(const struct authorize_input *in, struct verdict *v)
{
	const struct policy *p = in->policy;
	const struct evidence_platform *claimed = &in->evidence->platform;
	enum reason reason;

	if (p->platform == POLICY_NOT_REQUIRED)
		return REASON_RELEASE;
	if (p->platform != POLICY_RULES ||
		(!p->kernels.present && !p->boot_states.present && p->cmdline_count == 0))
		return verdict_rule(v, REASON_POLICY_EMPTY, "platform", NULL);
	reason = text_in(&p->kernels, claimed->kernel, "kernel", v);
	if (reason == REASON_RELEASE)
		reason = text_in(&p->boot_states, claimed->boot_state, "boot_state", v);
	return reason == REASON_RELEASE ? command_line(in, v) : reason;
}
