#include "device/boot_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"

#define SHARED_MEMORY "/dev/shm"
#define KEPT_BYTES (CV_BOOT_ID_BYTES + CV_X25519_BYTES)
#define PLACES 2
#define NAME_HASH_BYTES 8

/*
 * Where the key may be, best first; "" for a place that is not RAM. /dev/shm is shared by all
 * users and devices of the machine, so the name there holds a hash of the state directory; a file
 * that somebody else put there is refused by its owner.
 */
static enum cv_err places(char out[PLACES][FILE_PATH_BUF], const char *run_dir,
	const char *state_dir)
{
	char real[FILE_PATH_BUF] = "", hex[HEX_BUF(NAME_HASH_BYTES)];
	uint8_t hash[CV_HASH_BYTES];
	enum cv_err err;

	out[0][0] = out[1][0] = '\0';
	if (realpath(state_dir, real) == NULL)
		return CV_ERR_NOT_FOUND;
	const struct crypto_part part = { real, strlen(real) };
	err = crypto_sha256(hash, &part, 1);
	if (err != CV_OK)
		return err;
	hex_encode(hex, hash, NAME_HASH_BYTES);
	if (file_check_ram(run_dir) == CV_OK)
		err = file_path_join(out[0], FILE_PATH_BUF, run_dir, "boot.key");
	if (err == CV_OK && file_check_ram(SHARED_MEMORY) == CV_OK)
		snprintf(out[1], FILE_PATH_BUF, "%s/conclave-boot-%u-%s", SHARED_MEMORY,
			(unsigned int)geteuid(), hex);
	return err;
}

static enum cv_err read_kept(
	struct boot_key *key, const char *path, const uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	uint8_t *kept = NULL;
	size_t len = 0;
	enum cv_err err = file_read_secret(&kept, &len, path, KEPT_BYTES);

	if (err == CV_OK && len != KEPT_BYTES)
		err = CV_ERR_FORMAT;
	if (err == CV_OK && memcmp(kept, boot_id, CV_BOOT_ID_BYTES) != 0)
		err = CV_ERR_MISMATCH; /* another boot's: /dev/shm was carried over */
	if (err == CV_OK) {
		memcpy(key->private_key, kept + CV_BOOT_ID_BYTES, CV_X25519_BYTES);
		err = crypto_x25519_public(key->public_key, key->private_key);
	}
	secret_free(kept);
	return err;
}

static enum cv_err keep(
	const struct boot_key *key, const char *path, const uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	uint8_t *kept = secret_alloc(KEPT_BYTES);
	enum cv_err err = CV_ERR_MEMORY;

	if (kept == NULL)
		return err;
	memcpy(kept, boot_id, CV_BOOT_ID_BYTES);
	memcpy(kept + CV_BOOT_ID_BYTES, key->private_key, CV_X25519_BYTES);
	err = file_write_atomic(path, kept, KEPT_BYTES, 0600);
	secret_free(kept);
	return err;
}

enum cv_err boot_key_load(struct boot_key *key, const char *run_dir, const char *state_dir,
	const uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	char paths[PLACES][FILE_PATH_BUF];
	enum cv_err err = places(paths, run_dir, state_dir);

	if (err != CV_OK)
		return err;
	for (size_t i = 0; i < PLACES; i++)
		if (paths[i][0] != '\0' && read_kept(key, paths[i], boot_id) == CV_OK)
			return CV_OK;
	err = crypto_x25519_keypair(key->private_key, key->public_key);
	if (err != CV_OK)
		return err;
	for (size_t i = 0; i < PLACES; i++)
		if (paths[i][0] != '\0' && keep(key, paths[i], boot_id) == CV_OK)
			return CV_OK;
	log_warning("boot key: no RAM-backed place to keep it: another mount in this boot "
		    "counts as another key");
	return CV_OK;
}

enum cv_err boot_key_forget(const char *run_dir, const char *state_dir)
{
	char paths[PLACES][FILE_PATH_BUF];
	enum cv_err err = places(paths, run_dir, state_dir);

	if (err == CV_ERR_NOT_FOUND)
		return CV_OK;
	for (size_t i = 0; i < PLACES && err == CV_OK; i++) {
		if (paths[i][0] == '\0')
			continue;
		err = file_remove(paths[i]);
		if (err == CV_ERR_NOT_FOUND)
			err = CV_OK;
	}
	return err;
}
