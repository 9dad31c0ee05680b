/* `inventory`: what a device's machine is made of, as an operator found it. */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <string.h>

#include "protocol/inventory.h"

static bool unchanged(const struct record *rec, const struct evidence_digest *items, size_t count)
{
	if (count != rec->inventory_count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i].name, rec->inventory[i].name) != 0 ||
			memcmp(items[i].value, rec->inventory[i].value, CV_HASH_BYTES) != 0)
			return false;
	}
	return true;
}

static enum opcmd_result put(
	struct keeper *k, struct opcmd *op, const struct evidence_digest *items, uint8_t count)
{
	char text[16];
	enum opcmd_result result;

	if (unchanged(k->rec, items, count))
		return OPCMD_OK;
	result = opcmd_begin(k, op, false);
	if (result != OPCMD_OK)
		return result;
	memset(k->rec->inventory, 0, sizeof(k->rec->inventory));
	memcpy(k->rec->inventory, items, count * sizeof(items[0]));
	k->rec->inventory_count = count;
	snprintf(text, sizeof(text), "%u", count);
	return opcmd_put_device(k, op, "items", text);
}

/* An empty object takes the inventory away: rules that require a part then refuse. */
enum opcmd_result opcmd_inventory(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "device", "inventory", NULL };
	static struct evidence_digest items[CV_INVENTORY_MAX];
	const struct cJSON *object = NULL;
	enum opcmd_result result = OPCMD_MALFORMED;
	uint8_t count = 0;

	memset(items, 0, sizeof(items));
	if (json_only(op->tree, names) == CV_OK &&
		json_get_object(op->tree, "inventory", &object) == CV_OK &&
		inventory_get(object, items, CV_INVENTORY_MAX, &count) == CV_OK)
		result = opcmd_get_device(k, op);
	if (result == OPCMD_OK)
		result = put(k, op, items, count);
	if (result == OPCMD_OK) {
		json_text(&op->w, "device", op->device);
		json_u64(&op->w, "items", k->rec->inventory_count);
	}
	return result;
}
