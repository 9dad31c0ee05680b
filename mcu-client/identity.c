#include "identity.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "port.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/mac.h"
#include "protocol/scratch.h"

#define WORK_MAX CV_SHARE_SET_MAX

struct device_file {
	char fleet[CV_ID_BUF];
	char device[CV_ID_BUF];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint64_t epoch;
};

static enum cv_err device_read(struct device_file *d, char *work)
{
	cJSON *tree = NULL;
	size_t len = 0;
	uint64_t v = 0;
	enum cv_err err = port_nv_get("device.json", work, WORK_MAX, &len);

	if (err == CV_OK)
		err = json_parse(&tree, work, len, WORK_MAX);
	if (err == CV_OK)
		err = json_get_u64(tree, "v", 1, 1, &v);
	if (err == CV_OK)
		err = json_get_id(tree, "fleet", d->fleet);
	if (err == CV_OK)
		err = json_get_id(tree, "device", d->device);
	if (err == CV_OK)
		err = json_get_bytes(tree, "volume_id", d->volume_id, sizeof(d->volume_id));
	if (err == CV_OK)
		err = json_get_u64(tree, "epoch", 1, UINT32_MAX, &d->epoch);
	json_free(tree);
	return err;
}

/* The set must be signed under the pinned root and be for this device, volume and epoch. */
static enum cv_err share_set_read(struct identity *id, const struct device_file *d, char *work)
{
	uint8_t root[CV_ES256_PUBLIC_BYTES];
	struct op_trust trust = {.fleet = d->fleet, .root_key = root, .revoked = NULL, .now_s = 0};
	size_t len = 0;
	enum cv_err err = port_nv_get("roots/fleet.pub", root, sizeof(root), &len);

	if (err != CV_OK)
		return err;
	if (len != sizeof(root))
		return CV_ERR_FORMAT;
	err = port_nv_get("share-set.jws", work, WORK_MAX, &len);
	while (err == CV_OK && len > 0 && work[len - 1] == '\n')
		len--;
	if (err == CV_OK)
		err = share_set_decode(&id->set, work, len, &trust);
	if (err != CV_OK)
		return err;
	if (strcmp(id->set.device, d->device) != 0 || id->set.epoch != d->epoch ||
		memcmp(id->set.volume_id, d->volume_id, sizeof(d->volume_id)) != 0)
		return CV_ERR_SHARE_SET;
	memcpy(id->fleet, d->fleet, sizeof(id->fleet));
	memcpy(id->device, d->device, sizeof(id->device));
	return CV_OK;
}

static enum cv_err keys_derive(struct identity *id)
{
	uint8_t root[CV_MAC_ROOT_BYTES];
	size_t len = 0;
	enum cv_err err = port_nv_get("mac.root", root, sizeof(root), &len);

	if (err == CV_OK && len != sizeof(root))
		err = CV_ERR_FORMAT;
	for (size_t i = 0; i < id->set.count && err == CV_OK; i++) {
		struct mac_scope scope = {id->fleet, id->set.members[i].gateway, id->device};

		err = mac_key_derive(id->mac_keys[i], root, &scope);
	}
	crypto_wipe(root, sizeof(root));
	return err;
}

/* Addresses are not signed: a gateway may move. An entry for an unknown gateway is passed over. */
static enum cv_err addresses_read(struct identity *id, char *work)
{
	const cJSON *list = NULL, *entry = NULL;
	cJSON *tree = NULL;
	size_t len = 0, count = 0;
	enum cv_err err = port_nv_get("gateways.json", work, WORK_MAX, &len);

	if (err == CV_OK)
		err = json_parse(&tree, work, len, WORK_MAX);
	if (err == CV_OK)
		err = json_get_array(tree, "gateways", &list, &count);
	if (err == CV_OK && count > 4 * CV_MEMBERS_MAX)
		err = CV_ERR_TOO_LONG;
	if (err == CV_OK)
		entry = list->child;
	for (; err == CV_OK && entry != NULL; entry = entry->next) {
		char gateway[CV_ID_BUF];
		int i;

		err = json_get_id(entry, "gateway", gateway);
		if (err != CV_OK)
			break;
		i = share_set_find(&id->set, gateway);
		if (i >= 0)
			err = json_get_text(
				entry, "address", id->addresses[i], sizeof(id->addresses[i]));
	}
	json_free(tree);
	return err;
}

enum cv_err identity_load(struct identity *id, const char **problem)
{
	char *work = scratch_alloc(WORK_MAX);
	struct device_file d;
	enum cv_err err = CV_ERR_INTERNAL;

	memset(id, 0, sizeof(*id));
	memset(&d, 0, sizeof(d));
	*problem = "memory";
	if (work == NULL)
		return CV_ERR_MEMORY;
	*problem = "device.json";
	err = device_read(&d, work);
	if (err != CV_OK)
		goto out;
	*problem = "share-set.jws";
	err = share_set_read(id, &d, work);
	if (err != CV_OK)
		goto out;
	*problem = "mac.root";
	err = keys_derive(id);
	if (err != CV_OK)
		goto out;
	*problem = "gateways.json";
	err = addresses_read(id, work);
out:
	scratch_free(work, WORK_MAX);
	if (err != CV_OK)
		identity_wipe(id);
	else
		*problem = NULL;
	return err;
}

void identity_wipe(struct identity *id)
{
	crypto_wipe(id, sizeof(*id));
}
