/* The boot rule (docs/protocol.md section 9). */
#include "gateway/authorize.h"

#include <string.h>

#include "protocol/crypto.h"

#define COUNTER_OFFSET 8

static bool same(const uint8_t *a, const uint8_t *b, size_t len)
{
	return crypto_equal(a, b, len) != 0;
}

/* A microcontroller's boot id: 8 zero bytes and a counter. */
static bool is_counter(const uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	static const uint8_t zero[COUNTER_OFFSET];

	return same(boot_id, zero, sizeof(zero));
}

static uint64_t counter_of(const uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	uint64_t value = 0;

	for (size_t i = COUNTER_OFFSET; i < CV_BOOT_ID_BYTES; i++)
		value = value << 8 | boot_id[i];
	return value;
}

/* The claim counts only as what the TPM itself signed. */
static enum reason tpm_form(const struct authorize_input *in)
{
	uint8_t quoted[CV_BOOT_ID_BYTES];

	if (in->quote_result != REASON_RELEASE || in->attest == NULL)
		return REASON_INTERNAL;
	tpm_boot_id(quoted, in->attest->reset_count, in->attest->restart_count);
	return same(in->evidence->platform.boot_id, quoted, sizeof(quoted)) ? REASON_RELEASE
									    : REASON_BOOT_FORM;
}

static enum reason form_of(const struct authorize_input *in)
{
	const bool counter = is_counter(in->evidence->platform.boot_id);

	switch (in->record->trust_class) {
	case TRUST_SOFTWARE:
		return counter ? REASON_BOOT_FORM : REASON_RELEASE;
	case TRUST_MICROCONTROLLER:
		return counter ? REASON_RELEASE : REASON_BOOT_FORM;
	case TRUST_TPM:
		return tpm_form(in);
	}
	return REASON_BOOT_FORM;
}

/* The stricter of the two policies. */
static uint64_t max_step(const struct authorize_input *in)
{
	const uint64_t own = in->policy->boot_max_step;

	return in->group != NULL && in->group->rules.boot_max_step < own
		? in->group->rules.boot_max_step
		: own;
}

static uint32_t max_keys(const struct authorize_input *in)
{
	uint32_t keys = in->policy->boot_max_keys;

	if (in->group != NULL && in->group->rules.boot_max_keys < keys)
		keys = in->group->rules.boot_max_keys;
	return keys < RECORD_BOOT_KEYS_MAX ? keys : RECORD_BOOT_KEYS_MAX;
}

static enum reason counter_step(const struct authorize_input *in, struct verdict *v)
{
	const uint64_t now = counter_of(in->evidence->platform.boot_id);
	const uint64_t last = counter_of(in->record->boot.boot_id);

	if (now < last) {
		v->alerts |= AUTHORIZE_ALERT_ROLLBACK;
		return REASON_BOOT_ROLLBACK;
	}
	if (now - last > max_step(in)) {
		v->alerts |= AUTHORIZE_ALERT_COUNTER_AHEAD;
		return REASON_BOOT_AHEAD;
	}
	return REASON_RELEASE;
}

/*
 * restartCount starts again at 0 with each reset, so only the pair has an order. How far ahead it
 * is says nothing: the TPM counts boots that never asked for a share.
 */
static enum reason pair_step(const struct authorize_input *in, struct verdict *v)
{
	if (memcmp(in->evidence->platform.boot_id, in->record->boot.boot_id, CV_BOOT_ID_BYTES) > 0)
		return REASON_RELEASE;
	v->alerts |= AUTHORIZE_ALERT_ROLLBACK;
	return REASON_BOOT_ROLLBACK;
}

/* A new boot: the last one moves into the history, the key becomes the first of the new one. */
static void start_boot(const struct authorize_input *in, struct verdict *v)
{
	const struct record_boot *old = &in->record->boot;
	const uint8_t *id = in->evidence->platform.boot_id;

	for (size_t i = 0; i < old->history_count && i < RECORD_BOOT_HISTORY; i++) {
		if (same(old->history[i], id, CV_BOOT_ID_BYTES))
			v->alerts |= AUTHORIZE_ALERT_CLONE;
	}
	v->new_boot = true;
	v->new_key = true;
	v->boot.known = true;
	memcpy(v->boot.boot_id, id, CV_BOOT_ID_BYTES);
	v->boot.key_count = 1;
	memcpy(v->boot.keys[0], in->evidence->boot_key, CV_X25519_BYTES);
	if (!old->known)
		return;
	memmove(v->boot.history[1], v->boot.history[0],
		(RECORD_BOOT_HISTORY - 1) * CV_BOOT_ID_BYTES);
	memcpy(v->boot.history[0], old->boot_id, CV_BOOT_ID_BYTES);
	if (v->boot.history_count < RECORD_BOOT_HISTORY)
		v->boot.history_count++;
}

static enum reason same_boot(const struct authorize_input *in, struct verdict *v)
{
	for (size_t i = 0; i < v->boot.key_count; i++) {
		if (same(v->boot.keys[i], in->evidence->boot_key, CV_X25519_BYTES))
			return REASON_RELEASE;
	}
	if (v->boot.key_count >= max_keys(in)) {
		v->alerts |= AUTHORIZE_ALERT_CLONE;
		return REASON_BOOT_KEY;
	}
	/* After allow-key none is known: the next one is expected, not news. */
	if (v->boot.key_count > 0)
		v->alerts |= AUTHORIZE_ALERT_NEW_BOOT_KEY;
	memcpy(v->boot.keys[v->boot.key_count++], in->evidence->boot_key, CV_X25519_BYTES);
	v->new_key = true;
	return REASON_RELEASE;
}

enum reason authorize_boot(const struct authorize_input *in, struct verdict *v)
{
	const struct record_boot *old = &in->record->boot;
	enum reason reason = REASON_RELEASE;

	if (in->policy->boot != POLICY_RULES ||
		(in->group != NULL && in->group->rules.boot != POLICY_RULES))
		return verdict_rule(v, REASON_POLICY_EMPTY, "boot", NULL);
	reason = form_of(in);
	if (reason != REASON_RELEASE)
		return reason;
	v->boot = *old;
	if (old->known && same(old->boot_id, in->evidence->platform.boot_id, CV_BOOT_ID_BYTES))
		return same_boot(in, v);
	if (old->known && in->record->trust_class == TRUST_MICROCONTROLLER)
		reason = counter_step(in, v);
	if (old->known && in->record->trust_class == TRUST_TPM)
		reason = pair_step(in, v);
	if (reason == REASON_RELEASE)
		start_boot(in, v);
	return reason;
}
