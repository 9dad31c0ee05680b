#include <stdlib.h>

#include "fs/salvage_state.h"
#include "fs/why.h"
#include "host/secret.h"
#include "protocol/crypto.h"

/* Volume keys that the secret opens. */
struct found_keys {
	uint8_t key[SALVAGE_SUPERS][AEAD_KEY_BYTES];
	unsigned count;
};

static void gather_volume_keys(struct salvage *s, struct store *store, struct found_keys *f,
	unsigned *known)
{
	for (unsigned i = 0; i < SUPER_SLOTS; i++) {
		struct super_clear clear;
		unsigned index;

		if (store_read(store, super_slot_block(i) * BLOCK_BYTES, s->cipher, BLOCK_BYTES) ||
			super_peek(&clear, s->cipher))
			continue;
		(*known)++;
		if (super_slot_open(&clear, s->options->secret, f->key[f->count], &index) == CV_OK)
			f->count++;
	}
}

static void open_supers(struct salvage *s, struct store *store, const struct found_keys *f)
{
	struct salvage_keys *k = s->keys;

	for (unsigned i = 0; i < SUPER_SLOTS; i++) {
		struct super *super = &k->super[k->count];
		enum cv_err err = CV_ERR_SEAL;

		if (store_read(store, super_slot_block(i) * BLOCK_BYTES, s->cipher, BLOCK_BYTES))
			continue;
		for (unsigned n = 0; n < f->count && err; n++)
			err = super_open(super, s->cipher, f->key[n]);
		k->count += err == CV_OK;
	}
}

static bool same_keyring(const struct super *a, const struct super *b)
{
	for (unsigned i = 0; i < KEYRING_SLOTS; i++)
		if ((a->keyring[i].state == KEY_EMPTY) != (b->keyring[i].state == KEY_EMPTY) ||
			!crypto_equal(a->keyring[i].key, b->keyring[i].key, AEAD_KEY_BYTES))
			return false;
	return true;
}

/* Newest first: the container and the backup may come from any two times. */
static void sort_supers(struct salvage_keys *k, struct super *swap)
{
	for (unsigned i = 1; i < k->count; i++)
		for (unsigned j = i; j > 0 && k->super[j].clear.generation >
						      k->super[j - 1].clear.generation;
			j--) {
			*swap = k->super[j];
			k->super[j] = k->super[j - 1];
			k->super[j - 1] = *swap;
		}
}

static enum cv_err make_rings(struct salvage *s)
{
	struct salvage_keys *k = s->keys;

	for (unsigned i = 0; i < k->count; i++) {
		enum cv_err err = keyring_init(&k->ring[i], &k->super[i]);

		if (err)
			return err;
		k->distinct[i] = true;
		for (unsigned j = 0; j < i; j++)
			if (same_keyring(&k->super[j], &k->super[i]))
				k->distinct[i] = false;
		if (k->super[i].clear.blocks > s->blocks)
			s->blocks = k->super[i].clear.blocks;
	}
	return CV_OK;
}

enum cv_err salvage_keys_gather(struct salvage *s)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct found_keys *f = secret_alloc(sizeof(*f));
	struct super *swap = secret_alloc(sizeof(*swap));
	unsigned known = 0;

	s->keys = secret_alloc(sizeof(*s->keys));
	if (!f || !swap || !s->keys) {
		err = CV_ERR_MEMORY;
		goto out;
	}
	memset(s->keys, 0, sizeof(*s->keys));
	f->count = 0;
	gather_volume_keys(s, &s->file.store, f, &known);
	if (s->options->header)
		gather_volume_keys(s, &s->header.store, f, &known);
	open_supers(s, &s->file.store, f);
	if (s->options->header)
		open_supers(s, &s->header.store, f);
	if (known == 0)
		err = why_set(s->why, CV_ERR_NOT_VOLUME,
			"no superblock is left: a header backup (--header) is needed");
	else if (f->count == 0)
		err = why_set(s->why, CV_ERR_WRONG_KEY, "no key slot opens with this key");
	else if (s->keys->count == 0)
		err = why_set(s->why, CV_ERR_TAMPERED,
			"no superblock opens, though the key is right: a header backup (--header) "
			"is needed");
	else {
		sort_supers(s->keys, swap);
		err = make_rings(s);
	}
out:
	secret_free(f);
	secret_free(swap);
	return err;
}

void salvage_keys_wipe(struct salvage_keys *k)
{
	if (!k)
		return;
	for (unsigned i = 0; i < k->count; i++)
		keyring_wipe(&k->ring[i]);
	secret_free(k);
}

enum cv_err salvage_open_block(struct salvage *s, const struct map_entry *e)
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = store_read(&s->file.store, e->block * BLOCK_BYTES, s->cipher, BLOCK_BYTES);
	if (err)
		return err;
	err = CV_ERR_TAMPERED;
	for (unsigned i = 0; i < s->keys->count && err; i++)
		if (s->keys->distinct[i])
			err = keyring_open_data(&s->keys->ring[i], e, s->cipher, s->plain);
	return err;
}
