#include "gateway/record.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/id.h"
#include "protocol/lp.h"

#define LABEL "conclave-device-v1"
#define GROUP_MARK "group"
#define INVENTORY_MARK "inventory"
#define MARK_BUF 16

static void write_share(struct lp *lp, const struct record_share *s)
{
	lp_u64(lp, s->present ? 1 : 0);
	if (!s->present)
		return;
	lp_u64(lp, s->epoch);
	lp_u64(lp, s->x);
	lp_u64(lp, s->threshold);
	lp_u64(lp, s->members);
	lp_bytes(lp, s->share, sizeof(s->share));
	lp_bytes(lp, s->share_set_hash, sizeof(s->share_set_hash));
	lp_bytes(lp, s->package_hash, sizeof(s->package_hash));
}

static void write_boot(struct lp *lp, const struct record_boot *b)
{
	lp_u64(lp, b->known ? 1 : 0);
	lp_bytes(lp, b->boot_id, sizeof(b->boot_id));
	lp_bytes(lp, b->keys, (size_t)b->key_count * CV_X25519_BYTES);
	lp_bytes(lp, b->history, (size_t)b->history_count * CV_BOOT_ID_BYTES);
}

/* Behind everything that records of the other classes have: those read and write as ever. */
static void write_tpm(struct lp *lp, const struct record *rec)
{
	if (rec->trust_class != TRUST_TPM)
		return;
	lp_bytes(lp, rec->tpm.ek_name, sizeof(rec->tpm.ek_name));
	lp_bytes(lp, rec->tpm.ak, rec->tpm.ak_len);
}

/* At the end, and only where there is something to write: older records read on. */
static void write_group(struct lp *lp, const struct record *rec)
{
	if (rec->group[0] == '\0' && !rec->grant.present && rec->quota_used == 0)
		return;
	lp_text(lp, GROUP_MARK);
	lp_text(lp, rec->group);
	lp_u64(lp, rec->quota_day);
	lp_u64(lp, rec->quota_used);
	lp_u64(lp, rec->grant.present ? 1 : 0);
	if (!rec->grant.present)
		return;
	lp_bytes(lp, rec->grant.volume_id, sizeof(rec->grant.volume_id));
	lp_u64(lp, rec->grant.epoch);
	lp_bytes(lp, rec->grant.boot_key, sizeof(rec->grant.boot_key));
	lp_u64(lp, rec->grant.given_s);
}

static void write_inventory(struct lp *lp, const struct record *rec)
{
	if (rec->inventory_count == 0)
		return;
	lp_text(lp, INVENTORY_MARK);
	lp_u64(lp, rec->inventory_count);
	for (size_t i = 0; i < rec->inventory_count; i++) {
		lp_text(lp, rec->inventory[i].name);
		lp_bytes(lp, rec->inventory[i].value, CV_HASH_BYTES);
	}
}

enum cv_err record_encode(uint8_t out[RECORD_PLAIN_MAX], size_t *len, const struct record *rec)
{
	struct lp lp;

	if (rec->volume_count > RECORD_VOLUMES_MAX || rec->policy_len > CV_POLICY_MAX ||
		rec->boot.key_count > RECORD_BOOT_KEYS_MAX ||
		rec->boot.history_count > RECORD_BOOT_HISTORY || rec->tpm.ak_len > TPM_PUBLIC_MAX ||
		rec->inventory_count > CV_INVENTORY_MAX)
		return CV_ERR_ARGUMENT;
	lp_begin(&lp, out, RECORD_PLAIN_MAX, LABEL);
	lp_text(&lp, rec->device);
	lp_u64(&lp, (uint64_t)rec->state);
	lp_u64(&lp, (uint64_t)rec->trust_class);
	lp_bytes(&lp, rec->mac_key, sizeof(rec->mac_key));
	lp_bytes(&lp, rec->attestation_key, sizeof(rec->attestation_key));
	lp_u64(&lp, rec->policy_version);
	lp_bytes(&lp, rec->policy, rec->policy_len);
	lp_u64(&lp, rec->volume_count);
	for (size_t i = 0; i < rec->volume_count; i++) {
		lp_bytes(&lp, rec->volumes[i].volume_id, CV_VOLUME_ID_BYTES);
		write_share(&lp, &rec->volumes[i].current);
		write_share(&lp, &rec->volumes[i].pending);
		lp_text(&lp, rec->volumes[i].anchor);
	}
	write_boot(&lp, &rec->boot);
	lp_u64(&lp, rec->enrolled_s);
	lp_u64(&lp, rec->last_release_s);
	lp_bytes(&lp, rec->last_session, sizeof(rec->last_session));
	lp_u64(&lp, rec->event_seen ? 1 : 0);
	lp_u64(&lp, rec->event_counter);
	lp_bytes(&lp, rec->event_hash, sizeof(rec->event_hash));
	lp_text(&lp, rec->note);
	write_tpm(&lp, rec);
	write_group(&lp, rec);
	write_inventory(&lp, rec);
	return lp_end(&lp, len);
}

