#include "fs/super.h"

#include "fs/aead.h"
#include "fs/volume.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/lp.h"

static const uint8_t MAGIC[8] = { 'C', 'o', 'n', 'c', 'l', 'a', 'v', 'e' };
/* the key is used for one seal only (fresh salt), so the nonce may be fixed */
static const uint8_t SUPER_NONCE[AEAD_NONCE_BYTES];

#define KEY_SLOT_BYTES 112
#define CLEAR_SLOTS_AT 96
#define CLEAR_END (CLEAR_SLOTS_AT + KEY_SLOTS * KEY_SLOT_BYTES)
#define SEALED_LOG_AT 48
#define SEALED_NAME_KEY_AT 112
#define SEALED_COUNTERS_AT 128
#define SEALED_STATE_AT 184
#define SEALED_RESERVED_AT 192
#define SEALED_REKEY_AT 240
#define SEALED_FLAGS_AT 248
#define SEALED_KEYRING_AT 256
#define DATA_KEY_BYTES 64
#define SEALED_END (SEALED_KEYRING_AT + KEYRING_SLOTS * DATA_KEY_BYTES)

static void key_slot_encode(uint8_t *p, const struct key_slot *s)
{
	memset(p, 0, KEY_SLOT_BYTES);
	put_le32(p, s->kind);
	put_le32(p + 4, s->epoch);
	memcpy(p + 8, s->share_set_hash, CV_HASH_BYTES);
	memcpy(p + 40, s->nonce, AEAD_NONCE_BYTES);
	memcpy(p + 52, s->wrapped, AEAD_KEY_BYTES);
	memcpy(p + 84, s->tag, AEAD_TAG_BYTES);
}

static void key_slot_decode(struct key_slot *s, const uint8_t *p)
{
	s->kind = le32(p);
	s->epoch = le32(p + 4);
	memcpy(s->share_set_hash, p + 8, CV_HASH_BYTES);
	memcpy(s->nonce, p + 40, AEAD_NONCE_BYTES);
	memcpy(s->wrapped, p + 52, AEAD_KEY_BYTES);
	memcpy(s->tag, p + 84, AEAD_TAG_BYTES);
}

static void clear_encode(uint8_t *p, const struct super_clear *c)
{
	memset(p, 0, SUPER_CLEAR_BYTES);
	memcpy(p, MAGIC, sizeof(MAGIC));
	put_le32(p + 8, c->version);
	put_le32(p + 12, c->suite);
	put_le64(p + 16, c->features);
	put_le64(p + 24, c->features_read_only);
	memcpy(p + 32, c->volume_id, CV_VOLUME_ID_BYTES);
	put_le64(p + 48, c->generation);
	put_le64(p + 56, c->blocks);
	memcpy(p + 64, c->salt, SUPER_SALT_BYTES);
	for (int i = 0; i < KEY_SLOTS; i++)
		key_slot_encode(p + CLEAR_SLOTS_AT + i * KEY_SLOT_BYTES, &c->slots[i]);
}

enum cv_err super_peek(struct super_clear *c, const uint8_t block[BLOCK_BYTES])
{
	if (memcmp(block, MAGIC, sizeof(MAGIC)) != 0)
		return CV_ERR_NOT_VOLUME;
	c->version = le32(block + 8);
	c->suite = le32(block + 12);
	c->features = le64(block + 16);
	c->features_read_only = le64(block + 24);
	memcpy(c->volume_id, block + 32, CV_VOLUME_ID_BYTES);
	c->generation = le64(block + 48);
	c->blocks = le64(block + 56);
	memcpy(c->salt, block + 64, SUPER_SALT_BYTES);
	if (c->version != FORMAT_VERSION || c->suite != FORMAT_SUITE ||
		c->features & ~FEATURE_LOG)
		return CV_ERR_VERSION;
	for (int i = 0; i < KEY_SLOTS; i++)
		key_slot_decode(&c->slots[i], block + CLEAR_SLOTS_AT + i * KEY_SLOT_BYTES);
	return CV_OK;
}

