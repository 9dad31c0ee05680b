#include "provisioning/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/json_get.h"

#define GATEWAYS_MAX 64
#define BUCKETS 65536
#define NONE SIZE_MAX

/* A boot of a device under one unlock key, and who released to it. */
struct boot {
	char device[CV_ID_BUF];
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	uint8_t boot_key[CV_X25519_BYTES];
	uint64_t gateways; /* bit per index in the list of gateways */
	uint64_t last_s;
	size_t next; /* in its bucket */
	bool confirmed; /* only the entry without a key, which stands for MOUNT_OK itself */
	bool came_back; /* a gateway saw another boot of the device in between */
};

/* Which boot a gateway released to last, for each device. */
struct latest {
	char device[CV_ID_BUF];
	size_t gateway;
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	size_t next;
};

struct reconcile {
	char gateways[GATEWAYS_MAX][CV_ID_BUF];
	size_t gateway_count;
	bool incomplete;
	struct boot *boots;
	size_t count, cap;
	struct latest *latest;
	size_t latest_count, latest_cap;
	size_t boot_bucket[BUCKETS], latest_bucket[BUCKETS]; /* the newest of each */
};

enum cv_err reconcile_open(struct reconcile **out)
{
	struct reconcile *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return CV_ERR_MEMORY;
	for (size_t i = 0; i < BUCKETS; i++)
		r->boot_bucket[i] = r->latest_bucket[i] = NONE;
	*out = r;
	return CV_OK;
}

void reconcile_close(struct reconcile *r)
{
	if (r == NULL)
		return;
	free(r->boots);
	free(r->latest);
	free(r);
}

enum cv_err reconcile_missing(struct reconcile *r, const char *gateway)
{
	(void)gateway;
	r->incomplete = true;
	return CV_OK;
}

bool reconcile_incomplete(const struct reconcile *r)
{
	return r->incomplete;
}

size_t reconcile_boots(const struct reconcile *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += !r->boots[i].confirmed;
	return n;
}

static enum cv_err gateway_index(struct reconcile *r, const char *gateway, size_t *index)
{
	for (*index = 0; *index < r->gateway_count; (*index)++) {
		if (strcmp(r->gateways[*index], gateway) == 0)
			return CV_OK;
	}
	if (r->gateway_count == GATEWAYS_MAX || strlen(gateway) >= CV_ID_BUF)
		return CV_ERR_FULL;
	strcpy(r->gateways[r->gateway_count++], gateway);
	return CV_OK;
}

/* Room for one more; the array may move. */
static enum cv_err grow(void **array, size_t count, size_t *cap, size_t size)
{
	void *grown;

	if (count < *cap)
		return CV_OK;
	grown = realloc(*array, (*cap == 0 ? 256 : 2 * *cap) * size);
	if (grown == NULL)
		return CV_ERR_MEMORY;
	*array = grown;
	*cap = *cap == 0 ? 256 : 2 * *cap;
	return CV_OK;
}

/* FNV-1a; nobody gains by making the operator's tool slow. */
static size_t bucket(const char *device, const uint8_t *more, size_t len)
{
	uint32_t h = 2166136261u;

	for (; *device != '\0'; device++)
		h = (h ^ (uint8_t)*device) * 16777619u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ more[i]) * 16777619u;
	return h % BUCKETS;
}

static bool same_boot(const struct boot *b, const char *device, const uint8_t *boot_id)
{
	return memcmp(b->boot_id, boot_id, CV_BOOT_ID_BYTES) == 0 && strcmp(b->device, device) == 0;
}

static struct boot *find_boot(
	struct reconcile *r, const char *device, const uint8_t *boot_id, const uint8_t *key)
{
	size_t i = r->boot_bucket[bucket(device, boot_id, CV_BOOT_ID_BYTES)];

