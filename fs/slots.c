#include "fs/slots.h"

#include <inttypes.h>

#include "fs/why.h"
#include "host/secret.h"
#include "protocol/crypto.h"

enum cv_err slots_read(struct slots *s, struct store *store, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	unsigned known = 0;
	unsigned newer = 0;
	uint64_t bytes;

	memset(s, 0, sizeof(*s));
	err = store_size(store, &bytes);
	if (err)
		return why_set(why, err, "the container's size cannot be read");
	if (bytes < VOLUME_SIZE_MIN)
		return why_set(
			why, CV_ERR_NOT_VOLUME, "not a volume: only %" PRIu64 " bytes long", bytes);
	for (unsigned i = 0; i < SUPER_SLOTS; i++) {
		/* an unreadable place is one slot less, as a torn one is */
		s->peek[i] = store_read(
			store, super_slot_block(i) * BLOCK_BYTES, s->block[i], BLOCK_BYTES);
		if (!s->peek[i])
			s->peek[i] = super_peek(&s->clear[i], s->block[i]);
		known += s->peek[i] == CV_OK;
		newer += s->peek[i] == CV_ERR_VERSION;
	}
	if (newer > known || newer == SUPER_SLOTS / 2)
		return why_set(why, CV_ERR_VERSION,
			"a volume of a newer format or with an unknown feature");
	if (!known)
		return why_set(why, CV_ERR_NOT_VOLUME, "not a volume: no superblock found");
	return CV_OK;
}

unsigned slots_newest_unproven(const struct slots *s)
{
	unsigned best = SUPER_SLOTS;

	for (unsigned i = 0; i < SUPER_SLOTS; i++)
		if (s->peek[i] == CV_OK &&
			(best == SUPER_SLOTS || s->clear[i].generation > s->clear[best].generation))
			best = i;
	return best;
}

/* The volume keys that the secret opens: one, or two after a cut in the change of it (rekey.h). */
struct volume_keys {
	uint8_t key[SUPER_SLOTS][AEAD_KEY_BYTES];
	unsigned count;
};

static enum cv_err find_volume_keys(const struct slots *s, const uint8_t *secret,
	struct volume_keys *keys, struct volume_why *why)
{
	for (unsigned i = 0; i < SUPER_SLOTS; i++) {
		uint8_t *key = keys->key[keys->count];
		enum cv_err err = CV_ERR_WRONG_KEY;
		bool known = false;
		unsigned index;

		if (s->peek[i] == CV_OK)
			err = super_slot_open(&s->clear[i], secret, key, &index);
		if (err && err != CV_ERR_WRONG_KEY)
			return err;
		for (unsigned k = 0; k < keys->count && !err; k++)
			known |= crypto_equal(keys->key[k], key, AEAD_KEY_BYTES);
		if (!err && !known)
			keys->count++;
	}
	if (keys->count == 0)
		return why_set(why, CV_ERR_WRONG_KEY, "no key slot opens with this key");
	return CV_OK;
}

/* Opens the superblock in slot i under one of the keys, which *volume_key then is. */
static enum cv_err open_one(const struct slots *s, unsigned i, const struct volume_keys *keys,
	struct super *super, uint8_t *volume_key)
{
	enum cv_err err = CV_ERR_SEAL;

	for (unsigned k = 0; k < keys->count && err == CV_ERR_SEAL; k++) {
		err = super_open(super, s->block[i], keys->key[k]);
		if (!err)
			memcpy(volume_key, keys->key[k], AEAD_KEY_BYTES);
	}
	return err;
}