/* A number within bounds; anything else marks the reader as failed. */
static uint64_t read_number(struct lp_reader *r, uint64_t min, uint64_t max)
{
	const uint64_t value = lp_read_u64(r);

	if (r->err == CV_OK && (value < min || value > max))
		r->err = CV_ERR_FORMAT;
	return r->err == CV_OK ? value : 0;
}

/* A field of whole items; returns how many. */
static uint8_t read_items(struct lp_reader *r, void *out, size_t item, size_t max)
{
	size_t len = 0;
	const uint8_t *data = lp_read_bytes(r, &len);

	if (r->err != CV_OK)
		return 0;
	if (len % item != 0 || len / item > max) {
		r->err = CV_ERR_FORMAT;
		return 0;
	}
	if (len > 0)
		memcpy(out, data, len);
	return (uint8_t)(len / item);
}

static void read_share(struct lp_reader *r, struct record_share *s)
{
	s->present = read_number(r, 0, 1) == 1;
	if (!s->present)
		return;
	s->epoch = (uint32_t)read_number(r, 1, UINT32_MAX);
	s->x = (uint8_t)read_number(r, 1, UINT8_MAX);
	s->threshold = (uint8_t)read_number(r, 1, CV_MEMBERS_MAX);
	s->members = (uint8_t)read_number(r, 1, CV_MEMBERS_MAX);
	lp_read_exact(r, s->share, sizeof(s->share));
	lp_read_exact(r, s->share_set_hash, sizeof(s->share_set_hash));
	lp_read_exact(r, s->package_hash, sizeof(s->package_hash));
}

static void read_boot(struct lp_reader *r, struct record_boot *b)
{
	b->known = read_number(r, 0, 1) == 1;
	lp_read_exact(r, b->boot_id, sizeof(b->boot_id));
	b->key_count = read_items(r, b->keys, CV_X25519_BYTES, RECORD_BOOT_KEYS_MAX);
	b->history_count = read_items(r, b->history, CV_BOOT_ID_BYTES, RECORD_BOOT_HISTORY);
}

static void read_policy(struct lp_reader *r, struct record *rec)
{
	size_t len = 0;
	const uint8_t *text = lp_read_bytes(r, &len);

	if (r->err != CV_OK)
		return;
	if (len > CV_POLICY_MAX) {
		r->err = CV_ERR_FORMAT;
		return;
	}
	memcpy(rec->policy, text, len);
	rec->policy[len] = '\0';
	rec->policy_len = len;
}

static void read_volumes(struct lp_reader *r, struct record *rec)
{
	rec->volume_count = (uint8_t)read_number(r, 0, RECORD_VOLUMES_MAX);
	for (size_t i = 0; i < rec->volume_count; i++) {
		struct record_volume *v = &rec->volumes[i];

		lp_read_exact(r, v->volume_id, sizeof(v->volume_id));
		read_share(r, &v->current);
		read_share(r, &v->pending);
		lp_read_text(r, v->anchor, sizeof(v->anchor));
	}
}

static void read_tpm(struct lp_reader *r, struct record *rec)
{
	size_t len = 0;
	const uint8_t *ak;

	if (rec->trust_class != TRUST_TPM)
		return;
	lp_read_exact(r, rec->tpm.ek_name, sizeof(rec->tpm.ek_name));
	ak = lp_read_bytes(r, &len);
	if (r->err != CV_OK)
		return;
	if (len > TPM_PUBLIC_MAX) {
		r->err = CV_ERR_FORMAT;
		return;
	}
	memcpy(rec->tpm.ak, ak, len);
	rec->tpm.ak_len = len;
}

