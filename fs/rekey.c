#include "fs/rekey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "fs/checkpoint.h"
#include "fs/data_blocks.h"
#include "fs/state.h"
#include "fs/why.h"
#include "protocol/crypto.h"

#define SLICE_ITEMS (REKEY_SLICE_BLOCKS / MAP_BLOCKS)
#define SLICE_LEAVES 256
#define WAIT_STEP_MS 100

/* One MAP item with blocks under old keys. */
struct stale_item {
	struct item_key key;
	uint16_t mask;
	struct map_entry entry[MAP_BLOCKS];
};

struct slice {
	struct volume *v;
	struct rekey *r;
	struct stale_item item[SLICE_ITEMS];
	unsigned items;
	struct map_entry new[REKEY_SLICE_BLOCKS];
	unsigned count;
	uint8_t data[REKEY_SLICE_BLOCKS][BLOCK_BYTES]; /* plain, then sealed in place */
};

bool volume_rekey_runs(struct volume *v)
{
	bool runs;

	(void)pthread_mutex_lock(&v->lock);
	runs = v->super->rekey_born != 0;
	(void)pthread_mutex_unlock(&v->lock);
	return runs;
}

static bool is_old(const struct volume *v, unsigned id)
{
	return id < KEYRING_SLOTS && v->super->keyring[id].born < v->super->rekey_born;
}

/* Notes the blocks of a MAP item that are under old keys; false if the slice is full. */
static bool note_item(
	struct slice *s, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct stale_item *item = &s->item[s->items];

	item->key = *key;
	item->mask = 0;
	for (unsigned i = 0; i * MAP_ENTRY_BYTES < len; i++) {
		map_entry_get(&item->entry[i], value, len, i);
		if (item->entry[i].block == 0)
			continue;
		s->v->rekey_done++;
		if (is_old(s->v, item->entry[i].key))
			item->mask |= (uint16_t)(1u << i);
	}
	if (item->mask)
		s->items++;
	return s->items < SLICE_ITEMS;
}

/* The leaf that holds `key`; *after is the lower bound of the next one, if there is one. */
static enum cv_err find_leaf(struct volume *v, const struct item_key *key, struct node **leaf,
	struct item_key *after, bool *has_after)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node *n;

	*has_after = false;
	err = tree_root(&v->tree, &n);
	while (!err && n->level > 0) {
		unsigned i = node_find_child(n, key);

		if (i + 1u < n->count) {
			*after = node_key(n, i + 1);
			*has_after = true;
		}
		err = tree_child(&v->tree, n, i, &n);
	}
	*leaf = n;
	return err;
}

/*
 * Looks through one leaf from r->at on. A leaf whose own seal is old is dirtied, and with it its
 * whole path: an inner node is never older than what is below it.
 */
static enum cv_err look_at_leaf(struct slice *s, bool *end)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct rekey *r = s->r;
	struct volume *v = s->v;
	struct item_key after = { 0 };
	struct node *leaf;
	bool has_after;
	bool exact;
	bool room = true;
	unsigned i;

	err = find_leaf(v, &r->at, &leaf, &after, &has_after);
	if (err)
		return err;
	for (i = node_find(leaf, &r->at, &exact); i < leaf->count && room; i++) {
		struct item_key key = node_key(leaf, i);
		size_t len;
		const uint8_t *value = node_value(leaf, i, &len);

		if (key.type == ITEM_MAP)
			room = note_item(s, &key, value, len);
	}
	if (!room && i < leaf->count) {
		/* the rest of this leaf comes with the next slice */
		r->at = node_key(leaf, i);
		*end = false;
		return CV_OK;
	}
	if (!leaf->dirty && is_old(v, leaf->ptr.key)) {
		struct item_key key = node_key(leaf, 0);

		r->found = true;
		r->report->nodes++;
		err = tree_prepare(&v->tree, &key);
		v->dirty = true;
	}
	*end = !has_after;
	r->at = after;
	return err;
}

static enum cv_err take_space(struct slice *s)
{
	enum cv_err err = blocks_take(s->v, s->new, s->count, TXN_ADDS);

	/* what is taken now comes back with the blocks that it replaces */
	return err == CV_ERR_FULL ? blocks_take(s->v, s->new, s->count, TXN_FREES) : err;
}

/* Seals what was read and writes it. */
static enum cv_err write_anew(struct slice *s)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < s->count && !err; i++)
		err = keyring_seal_data(&s->v->keyring, &s->new[i], s->data[i], s->data[i]);
	return err ? err : blocks_write(s->v, s->new, s->count, s->data[0]);
}

static enum cv_err commit(struct slice *s)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct txn txn;
	unsigned at = 0;

	txn_init(&txn);
	for (unsigned k = 0; k < s->items; k++) {
		struct stale_item *item = &s->item[k];

		for (unsigned i = 0; i < MAP_BLOCKS; i++)
			if (item->mask >> i & 1)
				item->entry[i] = s->new[at++];
		if (item->mask)
			txn_map(&txn, item->key.object, item->key.offset, item->mask, item->entry);
	}
	err = txn_commit(s->v, &txn, TXN_FREES);
	txn_wipe(&txn);
	return err;
}

