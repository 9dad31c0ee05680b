/* Commands that only read: list, show, audit. None of them can name a secret. */
#include "gateway/opcmd.h"

#include "host/log.h"

#define LIST_MAX 200
#define LIST_DEFAULT 100
#define AUDIT_MAX 1000
#define AUDIT_DEFAULT 200
#define AUDIT_ROOM 1024 /* of the reply, for what is not records */

static enum opcmd_result get_limit(
	struct opcmd *op, uint64_t fallback, uint64_t max, uint64_t *limit)
{
	*limit = fallback;
	if (json_has(op->tree, "limit") &&
		json_get_u64(op->tree, "limit", 1, max, limit) != CV_OK)
		return OPCMD_MALFORMED;
	return OPCMD_OK;
}

static enum opcmd_result list_one(struct keeper *k, struct opcmd *op, const char *id)
{
	bool known = false;

	if (store_device_get(k->store, id, k->rec, &known) != CV_OK || !known) {
		log_error("store: %s", store_why(k->store));
		return OPCMD_STORE_FAILED;
	}
	json_object_open(&op->w, NULL);
	json_text(&op->w, "device", id);
	json_text(&op->w, "state", device_state_name(k->rec->state));
	json_text(&op->w, "trust_class", trust_class_name(k->rec->trust_class));
	if (k->rec->group[0] != '\0')
		json_text(&op->w, "group", k->rec->group);
	json_u64(&op->w, "policy_version", keeper_policy_version(k, k->rec));
	json_object_close(&op->w);
	return OPCMD_OK;
}

enum opcmd_result opcmd_list(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "after", "limit", NULL };
	static char ids[LIST_MAX][CV_ID_BUF];
	char after[CV_ID_BUF] = "";
	uint64_t limit = 0;
	size_t count = 0;
	bool more = false;
	enum opcmd_result result = OPCMD_MALFORMED;

	if (json_only(op->tree, names) == CV_OK &&
		(!json_has(op->tree, "after") || json_get_id(op->tree, "after", after) == CV_OK))
		result = get_limit(op, LIST_DEFAULT, LIST_MAX, &limit);
	if (result != OPCMD_OK)
		return result;
	if (store_device_ids(k->store, after, ids, (size_t)limit, &count, &more) != CV_OK)
		return OPCMD_STORE_FAILED;
	json_array_open(&op->w, "devices");
	for (size_t i = 0; i < count && result == OPCMD_OK; i++)
		result = list_one(k, op, ids[i]);
	json_array_close(&op->w);
	json_bool(&op->w, "more", more);
	return result;
}

static void show_share(struct opcmd *op, const struct record_volume *volume,
	const struct record_share *share, const char *status)
{
	if (!share->present)
		return;
	json_object_open(&op->w, NULL);
	json_bytes(&op->w, "volume_id", volume->volume_id, sizeof(volume->volume_id));
	json_u64(&op->w, "epoch", share->epoch);
	json_u64(&op->w, "x", share->x);
	json_bytes(&op->w, "share_set_hash", share->share_set_hash, sizeof(share->share_set_hash));
	json_text(&op->w, "status", status);
	json_object_close(&op->w);
}

static const char *boot_kind(enum trust_class trust_class)
{
	switch (trust_class) {
	case TRUST_MICROCONTROLLER:
		return "counter";
	case TRUST_TPM:
		return "tpm";
	case TRUST_SOFTWARE:
		break;
	}
	return "kernel";
}

static void show_boot(struct opcmd *op, const struct record *rec)
{
	json_object_open(&op->w, "boot");
	json_text(&op->w, "kind", boot_kind(rec->trust_class));
	if (rec->boot.known)
		json_bytes(&op->w, "last_boot_id", rec->boot.boot_id, sizeof(rec->boot.boot_id));
	json_u64(&op->w, "keys_seen", rec->boot.key_count);
	json_object_close(&op->w);
}

enum opcmd_result opcmd_show(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "device", NULL };
	const struct record *rec = k->rec;
	enum opcmd_result result = OPCMD_MALFORMED;

	if (json_only(op->tree, names) == CV_OK)
		result = opcmd_get_device(k, op);
	if (result != OPCMD_OK)
		return result;
	json_text(&op->w, "device", rec->device);
	json_text(&op->w, "state", device_state_name(rec->state));
	if (rec->note[0] != '\0')
		json_text(&op->w, "reason", rec->note);
	json_text(&op->w, "trust_class", trust_class_name(rec->trust_class));
	if (rec->group[0] != '\0')
		json_text(&op->w, "group", rec->group);
	json_u64(&op->w, "policy_version", keeper_policy_version(k, rec));
	if (k->fleet.frozen)
		json_bool(&op->w, "frozen", true);
	json_raw(&op->w, "policy", rec->policy, rec->policy_len);
	json_array_open(&op->w, "volumes");
	for (size_t i = 0; i < rec->volume_count; i++) {
		show_share(op, &rec->volumes[i], &rec->volumes[i].current, "current");
		show_share(op, &rec->volumes[i], &rec->volumes[i].pending, "pending");
	}
	json_array_close(&op->w);
	show_boot(op, rec);
	json_u64(&op->w, "enrolled", rec->enrolled_s);
	json_u64(&op->w, "last_release", rec->last_release_s);
	json_u64(&op->w, "counter", rec->event_counter);
	return OPCMD_OK;
}

struct audit_page {
	struct opcmd *op;
	uint64_t left;
};

static bool add_audit(void *context, uint64_t seq, const char *text, size_t len)
{
	struct audit_page *page = context;
	struct json_writer *w = &page->op->w;

	(void)seq;
	/* A text doubles at most when its quotes are escaped. */
	if (page->left == 0 || w->cap - w->len < 2 * len + AUDIT_ROOM)
		return false;
	page->left--;
	json_text_n(w, NULL, text, len);
	return true;
}

enum opcmd_result opcmd_read_audit(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "from", "limit", NULL };
	struct audit_page page = { op, 0 };
	uint64_t from = 0;
	enum opcmd_result result = OPCMD_MALFORMED;

	if (json_only(op->tree, names) == CV_OK &&
		json_get_u64(op->tree, "from", 1, CV_JSON_INTEGER_MAX, &from) == CV_OK)
		result = get_limit(op, AUDIT_DEFAULT, AUDIT_MAX, &page.left);
	if (result != OPCMD_OK)
		return result;
	json_array_open(&op->w, "records");
	if (store_audit_read(k->store, from, add_audit, &page) != CV_OK)
		return OPCMD_STORE_FAILED;
	json_array_close(&op->w);
	json_u64(&op->w, "first", from);
	return OPCMD_OK;
}
