#include "protocol/hpke.h"

#include <string.h>

#include "protocol/crypto.h"

/* RFC 9180 section 4.1 and 5.1: what names the KEM alone, and the whole suite. */
static const uint8_t kem_suite[] = {'K', 'E', 'M', 0x00, 0x20};
static const uint8_t hpke_suite[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x02};
static const char version[] = "HPKE-v1";

struct suite {
	const uint8_t *id;
	size_t len;
};

static const struct suite suite_kem = {kem_suite, sizeof(kem_suite)};
static const struct suite suite_hpke = {hpke_suite, sizeof(hpke_suite)};

/* LabeledExtract; an empty salt (NULL) is 32 zero bytes. */
static enum cv_err labeled_extract(uint8_t prk[CV_HASH_BYTES], const struct suite *suite,
	const uint8_t *salt, const char *label, const uint8_t *ikm, size_t ikm_len)
{
	static const uint8_t no_salt[CV_HASH_BYTES];
	struct crypto_part parts[] = {{version, sizeof(version) - 1}, {suite->id, suite->len},
		{label, strlen(label)}, {ikm, ikm_len}};

	return crypto_hmac_sha256(prk, salt != NULL ? salt : no_salt, CV_HASH_BYTES, parts, 4);
}

/* LabeledExpand for one block of output: L <= 32. */
static enum cv_err labeled_expand(uint8_t *out, size_t len, const struct suite *suite,
	const uint8_t prk[CV_HASH_BYTES], const char *label, const uint8_t *info, size_t info_len)
{
	static const uint8_t first_block = 1;
	uint8_t block[CV_HASH_BYTES];
	uint8_t wanted[2] = {0, (uint8_t)len};
	struct crypto_part parts[] = {{wanted, sizeof(wanted)}, {version, sizeof(version) - 1},
		{suite->id, suite->len}, {label, strlen(label)}, {info, info_len},
		{&first_block, 1}};
	enum cv_err err = crypto_hmac_sha256(block, prk, CV_HASH_BYTES, parts, 6);

	if (err == CV_OK)
		memcpy(out, block, len);
	crypto_wipe(block, sizeof(block));
	return err;
}

/* ExtractAndExpand of section 4.1. */
static enum cv_err shared_secret(uint8_t secret[CV_HASH_BYTES], const uint8_t dh[CV_X25519_BYTES],
	const uint8_t enc[HPKE_ENC_BYTES], const uint8_t recipient_public[CV_X25519_BYTES])
{
	uint8_t context[HPKE_ENC_BYTES + CV_X25519_BYTES];
	uint8_t prk[CV_HASH_BYTES];
	enum cv_err err;

	memcpy(context, enc, HPKE_ENC_BYTES);
	memcpy(context + HPKE_ENC_BYTES, recipient_public, CV_X25519_BYTES);
	err = labeled_extract(prk, &suite_kem, NULL, "eae_prk", dh, CV_X25519_BYTES);
	if (err == CV_OK)
		err = labeled_expand(secret, CV_HASH_BYTES, &suite_kem, prk, "shared_secret",
			context, sizeof(context));
	crypto_wipe(prk, sizeof(prk));
	return err;
}

struct schedule {
	uint8_t key[CRYPTO_AES_KEY_BYTES];
	uint8_t nonce[CRYPTO_AES_NONCE_BYTES];
};

/* KeySchedule of section 5.1, mode_base. */
static enum cv_err schedule_keys(struct schedule *keys, const uint8_t shared[CV_HASH_BYTES],
	const struct hpke_context_info *ci)
{
	uint8_t context[1 + 2 * CV_HASH_BYTES];
	uint8_t secret[CV_HASH_BYTES];
	enum cv_err err;

	context[0] = 0;
	err = labeled_extract(context + 1, &suite_hpke, NULL, "psk_id_hash", NULL, 0);
	if (err == CV_OK)
		err = labeled_extract(context + 1 + CV_HASH_BYTES, &suite_hpke, NULL, "info_hash",
			ci->info, ci->info_len);
	if (err == CV_OK)
		err = labeled_extract(secret, &suite_hpke, shared, "secret", NULL, 0);
	if (err == CV_OK)
		err = labeled_expand(keys->key, sizeof(keys->key), &suite_hpke, secret, "key",
			context, sizeof(context));
	if (err == CV_OK)
		err = labeled_expand(keys->nonce, sizeof(keys->nonce), &suite_hpke, secret,
			"base_nonce", context, sizeof(context));
	crypto_wipe(secret, sizeof(secret));
	return err;
}