/* Opens each slot; the newest is left in *super. A slot in a wrong place does not count. */
static enum cv_err open_each(struct slots *s, const struct volume_keys *keys, struct super *super,
	uint8_t *volume_key)
{
	enum cv_err err = CV_ERR_INTERNAL;
	bool any = false;

	for (unsigned i = 0; i < SUPER_SLOTS; i++) {
		if (s->peek[i] != CV_OK || s->clear[i].generation % 2 != i % 2)
			continue;
		err = open_one(s, i, keys, super, volume_key);
		if (err && err != CV_ERR_SEAL && err != CV_ERR_TAMPERED)
			return err;
		s->opened[i] = err == CV_OK;
		if (s->opened[i] &&
			(!any || s->clear[i].generation > s->clear[s->newest].generation)) {
			s->newest = i;
			any = true;
		}
	}
	if (!any)
		return CV_ERR_TAMPERED;
	return open_one(s, s->newest, keys, super, volume_key);
}

static enum cv_err open_with_secret(struct slots *s, const uint8_t *secret, struct super *super,
	uint8_t *volume_key, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume_keys *keys = secret_alloc(sizeof(*keys));

	if (!keys)
		return CV_ERR_MEMORY;
	keys->count = 0;
	err = find_volume_keys(s, secret, keys, why);
	if (!err)
		err = open_each(s, keys, super, volume_key);
	if (err == CV_ERR_TAMPERED)
		(void)why_set(why, err, "no superblock opens, though the key is right");
	secret_free(keys);
	return err;
}

/* The slot is unreadable or of this generation. */
static bool slot_fits(const struct slots *s, unsigned i, uint64_t generation)
{
	return !s->opened[i] || s->clear[i].generation == generation;
}

/* The generations are such as a crash between or during the writes of two checkpoints leaves. */
static bool pattern_valid(const struct slots *s)
{
	uint64_t g = s->clear[s->newest].generation;
	unsigned first = (unsigned)(g % 2);
	unsigned other = 1 - first;

	if (!slot_fits(s, first, g))
		return false;
	if (!slot_fits(s, first + 2, g) && (g < 2 || !slot_fits(s, first + 2, g - 2)))
		return false;
	return slot_fits(s, other, g - 1) && slot_fits(s, other + 2, g - 1);
}

static enum cv_err judge(struct slots *s, const struct super *super, bool accept_older,
	struct volume_why *why, struct volume_why *notice)
{
	unsigned other = 1 - s->newest % 2;
	bool pair_lost = !s->opened[other] && !s->opened[other + 2];
	uint64_t g = super->clear.generation;
	unsigned readable = 0;

	for (unsigned i = 0; i < SUPER_SLOTS; i++)
		readable += s->opened[i];
	if (!pattern_valid(s)) {
		if (!accept_older)
			return why_set(why, CV_ERR_TAMPERED,
				"the superblocks disagree in a way that no power cut leaves");
		(void)why_set(
			notice, CV_OK, "superblocks disagree; generation %" PRIu64 " accepted", g);
	} else if (pair_lost && super->state == SUPER_CLEAN && !accept_older) {
		return why_set(why, CV_ERR_TAMPERED,
			"after a clean unmount two superblocks are unreadable: they may be the "
			"newest");
	} else if (readable < SUPER_SLOTS) {
		(void)why_set(notice, CV_OK, "%u of 4 superblocks readable; generation %" PRIu64,
			readable, g);
	}
	return CV_OK;
}

enum cv_err slots_open(struct slots *s, const uint8_t secret[CV_SECRET_BYTES], bool accept_older,
	struct super *super, uint8_t volume_key[AEAD_KEY_BYTES], unsigned *key_slot,
	struct volume_why *why, struct volume_why *notice)
{
	enum cv_err err = CV_ERR_INTERNAL;
	unsigned pair;

	err = open_with_secret(s, secret, super, volume_key, why);
	if (err)
		return err;
	/* an older superblock may still carry a slot that the newest has dropped */
	err = super_slot_open(&super->clear, secret, volume_key, key_slot);
	if (err)
		return why_set(why, err, "the key slot of this key has been dropped");
	err = judge(s, super, accept_older, why, notice);
	if (err)
		return err;
	pair = s->newest % 2;
	s->repair = !s->opened[pair] || !s->opened[pair + 2] ||
		    memcmp(s->block[pair], s->block[pair + 2], BLOCK_BYTES) != 0;
	return CV_OK;
}
