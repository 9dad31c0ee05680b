#include "device/identity.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "host/jsonfile.h"
#include "host/log.h"
#include "protocol/crypto.h"
#include "protocol/enrol.h"
#include "protocol/json_get.h"
#include "protocol/mac.h"

#define DOCUMENT_MAX 65536

static enum cv_err complain(const struct identity *id, const char *name, enum cv_err err)
{
	if (err == CV_OK)
		return CV_OK;
	log_error("%s/%s: %s%s", id->state_dir, name, cv_err_text(err),
		err == CV_ERR_NOT_FOUND	   ? ": is the device installed?" :
		err == CV_ERR_PERMISSION ? ": a key must be its user's alone (mode 0600)" :
					   "");
	/* a damaged file is for whoever set this device up, not a fault of the program */
	if (err == CV_ERR_FORMAT || err == CV_ERR_TYPE || err == CV_ERR_RANGE ||
		err == CV_ERR_TOO_LONG)
		return CV_ERR_CONFIG;
	return err;
}

/* The path of a state file; an over-long one was refused with the directory. */
static const char *in_state(const struct identity *id, const char *name, char out[FILE_PATH_BUF])
{
	if (file_path_join(out, FILE_PATH_BUF, id->state_dir, name) != CV_OK)
		out[0] = '\0';
	return out;
}

static enum cv_err load_device_json(struct identity *id)
{
	static const char *const names[] = { "v", "fleet", "device", "volume_id", "epoch",
		"trust_class", NULL };
	char path[FILE_PATH_BUF];
	struct cJSON *doc = NULL;
	uint64_t epoch = 0;
	enum cv_err err = jsonfile_read(&doc, in_state(id, "device.json", path), DOCUMENT_MAX);

	if (err != CV_OK)
		return err;
	err = json_only_v1(doc, names);
	if (err == CV_OK)
		err = json_get_id(doc, "fleet", id->fleet);
	if (err == CV_OK)
		err = json_get_id(doc, "device", id->device);
	if (err == CV_OK)
		err = json_get_bytes(doc, "volume_id", id->share_set.volume_id, CV_VOLUME_ID_BYTES);
	if (err == CV_OK)
		err = json_get_u64(doc, "epoch", 1, UINT32_MAX, &epoch);
	if (err == CV_OK)
		err = json_get_text(doc, "trust_class", id->trust_class, sizeof(id->trust_class));
	id->share_set.epoch = (uint32_t)epoch;
	json_free(doc);
	return err;
}

int identity_address_ok(const char *address)
{
	const char *colon = strrchr(address, ':');
	char *end;

	if (colon == NULL || colon == address || strlen(address) >= IDENTITY_ADDRESS_BUF)
		return 0;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port < 1 || port > 65535)
		return 0;
	size_t host = (size_t)(colon - address);
	if (address[0] == '[')
		return host > 3 && address[host - 1] == ']' &&
			strspn(address + 1, "0123456789abcdefABCDEF:.") == host - 2;
	return strspn(address,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") >= host;
}

static enum cv_err load_gateway(struct identity *id, const struct cJSON *entry)
{
	static const char *const names[] = { "gateway", "address", NULL };
	char gateway[CV_ID_BUF], address[IDENTITY_ADDRESS_BUF];
	enum cv_err err = json_only(entry, names);

	if (err == CV_OK)
		err = json_get_id(entry, "gateway", gateway);
	if (err == CV_OK)
		err = json_get_text(entry, "address", address, sizeof(address));
	if (err == CV_OK && !identity_address_ok(address))
		err = CV_ERR_FORMAT;
	if (err != CV_OK)
		return err;
	int member = share_set_find(&id->share_set, gateway);
	if (member >= 0)
		strcpy(id->addresses[member], address);
	return CV_OK;
}

static enum cv_err load_gateways_json(struct identity *id)
{
	char path[FILE_PATH_BUF];
	struct cJSON *doc = NULL;
	const struct cJSON *list, *entry;
	size_t count;
	uint64_t v;
	enum cv_err err = jsonfile_read(&doc, in_state(id, "gateways.json", path), DOCUMENT_MAX);

	if (err != CV_OK)
		return err;
	err = json_get_u64(doc, "v", 1, 1, &v);
	if (err == CV_OK)
		err = json_get_array(doc, "gateways", &list, &count);
	if (err == CV_OK)
		cJSON_ArrayForEach(entry, list)
		{
			err = load_gateway(id, entry);
			if (err != CV_OK)
				break;
		}
	json_free(doc);
	return err;
}

static enum cv_err load_text(char *out, size_t max, size_t *len, const char *path)
{
	uint8_t *data = NULL;
	enum cv_err err = file_read(&data, len, path, max);

	if (err == CV_OK) {
		memcpy(out, data, *len);
		out[*len] = '\0';
	}
	free(data);
	return err;
}

