#include "host/bundle.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "host/bundle_internal.h"
#include "host/secret.h"

#define MAGIC "CVBUNDLE"
#define MAGIC_BYTES 8
#define VERSION 1
#define KDF_ARGON2ID_MODERATE 1
#define HEADER_BYTES 16
#define SALT_BYTES crypto_pwhash_argon2id_SALTBYTES
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define AAD_BYTES (HEADER_BYTES + SALT_BYTES + NONCE_BYTES)

#define PHRASE_BYTES BUNDLE_PASSPHRASE_BYTES
#define PHRASE_CHARS 26

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static bool name_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return true;
	return !first && (c == '.' || c == '_' || c == '-');
}

bool bundle_name_ok(const char *name)
{
	bool first = true;
	int folders = 0;
	size_t n = strlen(name);

	if (n == 0 || n >= BUNDLE_NAME_BUF || name[n - 1] == '/')
		return false;
	for (; *name != '\0'; name++) {
		if (*name == '/' && !first && folders == 0) {
			folders++;
			first = true;
			continue;
		}
		if (!name_char(*name, first))
			return false;
		first = false;
	}
	return true;
}

enum cv_err bundle_add(struct bundle *b, const char *name, const void *data, size_t len)
{
	if (!bundle_name_ok(name))
		return CV_ERR_FORMAT;
	if (bundle_find(b, name) != NULL)
		return CV_ERR_EXISTS;
	if (b->count == BUNDLE_FILES_MAX || len > BUNDLE_MAX)
		return CV_ERR_TOO_LONG;
	struct bundle_file *f = &b->files[b->count];

	f->data = secret_alloc(len + 1);
	if (f->data == NULL)
		return CV_ERR_MEMORY;
	if (len > 0)
		memcpy(f->data, data, len);
	f->len = len;
	strcpy(f->name, name);
	b->count++;
	return CV_OK;
}

const struct bundle_file *bundle_find(const struct bundle *b, const char *name)
{
	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->files[i].name, name) == 0)
			return &b->files[i];
	return NULL;
}

void bundle_wipe(struct bundle *b)
{
	for (size_t i = 0; i < b->count; i++)
		secret_free(b->files[i].data);
	sodium_memzero(b, sizeof(*b));
}

void bundle_passphrase_encode(
	char out[BUNDLE_PASSPHRASE_BUF], const uint8_t raw[BUNDLE_PASSPHRASE_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < PHRASE_CHARS; i++) {
		unsigned int five = 0;

		for (size_t bit = 5 * i; bit < 5 * i + 5; bit++)
			five = five << 1 |
				(bit < 8 * PHRASE_BYTES ? raw[bit / 8] >> (7 - bit % 8) & 1u : 0u);
		if (i > 0 && i % 5 == 0 && i < 25)
			out[n++] = '-';
		out[n++] = base32[five];
	}
	out[n] = '\0';
}

enum cv_err bundle_passphrase_generate(char out[BUNDLE_PASSPHRASE_BUF])
{
	uint8_t raw[PHRASE_BYTES];

	randombytes_buf(raw, sizeof(raw));
	bundle_passphrase_encode(out, raw);
	sodium_memzero(raw, sizeof(raw));
	return CV_OK;
}

static enum cv_err parse_passphrase(uint8_t raw[PHRASE_BYTES], const char *text)
{
	size_t have = 0;

	memset(raw, 0, PHRASE_BYTES);
	for (; *text != '\0'; text++) {
		char c = *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text;
		const char *at;

		if (c == ' ' || c == '-' || c == '\t' || c == '\n' || c == '\r')
			continue;
		at = strchr(base32, c);
		if (at == NULL || have == PHRASE_CHARS)
			return CV_ERR_ARGUMENT;
		unsigned int five = (unsigned int)(at - base32);
		for (size_t bit = 0; bit < 5; bit++) {
			size_t to = 5 * have + bit;
			unsigned int value = five >> (4 - bit) & 1;

			if (to < 8 * PHRASE_BYTES)
				raw[to / 8] |= (uint8_t)(value << (7 - to % 8));
			else if (value != 0)
				return CV_ERR_ARGUMENT;
		}
		have++;
	}
	return have == PHRASE_CHARS ? CV_OK : CV_ERR_ARGUMENT;
}