	for (; i != NONE; i = r->boots[i].next) {
		if (same_boot(&r->boots[i], device, boot_id) &&
			memcmp(r->boots[i].boot_key, key, CV_X25519_BYTES) == 0)
			return &r->boots[i];
	}
	return NULL;
}

static enum cv_err find_latest(
	struct reconcile *r, const char *device, size_t gateway, struct latest **out)
{
	const uint8_t index = (uint8_t)gateway;
	size_t *first = &r->latest_bucket[bucket(device, &index, 1)];
	enum cv_err err;

	for (size_t i = *first; i != NONE; i = r->latest[i].next) {
		if (r->latest[i].gateway == gateway && strcmp(r->latest[i].device, device) == 0) {
			*out = &r->latest[i];
			return CV_OK;
		}
	}
	err = grow((void **)&r->latest, r->latest_count, &r->latest_cap, sizeof(*r->latest));
	if (err != CV_OK)
		return err;
	*out = &r->latest[r->latest_count++];
	memset(*out, 0, sizeof(**out));
	strcpy((*out)->device, device);
	(*out)->gateway = gateway;
	(*out)->next = *first;
	*first = r->latest_count - 1;
	return CV_OK;
}

static enum cv_err add_boot(struct reconcile *r, const char *device, const uint8_t *boot_id,
	const uint8_t *key, struct boot **out)
{
	size_t *first = &r->boot_bucket[bucket(device, boot_id, CV_BOOT_ID_BYTES)];
	enum cv_err err = grow((void **)&r->boots, r->count, &r->cap, sizeof(*r->boots));

	if (err != CV_OK)
		return err;
	*out = &r->boots[r->count++];
	memset(*out, 0, sizeof(**out));
	strcpy((*out)->device, device);
	memcpy((*out)->boot_id, boot_id, CV_BOOT_ID_BYTES);
	memcpy((*out)->boot_key, key, CV_X25519_BYTES);
	(*out)->next = *first;
	*first = r->count - 1;
	return CV_OK;
}

static enum cv_err add_release(
	struct reconcile *r, size_t gateway, const char *device, const cJSON *doc, uint64_t time_s)
{
	uint8_t boot_id[CV_BOOT_ID_BYTES], key[CV_X25519_BYTES];
	struct latest *latest = NULL;
	struct boot *boot;
	enum cv_err err = json_get_bytes(doc, "boot_id", boot_id, sizeof(boot_id));

	if (err == CV_OK)
		err = json_get_bytes(doc, "boot_key", key, sizeof(key));
	if (err == CV_OK)
		err = find_latest(r, device, gateway, &latest);
	if (err != CV_OK)
		return err;
	boot = find_boot(r, device, boot_id, key);
	if (boot == NULL)
		err = add_boot(r, device, boot_id, key, &boot);
	if (err != CV_OK)
		return err;
	if ((boot->gateways & 1ull << gateway) != 0 &&
		memcmp(latest->boot_id, boot_id, sizeof(boot_id)) != 0)
		boot->came_back = true;
	memcpy(latest->boot_id, boot_id, sizeof(boot_id));
	boot->gateways |= 1ull << gateway;
	if (time_s > boot->last_s)
		boot->last_s = time_s;
	return CV_OK;
}

/*
 * The device opened its volume in this boot: under whichever key, it is one machine's boot. The
 * gateway that heard of it need not have released, so this may come before any release.
 */
static enum cv_err confirm(struct reconcile *r, const char *device, const uint8_t *boot_id)
{
	static const uint8_t no_key[CV_X25519_BYTES];
	struct boot *b = find_boot(r, device, boot_id, no_key);
	enum cv_err err = CV_OK;

	if (b == NULL)
		err = add_boot(r, device, boot_id, no_key, &b);
	if (err == CV_OK)
		b->confirmed = true;
	return err;
}

static bool text_is(const cJSON *doc, const char *name, const char *value)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, name));

	return text != NULL && strcmp(text, value) == 0;
}