static void sealed_encode(uint8_t *p, const struct super *s)
{
	const uint64_t counters[] = { s->next_object, s->objects, s->orphans, s->used_blocks,
		s->used_groups, s->node_cursor, s->data_cursor };

	memset(p, 0, SUPER_SEALED_BYTES);
	pointer_encode(p, &s->root);
	log_encode(p + SEALED_LOG_AT, &s->log);
	memcpy(p + SEALED_NAME_KEY_AT, s->name_key, SUPER_NAME_KEY_BYTES);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		put_le64(p + SEALED_COUNTERS_AT + 8 * i, counters[i]);
	put_le32(p + SEALED_STATE_AT, s->state);
	put_le32(p + SEALED_STATE_AT + 4, s->active_key);
	put_le64(p + SEALED_REKEY_AT, s->rekey_born);
	put_le64(p + SEALED_FLAGS_AT, s->flags);
	for (int i = 0; i < KEYRING_SLOTS; i++) {
		uint8_t *k = p + SEALED_KEYRING_AT + i * DATA_KEY_BYTES;

		put_le32(k, s->keyring[i].state);
		put_le64(k + 8, s->keyring[i].seals);
		put_le64(k + 16, s->keyring[i].born);
		memcpy(k + 32, s->keyring[i].key, AEAD_KEY_BYTES);
	}
}

static bool sealed_reserved_zero(const uint8_t *p)
{
	for (int i = 0; i < KEYRING_SLOTS; i++) {
		const uint8_t *k = p + SEALED_KEYRING_AT + i * DATA_KEY_BYTES;

		if (!all_zero(k + 4, 4) || !all_zero(k + 24, 8))
			return false;
	}
	return all_zero(p + SEALED_RESERVED_AT, SEALED_REKEY_AT - SEALED_RESERVED_AT) &&
	       all_zero(p + SEALED_END, SUPER_SEALED_BYTES - SEALED_END);
}

static bool sealed_valid(const struct super *s)
{
	uint64_t blocks = s->clear.blocks;

	if (blocks < VOLUME_SIZE_MIN / BLOCK_BYTES || blocks > VOLUME_SIZE_MAX / BLOCK_BYTES)
		return false;
	if (!log_valid(&s->log, blocks) || s->next_object < OBJECT_FIRST_FREE ||
		s->used_blocks > blocks || s->used_groups > blocks / NODE_BLOCKS + 1 ||
		s->state > SUPER_CLEAN || s->active_key >= KEYRING_SLOTS)
		return false;
	if (s->flags & ~(uint64_t)SUPER_FULL || s->rekey_born > s->clear.generation)
		return false;
	if (s->root.generation == 0 || s->root.generation > s->clear.generation)
		return false;
	for (int i = 0; i < KEYRING_SLOTS; i++)
		if (s->keyring[i].state > KEY_RETIRED)
			return false;
	return s->keyring[s->active_key].state == KEY_ACTIVE;
}

enum cv_err super_decode(struct super *s, const uint8_t plain[SUPER_SEALED_BYTES])
{
	uint64_t *const counters[] = { &s->next_object, &s->objects, &s->orphans, &s->used_blocks,
		&s->used_groups, &s->node_cursor, &s->data_cursor };

	if (!pointer_valid(plain, s->clear.blocks) || !sealed_reserved_zero(plain))
		return CV_ERR_TAMPERED;
	pointer_decode(&s->root, plain);
	log_decode(&s->log, plain + SEALED_LOG_AT);
	memcpy(s->name_key, plain + SEALED_NAME_KEY_AT, SUPER_NAME_KEY_BYTES);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		*counters[i] = le64(plain + SEALED_COUNTERS_AT + 8 * i);
	s->state = le32(plain + SEALED_STATE_AT);
	s->active_key = le32(plain + SEALED_STATE_AT + 4);
	s->rekey_born = le64(plain + SEALED_REKEY_AT);
	s->flags = le64(plain + SEALED_FLAGS_AT);
	for (int i = 0; i < KEYRING_SLOTS; i++) {
		const uint8_t *k = plain + SEALED_KEYRING_AT + i * DATA_KEY_BYTES;

		s->keyring[i].state = le32(k);
		s->keyring[i].seals = le64(k + 8);
		s->keyring[i].born = le64(k + 16);
		memcpy(s->keyring[i].key, k + 32, AEAD_KEY_BYTES);
	}
	return sealed_valid(s) ? CV_OK : CV_ERR_TAMPERED;
}

/* One seal or open under the key of this superblock; key and plaintext in locked memory. */
struct super_work {
	uint8_t key[AEAD_KEY_BYTES];
	uint8_t plain[SUPER_SEALED_BYTES];
};

