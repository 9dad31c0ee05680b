#include "provisioning/enroll_vouch.h"

#include <string.h>

#include "host/clock.h"
#include "host/jsonfile.h"
#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "provisioning/ek_allow.h"
#include "provisioning/ek_certificate.h"
#include "provisioning/ek_key.h"

#define RECORD_MAX 4096

static enum cv_err hash_key(uint8_t out[CV_HASH_BYTES], const char *device, const struct tpm_ek *ek)
{
	EVP_PKEY *key = NULL;
	enum cv_err err = ek_key_open(&key, ek);

	if (err == CV_OK)
		err = ek_key_hash(out, key);
	EVP_PKEY_free(key);
	if (err == CV_ERR_RANGE) {
		log_error(
			"device %s: request: its endorsement key is not a point of P-256", device);
		return CV_ERR_DENIED;
	}
	return err;
}

/* On the fleet's list, by key or by certificate? */
static enum cv_err look_up(bool *found, const struct enroll_case *c,
	const struct enrol_tpm_request *request, uint8_t hashes[2][CV_HASH_BYTES])
{
	const struct crypto_part part = {request->certificate, request->certificate_len};
	char path[FILE_PATH_BUF];
	size_t line = 0, count = 1;
	enum cv_err err = fleet_path(c->fleet, path, "tpm-allow");

	if (err == CV_OK && request->certificate_len > 0) {
		err = crypto_sha256(hashes[1], &part, 1);
		count = 2;
	}
	if (err != CV_OK)
		return err;
	err = ek_allow_find(
		found, &line, path, (const uint8_t(*)[CV_HASH_BYTES])hashes, count);
	if (err == CV_ERR_CONFIG)
		log_error("%s:%zu: must be 64 lower-case hex digits, then a space and anything, or "
			  "a comment after `#`",
			path, line);
	else if (err != CV_OK)
		log_error("%s: %s", path, cv_err_text(err));
	return err;
}

static enum cv_err check_certificate(const struct enroll_case *c,
	const struct enrol_tpm_request *request, const struct tpm_ek *ek, const char *key_hash)
{
	char roots[FILE_PATH_BUF], why[EK_CERTIFICATE_WHY_BUF] = "";
	enum cv_err err = fleet_path(c->fleet, roots, "tpm-roots");

	if (err != CV_OK)
		return err;
	if (request->certificate_len == 0) {
		log_error("device %s: its TPM has no certificate, and %s/tpm-allow does not list "
			  "its key: compare %s with the maker's papers, then add it there",
			c->device, c->fleet->dir, key_hash);
		return CV_ERR_DENIED;
	}
	err = ek_certificate_verify(request->certificate, request->certificate_len, ek, roots,
		clock_wall_s(), why);
	if (err == CV_OK)
		return CV_OK;
	log_error("device %s: its TPM is not believed: %s: its maker's root and intermediate "
		  "certificates belong into %s, or, if the maker's papers name it, key %s into "
		  "%s/tpm-allow",
		c->device, why[0] != '\0' ? why : cv_err_text(err), roots, key_hash, c->fleet->dir);
	return err == CV_ERR_SIGNATURE || err == CV_ERR_NOT_FOUND ? CV_ERR_DENIED : err;
}

struct search {
	const struct enroll_case *c;
	const uint8_t *ek_name;
};

/* A device without tpm.json has no TPM. */
static enum cv_err compare(void *user, const char *id)
{
	const struct search *s = user;
	uint8_t name[TPM_NAME_BYTES];
	char path[FILE_PATH_BUF];
	struct cJSON *doc = NULL;
	enum cv_err err = fleet_path(s->c->fleet, path, "devices/%s/tpm.json", id);

	if (err != CV_OK || strcmp(id, s->c->device) == 0 || !file_exists(path))
		return err;
	err = jsonfile_read(&doc, path, RECORD_MAX);
	if (err == CV_OK)
		err = json_get_bytes(doc, "ek_name", name, sizeof(name));
	json_free(doc);
	if (err != CV_OK) {
		log_error("%s: %s", path, cv_err_text(err));
		return err;
	}
	if (memcmp(name, s->ek_name, sizeof(name)) != 0)
		return CV_OK;
	log_error("device %s: this TPM is device %s already", s->c->device, id);
	return CV_ERR_EXISTS;
}

enum cv_err enroll_vouch(const char **how, const struct enroll_case *c,
	const struct enrol_tpm_request *request, const struct tpm_ek *ek)
{
	struct search search = {c, ek->name};
	uint8_t hashes[2][CV_HASH_BYTES];
	char hex[HEX_BUF(CV_HASH_BYTES)];
	bool listed = false;
	enum cv_err err = hash_key(hashes[0], c->device, ek);

	if (err == CV_OK)
		err = look_up(&listed, c, request, hashes);
	if (err != CV_OK)
		return err;
	hex_encode(hex, hashes[0], sizeof(hashes[0]));
	if (!listed)
		err = check_certificate(c, request, ek, hex);
	if (err == CV_OK)
		err = fleet_each(c->fleet, "devices", "", compare, &search);
	if (err == CV_OK)
		*how = listed ? "list" : "certificate";
	return err;
}