enum cv_err reconcile_add(struct reconcile *r, const char *gateway, const char *text)
{
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	char device[CV_ID_BUF];
	cJSON *doc = NULL;
	uint64_t time_s = 0;
	size_t index = 0;
	enum cv_err err = gateway_index(r, gateway, &index);

	if (err == CV_OK)
		err = json_parse(&doc, text, strlen(text), CV_OP_BODY_MAX);
	if (err == CV_OK && json_get_id(doc, "device", device) == CV_OK &&
		json_get_u64(doc, "time", 0, CV_JSON_INTEGER_MAX, &time_s) == CV_OK) {
		if (text_is(doc, "kind", "release"))
			err = add_release(r, index, device, doc, time_s);
		else if (text_is(doc, "kind", "event") && text_is(doc, "event", "MOUNT_OK") &&
			json_get_bytes(doc, "boot_id", boot_id, sizeof(boot_id)) == CV_OK)
			err = confirm(r, device, boot_id);
	}
	json_free(doc);
	return err;
}

static size_t bits(uint64_t set)
{
	size_t n = 0;

	for (; set != 0; set &= set - 1)
		n++;
	return n;
}

/* An older entry of the same boot; the chain runs from the newest to the oldest. */
static bool has_other_key(const struct reconcile *r, const struct boot *b)
{
	for (size_t i = b->next; i != NONE; i = r->boots[i].next) {
		if (!r->boots[i].confirmed && same_boot(&r->boots[i], b->device, b->boot_id))
			return true;
	}
	return false;
}

struct judging {
	const struct boot *boot;
	void (*found)(void *user, const struct reconcile_result *result);
	void *user;
};

static void tell(const struct judging *j, enum reconcile_finding finding)
{
	struct reconcile_result result = {finding, j->boot->device, "", bits(j->boot->gateways),
		j->boot->last_s};

	hex_encode(result.boot_id, j->boot->boot_id, CV_BOOT_ID_BYTES);
	j->found(j->user, &result);
}

static bool is_confirmed(const struct reconcile *r, const struct boot *b)
{
	size_t i = r->boot_bucket[bucket(b->device, b->boot_id, CV_BOOT_ID_BYTES)];

	for (; i != NONE; i = r->boots[i].next) {
		if (r->boots[i].confirmed && same_boot(&r->boots[i], b->device, b->boot_id))
			return true;
	}
	return false;
}

static void judge_boot(const struct reconcile *r, const struct reconcile_rules *rules,
	const struct judging *j)
{
	const struct boot *b = j->boot;
	const size_t threshold = rules->threshold(rules->user, b->device);
	const bool over = b->last_s + RECONCILE_GRACE_S < rules->now_s;
	const bool few = threshold > 0 && bits(b->gateways) < threshold;

	if (few && over && !r->incomplete)
		tell(j, RECONCILE_FEW_GATEWAYS);
	if (!few && over && !is_confirmed(r, b))
		tell(j, RECONCILE_UNCONFIRMED);
	if (has_other_key(r, b))
		tell(j, RECONCILE_TWO_KEYS);
	if (b->came_back)
		tell(j, RECONCILE_ALTERNATING);
}

void reconcile_judge(struct reconcile *r, const struct reconcile_rules *rules,
	void (*found)(void *user, const struct reconcile_result *result), void *user)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct judging j = {&r->boots[i], found, user};

		if (r->boots[i].confirmed || r->boots[i].last_s < rules->since_s ||
			(rules->device != NULL && strcmp(rules->device, j.boot->device) != 0))
			continue;
		judge_boot(r, rules, &j);
	}
}

const char *reconcile_name(enum reconcile_finding finding)
{
	switch (finding) {
	case RECONCILE_FEW_GATEWAYS:
		return "few_gateways";
	case RECONCILE_UNCONFIRMED:
		return "unconfirmed";
	case RECONCILE_TWO_KEYS:
		return "two_keys";
	case RECONCILE_ALTERNATING:
		return "alternating";
	}
	return "unknown";
}