static void read_group(struct lp_reader *r, struct record *rec)
{
	lp_read_text(r, rec->group, sizeof(rec->group));
	rec->quota_day = lp_read_u64(r);
	rec->quota_used = (uint32_t)read_number(r, 0, UINT32_MAX);
	rec->grant.present = read_number(r, 0, 1) == 1;
	/* One form for each record: nothing to say is not said. */
	if (!rec->grant.present && rec->group[0] == '\0' && rec->quota_used == 0 && r->err == CV_OK)
		r->err = CV_ERR_FORMAT;
	if (!rec->grant.present)
		return;
	lp_read_exact(r, rec->grant.volume_id, sizeof(rec->grant.volume_id));
	rec->grant.epoch = (uint32_t)read_number(r, 1, UINT32_MAX);
	lp_read_exact(r, rec->grant.boot_key, sizeof(rec->grant.boot_key));
	rec->grant.given_s = lp_read_u64(r);
}

static void read_inventory(struct lp_reader *r, struct record *rec)
{
	rec->inventory_count = (uint8_t)read_number(r, 1, CV_INVENTORY_MAX);
	for (size_t i = 0; i < rec->inventory_count; i++) {
		struct evidence_digest *item = &rec->inventory[i];

		lp_read_text(r, item->name, sizeof(item->name));
		lp_read_exact(r, item->value, sizeof(item->value));
		if (r->err == CV_OK && !evidence_name_valid(item->name))
			r->err = CV_ERR_FORMAT;
	}
}

/* What only some records have: each behind its mark, at most once, in this order. */
static void read_rest(struct lp_reader *r, struct record *rec)
{
	static const struct {
		const char *mark;
		void (*read)(struct lp_reader *r, struct record *rec);
	} parts[] = { { GROUP_MARK, read_group }, { INVENTORY_MARK, read_inventory } };
	char mark[MARK_BUF];
	size_t next = 0;

	while (r->err == CV_OK && r->pos != r->end) {
		lp_read_text(r, mark, sizeof(mark));
		while (next < sizeof(parts) / sizeof(parts[0]) && r->err == CV_OK &&
			strcmp(mark, parts[next].mark) != 0)
			next++;
		if (next == sizeof(parts) / sizeof(parts[0]))
			r->err = CV_ERR_FORMAT;
		if (r->err != CV_OK)
			return;
		parts[next++].read(r, rec);
	}
}

enum cv_err record_decode(struct record *rec, const uint8_t *data, size_t len)
{
	struct lp_reader r;

	crypto_wipe(rec, sizeof(*rec));
	lp_read_begin(&r, data, len, LABEL);
	lp_read_text(&r, rec->device, sizeof(rec->device));
	rec->state = (enum device_state)read_number(&r, DEVICE_ACTIVE, DEVICE_REVOKED);
	rec->trust_class = (enum trust_class)read_number(&r, TRUST_SOFTWARE, TRUST_TPM);
	lp_read_exact(&r, rec->mac_key, sizeof(rec->mac_key));
	lp_read_exact(&r, rec->attestation_key, sizeof(rec->attestation_key));
	rec->policy_version = lp_read_u64(&r);
	read_policy(&r, rec);
	read_volumes(&r, rec);
	read_boot(&r, &rec->boot);
	rec->enrolled_s = lp_read_u64(&r);
	rec->last_release_s = lp_read_u64(&r);
	lp_read_exact(&r, rec->last_session, sizeof(rec->last_session));
	rec->event_seen = read_number(&r, 0, 1) == 1;
	rec->event_counter = lp_read_u64(&r);
	lp_read_exact(&r, rec->event_hash, sizeof(rec->event_hash));
	lp_read_text(&r, rec->note, sizeof(rec->note));
	read_tpm(&r, rec);
	read_rest(&r, rec);
	if (lp_read_end(&r) != CV_OK) {
		crypto_wipe(rec, sizeof(*rec));
		return CV_ERR_FORMAT;
	}
	return CV_OK;
}

struct record_volume *record_volume_find(
	const struct record *rec, const uint8_t volume_id[CV_VOLUME_ID_BYTES])
{
	for (size_t i = 0; i < rec->volume_count && i < RECORD_VOLUMES_MAX; i++) {
		if (crypto_equal(rec->volumes[i].volume_id, volume_id, CV_VOLUME_ID_BYTES))
			return (struct record_volume *)&rec->volumes[i];
	}
	return NULL;
}

const struct record_share *record_share_find(const struct record_volume *volume, uint32_t epoch)
{
	if (volume->current.present && volume->current.epoch == epoch)
		return &volume->current;
	if (volume->pending.present && volume->pending.epoch == epoch)
		return &volume->pending;
	return NULL;
}
