/* The first step of a rekey: the keys of the volume change in one checkpoint. */
#include <inttypes.h>
#include <stdio.h>

#include "fs/checkpoint.h"
#include "fs/rekey.h"
#include "fs/state.h"
#include "fs/why.h"
#include "host/secret.h"
#include "protocol/crypto.h"

/* What comes into force with the checkpoint; secret memory. */
struct new_keys {
	uint8_t volume_key[AEAD_KEY_BYTES];
	uint8_t scratch[AEAD_KEY_BYTES];
	struct super_clear one; /* the clear half with a single key slot */
	struct key_slot slots[KEY_SLOTS];
};

/* The secret that opens key slot `i`; NULL if none does. */
static const uint8_t *secret_of(const struct volume *v, unsigned i,
	const struct volume_rekey_options *o, struct new_keys *n)
{
	n->one = v->super->clear;
	memset(n->one.slots, 0, sizeof(n->one.slots));
	n->one.slots[0] = v->super->clear.slots[i];
	for (unsigned k = 0; k < o->secret_count; k++) {
		unsigned index;

		if (super_slot_open(&n->one, o->secrets[k], n->scratch, &index) == CV_OK &&
			crypto_equal(n->scratch, v->volume_key, AEAD_KEY_BYTES))
			return o->secrets[k];
	}
	return NULL;
}

static void name_slot(char *out, size_t cap, const struct key_slot *slot)
{
	if (slot->kind == VOLUME_SLOT_RECOVERY)
		(void)snprintf(out, cap, "the recovery code");
	else
		(void)snprintf(out, cap, "the share set of epoch %" PRIu32, slot->epoch);
}

/* Each slot is sealed anew around the new volume key, or dropped aloud. */
static enum cv_err wrap_slots(struct volume *v, const struct volume_rekey_options *o,
	struct new_keys *n, struct volume_rekey_report *report, struct volume_why *why)
{
	for (unsigned i = 0; i < KEY_SLOTS; i++) {
		const uint8_t *secret;
		enum cv_err err = CV_ERR_INTERNAL;
		char name[64];

		if (v->super->clear.slots[i].kind == VOLUME_SLOT_EMPTY)
			continue;
		secret = secret_of(v, i, o, n);
		if (!secret && !o->drop_others) {
			name_slot(name, sizeof(name), &v->super->clear.slots[i]);
			return why_set(why, CV_ERR_ARGUMENT,
				"key slot %u (%s) would be lost: give its secret, too, or drop it",
				i, name);
		}
		if (!secret) {
			report->dropped++;
			continue;
		}
		n->slots[i] = v->super->clear.slots[i];
		err = super_slot_seal(
			&n->slots[i], v->super->clear.volume_id, secret, n->volume_key);
		if (err)
			return why_set(why, err, "%s", cv_err_text(err));
		report->kept++;
	}
	if (report->kept == 0)
		return why_set(why, CV_ERR_ARGUMENT, "none of the secrets opens a key slot");
	return CV_OK;
}

/* Nothing has changed before this; after it the volume has its new keys, or is frozen. */
static enum cv_err change(struct volume *v, const struct new_keys *n, bool volume_key)
{
	enum cv_err err = CV_OK;
	struct super *s = v->super;

	/* whoever had the old volume key knows the log's key, too */
	if (volume_key)
		err = checkpoint_run(v, SUPER_OPEN);
	if (err)
		return err;
	v->keyring.next_generation = s->clear.generation + 1;
	err = keyring_replace(&v->keyring, true);
	if (err)
		return err;
	s->rekey_born = v->keyring.next_generation;
	if (volume_key) {
		memcpy(s->clear.slots, n->slots, sizeof(n->slots));
		memcpy(v->volume_key, n->volume_key, AEAD_KEY_BYTES);
		err = log_renew(&v->log, &s->log);
	}
	/* twice: then no superblock is left that the old volume key opens */
	if (!err)
		err = checkpoint_run(v, SUPER_OPEN);
	if (!err && volume_key)
		err = log_restart(&v->log, &s->log, s->clear.volume_id);
	if (err)
		v->frozen = true;
	return err ? err : checkpoint_run(v, SUPER_OPEN);
}

static enum cv_err begin(struct volume *v, const struct volume_rekey_options *o, struct new_keys *n,
	struct volume_rekey_report *report, struct volume_why *why)
{
	enum cv_err err = CV_OK;

	if (v->read_only || v->frozen)
		return why_set(why, CV_ERR_READ_ONLY, "the volume is read-only");
	if (v->super->rekey_born)
		return why_set(why, CV_ERR_BUSY, "a rekey is under way: let it end first");
	if (o->secret_count) {
		err = crypto_random(n->volume_key, AEAD_KEY_BYTES);
		if (!err)
			err = wrap_slots(v, o, n, report, why);
		if (err)
			return err;
		/* whoever opened it with a dropped slot goes on with the first that is left */
		while (n->slots[v->slot].kind == VOLUME_SLOT_EMPTY)
			v->slot = (v->slot + 1) % KEY_SLOTS;
	}
	err = change(v, n, o->secret_count > 0);
	if (err == CV_ERR_READ_ONLY && !v->frozen)
		return why_set(why, err, "no place is free in the keyring");
	return err ? why_set(why, err, "%s", cv_err_text(err)) : CV_OK;
}

enum cv_err volume_rekey_begin(struct volume *v, const struct volume_rekey_options *options,
	struct volume_rekey_report *report, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct new_keys *n = secret_alloc(sizeof(*n));

	memset(report, 0, sizeof(*report));
	if (!n)
		return CV_ERR_MEMORY;
	memset(n, 0, sizeof(*n));
	(void)pthread_mutex_lock(&v->lock);
	err = begin(v, options, n, report, why);
	(void)pthread_mutex_unlock(&v->lock);
	secret_free(n);
	return err;
}
