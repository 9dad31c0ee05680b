#include "provisioning/keyfile.h"

#include <string.h>

#include <sodium.h>

#include "host/file.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/lp.h"

#define MAGIC_SEALED "CVKEYS01"
#define MAGIC_PLAIN "CVKEYP01"
#define MAGIC_BYTES 8
#define SALT_BYTES crypto_pwhash_SALTBYTES
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_BYTES (MAGIC_BYTES + SALT_BYTES + NONCE_BYTES)
#define SEALED_BYTES (HEAD_BYTES + sizeof(struct key_pair) + TAG_BYTES)
#define PLAIN_BYTES (MAGIC_BYTES + sizeof(struct key_pair))
#define AAD_MAX 128

_Static_assert(sizeof(struct key_pair) == 64, "the file's form is 64 bytes");

enum cv_err key_pair_generate(struct key_pair *keys)
{
	uint8_t public_key[CV_ES256_PUBLIC_BYTES];
	enum cv_err err = crypto_es256_keypair(keys->sign, public_key);

	return err == CV_OK ? crypto_es256_keypair(keys->tls, public_key) : err;
}

static enum cv_err head_aad(uint8_t aad[AAD_MAX], size_t *len, const uint8_t head[HEAD_BYTES])
{
	struct lp lp;

	lp_begin(&lp, aad, AAD_MAX, "conclave-key-file-v1");
	lp_bytes(&lp, head, MAGIC_BYTES);
	lp_bytes(&lp, head + MAGIC_BYTES, SALT_BYTES);
	lp_bytes(&lp, head + MAGIC_BYTES + SALT_BYTES, NONCE_BYTES);
	return lp_end(&lp, len);
}

/* *key is secret_alloc memory. */
static enum cv_err derive(uint8_t **key, const char *passphrase, const uint8_t salt[SALT_BYTES])
{
	uint8_t *out = secret_alloc(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

	if (out == NULL)
		return CV_ERR_MEMORY;
	if (crypto_pwhash(out, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, passphrase,
		    strlen(passphrase), salt, crypto_pwhash_OPSLIMIT_MODERATE,
		    crypto_pwhash_MEMLIMIT_MODERATE, crypto_pwhash_ALG_ARGON2ID13) != 0) {
		secret_free(out);
		return CV_ERR_MEMORY;
	}
	*key = out;
	return CV_OK;
}

static enum cv_err write_sealed(
	const char *path, const struct key_pair *keys, const char *passphrase)
{
	uint8_t file[SEALED_BYTES];
	uint8_t aad[AAD_MAX];
	uint8_t *key = NULL;
	size_t aad_len = 0;
	enum cv_err err;

	memcpy(file, MAGIC_SEALED, MAGIC_BYTES);
	err = crypto_random(file + MAGIC_BYTES, SALT_BYTES + NONCE_BYTES);
	if (err == CV_OK)
		err = head_aad(aad, &aad_len, file);
	if (err == CV_OK)
		err = derive(&key, passphrase, file + MAGIC_BYTES);
	if (err != CV_OK)
		return err;
	if (crypto_aead_xchacha20poly1305_ietf_encrypt(file + HEAD_BYTES, NULL,
		    (const uint8_t *)keys, sizeof(*keys), aad, aad_len, NULL,
		    file + MAGIC_BYTES + SALT_BYTES, key) != 0)
		err = CV_ERR_CRYPTO;
	secret_free(key);
	return err == CV_OK ? file_write_new(path, file, sizeof(file), 0600) : err;
}

enum cv_err keyfile_write(const char *path, const struct key_pair *keys, const char *passphrase)
{
	uint8_t *file;
	enum cv_err err;

	if (passphrase != NULL)
		return write_sealed(path, keys, passphrase);
	file = secret_alloc(PLAIN_BYTES);
	if (file == NULL)
		return CV_ERR_MEMORY;
	memcpy(file, MAGIC_PLAIN, MAGIC_BYTES);
	memcpy(file + MAGIC_BYTES, keys, sizeof(*keys));
	err = file_write_new(path, file, PLAIN_BYTES, 0600);
	secret_free(file);
	return err;
}

static enum cv_err read_whole(uint8_t **file, bool *sealed, const char *path)
{
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = file_read_secret(&data, &len, path, SEALED_BYTES);

	if (err != CV_OK)
		return err;
	*sealed = len == SEALED_BYTES && memcmp(data, MAGIC_SEALED, MAGIC_BYTES) == 0;
	if (!*sealed && (len != PLAIN_BYTES || memcmp(data, MAGIC_PLAIN, MAGIC_BYTES) != 0)) {
		secret_free(data);
		return CV_ERR_FORMAT;
	}
	*file = data;
	return CV_OK;
}

enum cv_err keyfile_is_sealed(const char *path, bool *sealed)
{
	uint8_t *file = NULL;
	enum cv_err err = read_whole(&file, sealed, path);

	secret_free(file);
	return err;
}

static enum cv_err open_sealed(
	struct key_pair *keys, const uint8_t *file, const char *passphrase)
{
	uint8_t aad[AAD_MAX];
	uint8_t *key = NULL;
	size_t aad_len = 0;
	enum cv_err err;

	if (passphrase == NULL)
		return CV_ERR_SEAL;
	err = head_aad(aad, &aad_len, file);
	if (err == CV_OK)
		err = derive(&key, passphrase, file + MAGIC_BYTES);
	if (err == CV_OK &&
		crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)keys, NULL, NULL,
			file + HEAD_BYTES, sizeof(*keys) + TAG_BYTES, aad, aad_len,
			file + MAGIC_BYTES + SALT_BYTES, key) != 0)
		err = CV_ERR_SEAL;
	secret_free(key);
	return err;
}

enum cv_err keyfile_read(struct key_pair *keys, const char *path, const char *passphrase)
{
	uint8_t *file = NULL;
	bool sealed = false;
	enum cv_err err = read_whole(&file, &sealed, path);

	if (err == CV_OK && sealed)
		err = open_sealed(keys, file, passphrase);
	else if (err == CV_OK)
		memcpy(keys, file + MAGIC_BYTES, sizeof(*keys));
	if (err != CV_OK)
		crypto_wipe(keys, sizeof(*keys));
	secret_free(file);
	return err;
}