enum cv_err super_seal(
	uint8_t block[BLOCK_BYTES], struct super *s, const uint8_t volume_key[AEAD_KEY_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct super_work *w = secret_alloc(sizeof(*w));
	struct aead aead = { 0 };

	if (!w)
		return CV_ERR_MEMORY;
	err = crypto_random(s->clear.salt, SUPER_SALT_BYTES);
	if (err)
		goto out;
	clear_encode(block, &s->clear);
	sealed_encode(w->plain, s);
	err = aead_super_key(w->key, volume_key, s->clear.salt, s->clear.volume_id);
	if (!err)
		err = aead_init(&aead, w->key);
	if (!err)
		err = aead_seal(&aead, SUPER_NONCE, block, SUPER_CLEAR_BYTES, w->plain,
			SUPER_SEALED_BYTES, block + SUPER_CLEAR_BYTES + AEAD_TAG_BYTES,
			block + SUPER_CLEAR_BYTES);
out:
	aead_wipe(&aead);
	secret_free(w);
	return err;
}

enum cv_err super_open(
	struct super *s, const uint8_t block[BLOCK_BYTES], const uint8_t volume_key[AEAD_KEY_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct super_work *w = secret_alloc(sizeof(*w));
	struct aead aead = { 0 };

	if (!w)
		return CV_ERR_MEMORY;
	err = super_peek(&s->clear, block);
	if (!err)
		err = aead_super_key(w->key, volume_key, s->clear.salt, s->clear.volume_id);
	if (!err)
		err = aead_init(&aead, w->key);
	if (!err)
		err = aead_open(&aead, SUPER_NONCE, block, SUPER_CLEAR_BYTES,
			block + SUPER_CLEAR_BYTES + AEAD_TAG_BYTES, SUPER_SEALED_BYTES,
			block + SUPER_CLEAR_BYTES, w->plain);
	if (!err && !all_zero(block + CLEAR_END, SUPER_CLEAR_BYTES - CLEAR_END))
		err = CV_ERR_TAMPERED;
	if (!err)
		err = super_decode(s, w->plain);
	aead_wipe(&aead);
	secret_free(w);
	return err;
}

static enum cv_err slot_aad(uint8_t *out, size_t cap, size_t *len, const struct key_slot *slot,
	const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	struct lp lp;

	lp_begin(&lp, out, cap, "conclave-vol-slot-v1");
	lp_bytes(&lp, volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, slot->kind);
	lp_u64(&lp, slot->epoch);
	lp_bytes(&lp, slot->share_set_hash, CV_HASH_BYTES);
	return lp_end(&lp, len);
}

enum cv_err super_slot_seal(struct key_slot *slot, const uint8_t volume_id[CV_VOLUME_ID_BYTES],
	const uint8_t secret[CV_SECRET_BYTES], const uint8_t volume_key[AEAD_KEY_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t kek[AEAD_KEY_BYTES];
	uint8_t aad[AEAD_AAD_MAX];
	size_t aad_len;

	err = slot_aad(aad, sizeof(aad), &aad_len, slot, volume_id);
	if (!err)
		err = crypto_random(slot->nonce, sizeof(slot->nonce));
	if (!err)
		err = aead_slot_key(kek, secret, volume_id, slot->kind, slot->epoch);
	if (!err)
		err = crypto_aes256gcm_seal(slot->wrapped, slot->tag, kek, slot->nonce, aad,
			aad_len, volume_key, AEAD_KEY_BYTES);
	crypto_wipe(kek, sizeof(kek));
	return err;
}

enum cv_err super_slot_open(const struct super_clear *clear, const uint8_t secret[CV_SECRET_BYTES],
	uint8_t volume_key[AEAD_KEY_BYTES], unsigned *index)
{
	enum cv_err err = CV_ERR_WRONG_KEY;
	uint8_t kek[AEAD_KEY_BYTES];
	uint8_t aad[AEAD_AAD_MAX];
	size_t aad_len;

	for (unsigned i = 0; i < KEY_SLOTS && err == CV_ERR_WRONG_KEY; i++) {
		const struct key_slot *slot = &clear->slots[i];

		if (slot->kind == VOLUME_SLOT_EMPTY)
			continue;
		err = slot_aad(aad, sizeof(aad), &aad_len, slot, clear->volume_id);
		if (!err)
			err = aead_slot_key(kek, secret, clear->volume_id, slot->kind, slot->epoch);
		if (!err)
			err = crypto_aes256gcm_open(volume_key, kek, slot->nonce, aad, aad_len,
				slot->wrapped, AEAD_KEY_BYTES, slot->tag);
		if (err == CV_ERR_SEAL)
			err = CV_ERR_WRONG_KEY;
		if (!err)
			*index = i;
	}
	crypto_wipe(kek, sizeof(kek));
	if (err)
		crypto_wipe(volume_key, AEAD_KEY_BYTES);
	return err;
}
