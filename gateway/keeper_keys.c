#include "gateway/keeper_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/store.h"
#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"

static enum cv_err read_key(const char *path, uint8_t key[32])
{
	const enum cv_err err = file_read_secret_exact(key, 32, path);

	if (err == CV_ERR_NOT_FOUND)
		log_error("key: %s: not there: run \"conclave-gateway init\" first", path);
	else if (err == CV_ERR_PERMISSION)
		log_error("key: %s: must be a file of mode 0600 of the keeper's user", path);
	else if (err == CV_ERR_FORMAT || err == CV_ERR_TOO_LONG)
		log_error("key: %s: must hold 32 bytes", path);
	else if (err != CV_OK)
		log_error("key: %s: %s", path, cv_err_text(err));
	return err;
}

static enum cv_err key_path(char path[FILE_PATH_BUF], const char *dir, const char *name)
{
	const enum cv_err err = file_path_join(path, FILE_PATH_BUF, dir, name);

	if (err != CV_OK)
		log_error("key: %s/%s: the path is too long", dir, name);
	return err;
}

/* systemd's credential if there is one, else the file. */
static enum cv_err store_key_path(char path[FILE_PATH_BUF], const struct keeper_config *cfg)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (dir != NULL && dir[0] == '/') {
		const enum cv_err err = key_path(path, dir, KEEPER_STORE_KEY_CREDENTIAL);

		if (err != CV_OK || file_exists(path))
			return err;
	}
	return snprintf(path, FILE_PATH_BUF, "%s", cfg->store_key_path) < FILE_PATH_BUF
		? CV_OK
		: CV_ERR_TOO_LONG;
}

static enum cv_err load_store_key(struct keeper_keys *keys, const struct keeper_config *cfg)
{
	char path[FILE_PATH_BUF];
	uint8_t *key = secret_alloc(STORE_KEY_BYTES);
	enum cv_err err = key == NULL ? CV_ERR_MEMORY : store_key_path(path, cfg);

	if (err == CV_OK)
		err = read_key(path, key);
	if (err == CV_OK)
		err = seal_keys_derive(&keys->seal, key);
	secret_free(key);
	return err;
}

enum cv_err keeper_keys_load(struct keeper_keys *keys, const struct keeper_config *cfg)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = key_path(path, cfg->keys_dir, KEEPER_KEY_FILE);

	if (err == CV_OK)
		err = read_key(path, keys->keeper_private);
	if (err == CV_OK)
		err = crypto_es256_public(keys->keeper_public, keys->keeper_private);
	if (err == CV_OK)
		err = key_path(path, cfg->keys_dir, KEEPER_ENROLMENT_KEY_FILE);
	if (err == CV_OK)
		err = read_key(path, keys->enrolment_private);
	if (err == CV_OK)
		err = crypto_x25519_public(keys->enrolment_public, keys->enrolment_private);
	if (err == CV_OK)
		err = load_store_key(keys, cfg);
	if (err == CV_OK)
		err = crypto_random(keys->nonce, sizeof(keys->nonce));
	if (err == CV_OK)
		err = crypto_random(keys->op_nonce, sizeof(keys->op_nonce));
	return err;
}

/* A key that is there stays. */
static enum cv_err make_key(const char *path, enum cv_err (*generate)(uint8_t key[32]))
{
	uint8_t *key;
	enum cv_err err;

	if (file_exists(path))
		return CV_OK;
	key = secret_alloc(32);
	if (key == NULL) {
		log_error("key: %s: %s", path, secret_last_error());
		return CV_ERR_MEMORY;
	}
	err = generate(key);
	if (err == CV_OK)
		err = file_write_new(path, key, 32, 0600);
	secret_free(key);
	if (err != CV_OK)
		log_error("key: %s: cannot be made: %s", path, cv_err_text(err));
	return err;
}

static enum cv_err generate_es256(uint8_t key[32])
{
	uint8_t public_key[CV_ES256_PUBLIC_BYTES];

	return crypto_es256_keypair(key, public_key);
}

static enum cv_err generate_x25519(uint8_t key[32])
{
	uint8_t public_key[CV_X25519_BYTES];

	return crypto_x25519_keypair(key, public_key);
}

static enum cv_err generate_random(uint8_t key[32])
{
	return crypto_random(key, 32);
}

static enum cv_err make_keys(const struct keeper_config *cfg)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = key_path(path, cfg->keys_dir, KEEPER_KEY_FILE);

	if (err == CV_OK)
		err = make_key(path, generate_es256);
	if (err == CV_OK)
		err = key_path(path, cfg->keys_dir, KEEPER_ENROLMENT_KEY_FILE);
	if (err == CV_OK)
		err = make_key(path, generate_x25519);
	if (err == CV_OK)
		err = store_key_path(path, cfg);
	if (err == CV_OK)
		err = make_key(path, generate_random);
	return err;
}

static enum cv_err make_store(const struct keeper_config *cfg, const struct keeper_keys *keys)
{
	const struct jws_signer signer = jws_key_signer(keys->keeper_private);
	const struct store_config store = { cfg->store_path, cfg->gateway, &keys->seal, &signer,
		keys->keeper_public,
		cfg->reserve_records != 0 ? cfg->reserve_records : KEEPER_RESERVE_RECORDS };
	char why[STORE_WHY_BUF];
	enum cv_err err;

	if (file_exists(cfg->store_path))
		return CV_OK;
	err = store_create(&store, why);
	if (err != CV_OK)
		log_error("store: %s: cannot be made: %s", cfg->store_path, why);
	return err;
}

enum cv_err keeper_init(const struct keeper_config *cfg, struct keeper_public *out)
{
	struct keeper_keys *keys = NULL;
	enum cv_err err = crypto_init();

	if (err == CV_OK) {
		keys = secret_alloc(sizeof(*keys));
		if (keys == NULL) {
			log_error("keys: %s", secret_last_error());
			return CV_ERR_MEMORY;
		}
		err = make_keys(cfg);
	}
	if (err == CV_OK)
		err = keeper_keys_load(keys, cfg);
	if (err == CV_OK)
		err = make_store(cfg, keys);
	if (err == CV_OK) {
		memcpy(out->keeper_key, keys->keeper_public, sizeof(out->keeper_key));
		memcpy(out->enrolment_key, keys->enrolment_public, sizeof(out->enrolment_key));
	}
	secret_free(keys);
	return err;
}
