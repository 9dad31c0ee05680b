#include "fs/keyring.h"

#include "protocol/crypto.h"

enum cv_err keyring_init(struct keyring *k, struct super *super)
{
	enum cv_err err = CV_ERR_INTERNAL;

	memset(k, 0, sizeof(*k));
	k->super = super;
	k->next_generation = super->clear.generation + 1;
	err = aead_aad_init(&k->node_aad, AEAD_LABEL_NODE, super->clear.volume_id);
	return err ? err : keyring_user_init(&k->own, k);
}

void keyring_wipe(struct keyring *k)
{
	keyring_user_wipe(&k->own);
	crypto_wipe(k, sizeof(*k));
}

enum cv_err keyring_user_init(struct keyring_user *u, const struct keyring *k)
{
	memset(u, 0, sizeof(*u));
	aead_random_init(&u->random);
	return aead_aad_init(&u->data_aad, AEAD_LABEL_DATA, k->super->clear.volume_id);
}

void keyring_user_wipe(struct keyring_user *u)
{
	for (int i = 0; i < KEYRING_SLOTS; i++)
		aead_wipe(&u->aead[i]);
	crypto_wipe(u, sizeof(*u));
}

enum cv_err keyring_user_ready(struct keyring_user *u, struct keyring *k, unsigned id)
{
	enum cv_err err = CV_ERR_INTERNAL;
	const struct data_key *d;

	if (id >= KEYRING_SLOTS || k->super->keyring[id].state == KEY_EMPTY)
		return CV_ERR_TAMPERED;
	d = &k->super->keyring[id];
	if (u->ready[id] && u->born[id] == d->born)
		return CV_OK;
	aead_wipe(&u->aead[id]);
	u->ready[id] = false;
	err = aead_init(&u->aead[id], d->key);
	if (err)
		return err;
	u->ready[id] = true;
	u->born[id] = d->born;
	return CV_OK;
}

/* Places kept for a rekey: it seals every block anew, under as many keys as that takes. */
static unsigned kept(const struct super *s)
{
	return 1 + (unsigned)(s->clear.blocks / KEYRING_SEALS_MAX);
}

static unsigned places_left(const struct super *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KEYRING_SLOTS; i++)
		n += s->keyring[i].state == KEY_EMPTY;
	return n;
}

static bool may_replace(const struct super *s, bool rekey)
{
	unsigned left = places_left(s);

	return left > (rekey || s->rekey_born ? 0 : kept(s));
}

enum cv_err keyring_replace(struct keyring *k, bool rekey)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct super *s = k->super;
	unsigned i = 0;

	if (!may_replace(s, rekey))
		return CV_ERR_READ_ONLY;
	while (s->keyring[i].state != KEY_EMPTY)
		i++;
	err = crypto_random(s->keyring[i].key, AEAD_KEY_BYTES);
	if (err)
		return err;
	s->keyring[i].state = KEY_ACTIVE;
	s->keyring[i].seals = 0;
	s->keyring[i].born = k->next_generation;
	s->keyring[s->active_key].state = KEY_RETIRED;
	s->active_key = i;
	return CV_OK;
}

void keyring_forget(struct keyring *k, unsigned id)
{
	aead_wipe(&k->own.aead[id]);
	k->own.ready[id] = false;
	crypto_wipe(&k->super->keyring[id], sizeof(k->super->keyring[id]));
}

bool keyring_full(const struct keyring *k)
{
	const struct super *s = k->super;

	return s->keyring[s->active_key].seals + KEYRING_SEALS_LOST >= KEYRING_SEALS_MAX &&
	       !may_replace(s, false);
}

enum cv_err keyring_refresh(struct keyring *k)
{
	const struct super *s = k->super;
	enum cv_err err = CV_OK;

	if (s->keyring[s->active_key].seals >= KEYRING_SEALS_MAX)
		err = keyring_replace(k, false);
	/* none left: the old one may go on to the end of its margin */
	return err == CV_ERR_READ_ONLY ? CV_OK : err;
}

enum cv_err keyring_reserve(struct keyring *k, uint64_t seals, uint16_t *id)
{
	struct super *s = k->super;