static enum cv_err derive(struct schedule *keys, const uint8_t dh[CV_X25519_BYTES],
	const uint8_t enc[HPKE_ENC_BYTES], const uint8_t recipient_public[CV_X25519_BYTES],
	const struct hpke_context_info *ci)
{
	uint8_t shared[CV_HASH_BYTES];
	enum cv_err err = shared_secret(shared, dh, enc, recipient_public);

	if (err == CV_OK)
		err = schedule_keys(keys, shared, ci);
	crypto_wipe(shared, sizeof(shared));
	return err;
}

enum cv_err hpke_seal_with(uint8_t *sealed, const uint8_t ephemeral_private[CV_X25519_BYTES],
	const uint8_t recipient_public[CV_X25519_BYTES], const struct hpke_context_info *ci,
	const uint8_t *plaintext, size_t len)
{
	uint8_t *ciphertext = sealed + HPKE_ENC_BYTES;
	uint8_t dh[CV_X25519_BYTES];
	struct schedule keys;
	enum cv_err err;

	err = crypto_x25519_public(sealed, ephemeral_private);
	if (err == CV_OK)
		err = crypto_x25519(dh, ephemeral_private, recipient_public);
	if (err == CV_OK)
		err = derive(&keys, dh, sealed, recipient_public, ci);
	if (err == CV_OK)
		err = crypto_aes256gcm_seal(ciphertext, ciphertext + len, keys.key, keys.nonce,
			ci->aad, ci->aad_len, plaintext, len);
	if (err != CV_OK)
		crypto_wipe(sealed, len + HPKE_OVERHEAD);
	crypto_wipe(dh, sizeof(dh));
	crypto_wipe(&keys, sizeof(keys));
	return err;
}

enum cv_err hpke_seal(uint8_t *sealed, const uint8_t recipient_public[CV_X25519_BYTES],
	const struct hpke_context_info *ci, const uint8_t *plaintext, size_t len)
{
	uint8_t ephemeral_private[CV_X25519_BYTES];
	uint8_t ephemeral_public[CV_X25519_BYTES];
	enum cv_err err = crypto_x25519_keypair(ephemeral_private, ephemeral_public);

	if (err == CV_OK)
		err = hpke_seal_with(
			sealed, ephemeral_private, recipient_public, ci, plaintext, len);
	crypto_wipe(ephemeral_private, sizeof(ephemeral_private));
	return err;
}

enum cv_err hpke_open_with(uint8_t *plaintext, const uint8_t recipient_private[CV_X25519_BYTES],
	const uint8_t recipient_public[CV_X25519_BYTES], const struct hpke_context_info *ci,
	const uint8_t *sealed, size_t sealed_len)
{
	const uint8_t *ciphertext = sealed + HPKE_ENC_BYTES;
	uint8_t dh[CV_X25519_BYTES];
	struct schedule keys;
	size_t len;
	enum cv_err err;

	if (sealed_len < HPKE_OVERHEAD)
		return CV_ERR_SEAL;
	len = sealed_len - HPKE_OVERHEAD;
	err = crypto_x25519(dh, recipient_private, sealed);
	/* the sender chose enc: a low-order point is its fault, not the library's */
	if (err == CV_ERR_CRYPTO)
		err = CV_ERR_SEAL;
	if (err == CV_OK)
		err = derive(&keys, dh, sealed, recipient_public, ci);
	if (err == CV_OK)
		err = crypto_aes256gcm_open(plaintext, keys.key, keys.nonce, ci->aad, ci->aad_len,
			ciphertext, len, ciphertext + len);
	if (err != CV_OK && len > 0)
		crypto_wipe(plaintext, len);
	crypto_wipe(dh, sizeof(dh));
	crypto_wipe(&keys, sizeof(keys));
	return err;
}

enum cv_err hpke_open(uint8_t *plaintext, const uint8_t recipient_private[CV_X25519_BYTES],
	const struct hpke_context_info *ci, const uint8_t *sealed, size_t sealed_len)
{
	uint8_t recipient_public[CV_X25519_BYTES];
	enum cv_err err = crypto_x25519_public(recipient_public, recipient_private);

	if (err == CV_OK)
		return hpke_open_with(
			plaintext, recipient_private, recipient_public, ci, sealed, sealed_len);
	if (sealed_len > HPKE_OVERHEAD)
		crypto_wipe(plaintext, sealed_len - HPKE_OVERHEAD);
	return err;
}