/* Reads what was noted; what does not open keeps its place and its key. */
static void gather(struct slice *s)
{
	for (unsigned k = 0; k < s->items; k++) {
		struct stale_item *item = &s->item[k];

		for (unsigned i = 0; i < MAP_BLOCKS; i++) {
			if (!(item->mask >> i & 1))
				continue;
			if (blocks_read(s->v, &item->entry[i], 1, s->data[s->count]) == CV_OK) {
				s->count++;
				continue;
			}
			s->r->report->damaged++;
			item->mask &= (uint16_t)~(1u << i);
		}
	}
}

static enum cv_err reseal(struct slice *s)
{
	enum cv_err err = CV_OK;

	gather(s);
	if (s->count == 0)
		return CV_OK;
	s->r->found = true;
	err = take_space(s);
	if (err)
		return err;
	err = write_anew(s);
	if (!err)
		err = commit(s);
	if (err) {
		blocks_cancel(s->v, s->new, s->count);
		return err;
	}
	s->v->dirty_data += (uint64_t)s->count * BLOCK_BYTES;
	s->r->report->blocks += s->count;
	return CV_OK;
}

/* Nothing of the tree is under the old keys. Both superblock pairs let go of them. */
static enum cv_err drop_old_keys(struct volume *v, struct volume_rekey_report *report)
{
	enum cv_err err = checkpoint_run(v, SUPER_OPEN);

	if (err)
		return err;
	for (unsigned i = 0; i < KEYRING_SLOTS; i++) {
		if (v->super->keyring[i].state == KEY_EMPTY || !is_old(v, i))
			continue;
		keyring_forget(&v->keyring, i);
		report->keys_dropped++;
	}
	v->super->rekey_born = 0;
	err = checkpoint_run(v, SUPER_OPEN);
	return err ? err : checkpoint_run(v, SUPER_OPEN);
}

static enum cv_err end_of_pass(struct volume *v, struct rekey *r)
{
	uint64_t damaged = r->report->damaged;

	memset(&r->at, 0, sizeof(r->at));
	v->rekey_done = 0;
	if (r->found) {
		r->found = false;
		r->report->damaged = 0;
		return CV_OK;
	}
	if (damaged)
		return CV_ERR_TAMPERED;
	r->done = true;
	return drop_old_keys(v, r->report);
}

enum cv_err rekey_slice(struct volume *v, struct rekey *r, uint64_t *blocks)
{
	enum cv_err err = CV_OK;
	struct slice *s = malloc(sizeof(*s));
	bool end = false;

	*blocks = 0;
	if (!s)
		return CV_ERR_MEMORY;
	s->v = v;
	s->r = r;
	s->items = 0;
	s->count = 0;
	if (v->read_only || v->frozen)
		err = CV_ERR_READ_ONLY;
	for (unsigned leaves = 0; leaves < SLICE_LEAVES && !err && !end && s->items == 0; leaves++)
		err = look_at_leaf(s, &end);
	if (!err)
		err = reseal(s);
	*blocks = s->count;
	if (!err)
		err = checkpoint_if_due(v);
	if (!err && end)
		err = end_of_pass(v, r);
	crypto_wipe(s->data, (size_t)s->count * BLOCK_BYTES);
	free(s);
	return err;
}

/* Waits until `blocks` more are allowed at `rate` bytes a second; a stop is heard meanwhile. */
static enum cv_err keep_rate(
	uint64_t rate, uint64_t blocks, volume_progress *progress, void *user)
{
	uint64_t ms = rate ? blocks * BLOCK_BYTES * 1000 / rate : 0;

	while (ms) {
		uint64_t part = ms < WAIT_STEP_MS ? ms : WAIT_STEP_MS;
		struct timespec ts = { .tv_nsec = (long)part * 1000000 };

		(void)nanosleep(&ts, NULL);
		ms -= part;
		if (progress && progress(user, 0, 0, "rekey"))
			return CV_ERR_TIMEOUT;
	}
	return CV_OK;
}

enum cv_err volume_rekey_run(struct volume *v, uint64_t rate, volume_progress *progress,
	void *user, struct volume_rekey_report *report, struct volume_why *why)
{
	enum cv_err err = CV_OK;
	struct rekey r = { .report = report };

	r.done = !volume_rekey_runs(v);
	report->damaged = 0;
	while (!r.done && !err) {
		uint64_t blocks;
		uint64_t done;
		uint64_t total;

		(void)pthread_mutex_lock(&v->lock);
		err = rekey_slice(v, &r, &blocks);
		done = v->rekey_done;
		total = v->alloc.used_blocks;
		(void)pthread_mutex_unlock(&v->lock);
		if (!err && !r.done && progress && progress(user, done, total, "rekey"))
			err = CV_ERR_TIMEOUT;
		if (!err && !r.done)
			err = keep_rate(rate, blocks, progress, user);
	}
	if (err == CV_ERR_TAMPERED && report->damaged)
		return why_set(why, err,
			"%" PRIu64 " damaged blocks keep the old keys alive: `volume check` names their "
			"files; remove those and run it again",
			report->damaged);
	if (err == CV_ERR_TAMPERED)
		return why_set(why, err, "the tree is damaged: `volume check` says where");
	if (err == CV_ERR_FULL)
		return why_set(why, err, "no free space to write to: remove something and go on");
	return err ? why_set(why, err, "%s", err == CV_ERR_TIMEOUT ? "stopped" : cv_err_text(err))
		   : CV_OK;
}