	if (s->keyring[s->active_key].seals + seals > KEYRING_SEALS_MAX + KEYRING_SEALS_LOST)
		return CV_ERR_READ_ONLY;
	s->keyring[s->active_key].seals += seals;
	*id = (uint16_t)s->active_key;
	return CV_OK;
}

/* The key to seal with, counted and ready. */
static enum cv_err key_for_seal(struct keyring *k, uint16_t *id)
{
	enum cv_err err = keyring_reserve(k, 1, id);

	return err ? err : keyring_user_ready(&k->own, k, *id);
}

enum cv_err keyring_user_seal(struct keyring_user *u, struct map_entry *entry,
	const uint8_t plain[BLOCK_BYTES], uint8_t cipher[BLOCK_BYTES])
{
	enum cv_err err = aead_nonce(&u->random, entry->nonce);

	if (err)
		return err;
	aead_aad_block(&u->data_aad, entry->block);
	return aead_seal(&u->aead[entry->key], entry->nonce, u->data_aad.bytes, u->data_aad.len,
		plain, BLOCK_BYTES, cipher, entry->tag);
}

enum cv_err keyring_user_open(struct keyring_user *u, const struct map_entry *entry,
	const uint8_t cipher[BLOCK_BYTES], uint8_t plain[BLOCK_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;

	aead_aad_block(&u->data_aad, entry->block);
	err = aead_open(&u->aead[entry->key], entry->nonce, u->data_aad.bytes, u->data_aad.len,
		cipher, BLOCK_BYTES, entry->tag, plain);
	return err == CV_ERR_SEAL ? CV_ERR_TAMPERED : err;
}

enum cv_err keyring_seal_data(struct keyring *k, struct map_entry *entry,
	const uint8_t plain[BLOCK_BYTES], uint8_t cipher[BLOCK_BYTES])
{
	enum cv_err err = key_for_seal(k, &entry->key);

	return err ? err : keyring_user_seal(&k->own, entry, plain, cipher);
}

enum cv_err keyring_open_data(struct keyring *k, const struct map_entry *entry,
	const uint8_t cipher[BLOCK_BYTES], uint8_t plain[BLOCK_BYTES])
{
	enum cv_err err = keyring_user_ready(&k->own, k, entry->key);

	return err ? err : keyring_user_open(&k->own, entry, cipher, plain);
}

enum cv_err keyring_seal_node(struct keyring *k, struct node_pointer *p,
	const uint8_t page[NODE_PAGE_BYTES], uint8_t out[NODE_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = key_for_seal(k, &p->key);
	if (!err)
		err = aead_nonce(&k->own.random, p->nonce);
	if (err)
		return err;
	aead_aad_block(&k->node_aad, p->block);
	err = aead_seal(&k->own.aead[p->key], p->nonce, k->node_aad.bytes, k->node_aad.len, page,
		NODE_PAGE_BYTES, out + AEAD_NONCE_BYTES + AEAD_TAG_BYTES, p->tag);
	if (err)
		return err;
	memcpy(out, p->nonce, AEAD_NONCE_BYTES);
	memcpy(out + AEAD_NONCE_BYTES, p->tag, AEAD_TAG_BYTES);
	return CV_OK;
}

enum cv_err keyring_open_node(struct keyring *k, const struct node_pointer *p,
	const uint8_t in[NODE_BYTES], uint8_t page[NODE_PAGE_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = keyring_user_ready(&k->own, k, p->key);
	if (err)
		return err;
	/* the copies on disk serve a search without a root; here they only must not differ */
	if (memcmp(in, p->nonce, AEAD_NONCE_BYTES) != 0 ||
		!crypto_equal(in + AEAD_NONCE_BYTES, p->tag, AEAD_TAG_BYTES))
		return CV_ERR_TAMPERED;
	aead_aad_block(&k->node_aad, p->block);
	err = aead_open(&k->own.aead[p->key], p->nonce, k->node_aad.bytes, k->node_aad.len,
		in + AEAD_NONCE_BYTES + AEAD_TAG_BYTES, NODE_PAGE_BYTES, p->tag, page);
	return err == CV_ERR_SEAL ? CV_ERR_TAMPERED : err;
}