/*
 * The share set must be signed for this fleet and name this device, volume and epoch. The clock is
 * not asked: a certificate that ran out since does not undo a deal, and clocks are off after power
 * cuts.
 */
static enum cv_err load_share_set(struct identity *id)
{
	struct op_trust trust = { .fleet = id->fleet, .root_key = id->fleet_root };
	struct share_set named = id->share_set;
	char text[CV_SHARE_SET_MAX + 1], path[FILE_PATH_BUF];
	size_t len = 0;
	enum cv_err err =
		load_text(text, CV_SHARE_SET_MAX, &len, in_state(id, "share-set.jws", path));

	if (err != CV_OK)
		return err;
	while (len > 0 && text[len - 1] == '\n')
		len--;
	if (share_set_decode(&id->share_set, text, len, &trust) != CV_OK)
		return CV_ERR_SHARE_SET;
	if (strcmp(id->share_set.device, id->device) != 0 ||
		memcmp(id->share_set.volume_id, named.volume_id, CV_VOLUME_ID_BYTES) != 0 ||
		id->share_set.epoch != named.epoch)
		return CV_ERR_SHARE_SET;
	return CV_OK;
}

static enum cv_err load_fleet_root(struct identity *id)
{
	char path[FILE_PATH_BUF], text[CV_ES256_PUBLIC_BYTES + 1];
	size_t len = 0;
	enum cv_err err =
		load_text(text, CV_ES256_PUBLIC_BYTES, &len, in_state(id, "roots/fleet.pub", path));

	if (err == CV_OK && len != CV_ES256_PUBLIC_BYTES)
		err = CV_ERR_FORMAT;
	if (err == CV_OK)
		memcpy(id->fleet_root, text, CV_ES256_PUBLIC_BYTES);
	return err;
}

enum cv_err identity_load_public(struct identity *id, const char *state_dir)
{
	char path[FILE_PATH_BUF];
	size_t len = 0;
	enum cv_err err;

	memset(id, 0, sizeof(*id));
	if (strlen(state_dir) + 64 > FILE_PATH_BUF)
		return CV_ERR_NAME_LONG;
	strcpy(id->state_dir, state_dir);
	err = crypto_init();
	if (err != CV_OK) {
		log_error("crypto: %s", cv_err_text(err));
		return err;
	}
	err = complain(id, "device.json", load_device_json(id));
	if (err == CV_OK)
		err = complain(id, "roots/fleet.pub", load_fleet_root(id));
	if (err == CV_OK)
		err = complain(id, "share-set.jws", load_share_set(id));
	if (err == CV_OK)
		err = complain(id, "gateways.json", load_gateways_json(id));
	if (err == CV_OK)
		err = complain(id, "roots/tls.pem",
			load_text(id->tls_root, IDENTITY_TLS_ROOT_MAX, &len,
				in_state(id, "roots/tls.pem", path)));
	return err;
}

static enum cv_err derive_mac_keys(struct identity *id)
{
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < id->share_set.count && err == CV_OK; i++) {
		struct mac_scope scope = { .fleet = id->fleet,
			.gateway = id->share_set.members[i].gateway, .device = id->device };

		err = mac_key_derive(id->mac_keys[i], id->mac_root, &scope);
	}
	return err;
}

enum cv_err identity_load(struct identity *id, const char *state_dir)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = identity_load_public(id, state_dir);

	if (err == CV_OK)
		err = complain(id, "mac.root",
			file_read_secret_exact(
				id->mac_root, CV_MAC_ROOT_BYTES, in_state(id, "mac.root", path)));
	if (err == CV_OK)
		err = complain(id, "attest.key",
			file_read_secret_exact(id->attest_private, CV_ES256_PRIVATE_BYTES,
				in_state(id, "attest.key", path)));
	if (err == CV_OK && trust_class_parse(id->trust_class) == TRUST_TPM)
		err = complain(id, TPM_STATE_NAME,
			tpm_state_read(&id->tpm, in_state(id, TPM_STATE_NAME, path)));
	if (err == CV_OK)
		err = complain(id, "mac.root", derive_mac_keys(id));
	if (err != CV_OK)
		identity_wipe(id);
	return err;
}

enum cv_err identity_reload_addresses(struct identity *id, int *changed)
{
	char before[CV_MEMBERS_MAX][IDENTITY_ADDRESS_BUF];
	enum cv_err err;

	memcpy(before, id->addresses, sizeof(before));
	memset(id->addresses, 0, sizeof(id->addresses));
	err = complain(id, "gateways.json", load_gateways_json(id));
	*changed = err == CV_OK && memcmp(before, id->addresses, sizeof(before)) != 0;
	if (err != CV_OK)
		memcpy(id->addresses, before, sizeof(before));
	return err;
}

void identity_wipe(struct identity *id)
{
	crypto_wipe(id, sizeof(*id));
}