static enum cv_err derive_key(
	uint8_t *key, const char *passphrase, const uint8_t salt[SALT_BYTES])
{
	uint8_t raw[PHRASE_BYTES];
	enum cv_err err = parse_passphrase(raw, passphrase);

	if (err == CV_OK &&
		crypto_pwhash(key, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, (const char *)raw,
			sizeof(raw), salt, crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
			crypto_pwhash_argon2id_MEMLIMIT_MODERATE,
			crypto_pwhash_ALG_ARGON2ID13) != 0)
		err = CV_ERR_MEMORY;
	sodium_memzero(raw, sizeof(raw));
	return err;
}

static void write_header(uint8_t header[HEADER_BYTES])
{
	memset(header, 0, HEADER_BYTES);
	memcpy(header, MAGIC, MAGIC_BYTES);
	header[9] = VERSION;
	header[11] = KDF_ARGON2ID_MODERATE;
}

static enum cv_err check_header(const uint8_t *data, size_t len)
{
	uint8_t ours[HEADER_BYTES];

	if (len < AAD_BYTES + TAG_BYTES || memcmp(data, MAGIC, MAGIC_BYTES) != 0)
		return CV_ERR_FORMAT;
	write_header(ours);
	return memcmp(data, ours, HEADER_BYTES) == 0 ? CV_OK : CV_ERR_VERSION;
}

enum cv_err bundle_seal(uint8_t **out, size_t *len, const struct bundle *b, const char *passphrase)
{
	enum cv_err err = CV_ERR_MEMORY;
	size_t plain_cap = bundle_document_cap(b), plain_len = 0;
	uint8_t *plain = secret_alloc(plain_cap);
	uint8_t *key = secret_alloc(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
	uint8_t *box = NULL;

	if (plain == NULL || key == NULL)
		goto out;
	err = bundle_document_encode(plain, plain_cap, &plain_len, b);
	if (err == CV_OK && AAD_BYTES + plain_len + TAG_BYTES > BUNDLE_MAX)
		err = CV_ERR_TOO_LONG;
	if (err != CV_OK)
		goto out;
	box = malloc(AAD_BYTES + plain_len + TAG_BYTES);
	if (box == NULL) {
		err = CV_ERR_MEMORY;
		goto out;
	}
	write_header(box);
	randombytes_buf(box + HEADER_BYTES, SALT_BYTES + NONCE_BYTES);
	err = derive_key(key, passphrase, box + HEADER_BYTES);
	if (err == CV_OK &&
		crypto_aead_xchacha20poly1305_ietf_encrypt(box + AAD_BYTES, NULL,
			plain, plain_len, box, AAD_BYTES, NULL,
			box + HEADER_BYTES + SALT_BYTES, key) != 0)
		err = CV_ERR_CRYPTO;
	if (err != CV_OK)
		goto out;
	*out = box;
	*len = AAD_BYTES + plain_len + TAG_BYTES;
	box = NULL;
out:
	free(box);
	secret_free(key);
	secret_free(plain);
	return err;
}

enum cv_err bundle_open(
	struct bundle *b, const uint8_t *data, size_t len, const char *passphrase)
{
	enum cv_err err = check_header(data, len);
	size_t plain_len;
	uint8_t *plain = NULL, *key = NULL;

	memset(b, 0, sizeof(*b));
	if (err == CV_OK && len > BUNDLE_MAX)
		err = CV_ERR_TOO_LONG;
	if (err != CV_OK)
		return err;
	plain_len = len - AAD_BYTES - TAG_BYTES;
	plain = secret_alloc(plain_len + 1);
	key = secret_alloc(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
	if (plain == NULL || key == NULL) {
		err = CV_ERR_MEMORY;
		goto out;
	}
	err = derive_key(key, passphrase, data + HEADER_BYTES);
	if (err != CV_OK)
		goto out;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, data + AAD_BYTES,
		    len - AAD_BYTES, data, AAD_BYTES, data + HEADER_BYTES + SALT_BYTES, key) != 0) {
		err = CV_ERR_SEAL;
		goto out;
	}
	err = bundle_document_decode(b, plain, plain_len);
out:
	if (err != CV_OK)
		bundle_wipe(b);
	secret_free(key);
	secret_free(plain);
	return err;
}
