#include "fs/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/container.h"
#include "fs/open.h"
#include "fs/salvage_state.h"
#include "fs/why.h"
#include "host/file.h"
#include "protocol/crypto.h"

static const struct item_key LAST = { UINT64_MAX, UINT64_MAX, UINT8_MAX };

static enum cv_err take_leaf(struct salvage *s, const struct node *n)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < n->count && !err; i++) {
		struct item_key key = node_key(n, i);
		size_t len;
		const uint8_t *value = node_value(n, i, &len);

		if (!ranges_painted(&s->painted, &key))
			err = scratch_add(&s->items, &key, value, len);
	}
	return err;
}

/* The places below slot i of an inner node, whose own place ends at `high`. */
static struct key_range below(const struct node *n, unsigned i, const struct item_key *high)
{
	struct key_range r = { .low = node_key(n, i), .high = *high };

	if (i + 1u < n->count)
		r.high = node_key(n, i + 1);
	return r;
}

/* Depth is bounded: levels fall by one with each step. */
static enum cv_err walk(
	struct salvage *s, struct tree *t, struct node *n, const struct item_key *high)
{
	enum cv_err err = CV_OK;

	if (n->level == 0)
		return take_leaf(s, n);
	for (unsigned i = 0; i < n->count && !err; i++) {
		struct key_range range = below(n, i, high);
		struct node *child;

		err = tree_child(t, n, i, &child);
		if (err == CV_ERR_MEMORY)
			return err;
		if (err) {
			err = ranges_append(&s->missing, &range);
			continue;
		}
		err = walk(s, t, child, &range.high);
		if (child->level == 0 && !child->dirty &&
			t->cache.clean.count > t->cache.clean_max)
			node_cache_discard(&t->cache, child);
	}
	return err;
}

static enum cv_err walk_tree(struct salvage *s, struct tree *t)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node *root;

	err = tree_root(t, &root);
	return err ? err : walk(s, t, root, &LAST);
}

/* Leaves of the search, newest first, with generation in [from, to]; `only`: in these places. */
static enum cv_err take_found(
	struct salvage *s, uint64_t from, uint64_t to, const struct ranges *only)
{
	enum cv_err err = CV_OK;
	struct node *n = malloc(sizeof(*n));

	if (!n)
		return CV_ERR_MEMORY;
	for (size_t k = 0; k < s->leaf_count && !err; k++) {
		const struct found_leaf *leaf = &s->leaf[k];

		if (leaf->generation < from || leaf->generation > to ||
			salvage_read_leaf(s, leaf, n))
			continue;
		for (unsigned i = 0; i < n->count && !err; i++) {
			struct item_key key = node_key(n, i);
			size_t len;
			const uint8_t *value = node_value(n, i, &len);

			if (!ranges_painted(&s->painted, &key) &&
				(!only || ranges_hold(only, &key)))
				err = scratch_add(&s->items, &key, value, len);
		}
		if (!err)
			err = ranges_paint(&s->painted, &leaf->keys);
	}
	crypto_wipe(n, sizeof(*n));
	free(n);
	return err;
}

/* What the walk could not look at, from leaves that lie about. */
static enum cv_err fill_gaps(struct salvage *s, uint64_t generation)
{
	enum cv_err err = CV_OK;

	if (s->missing.count == 0)
		return CV_OK;
	salvage_problem(s, &s->report->damaged,
		"%zu nodes of the tree do not open: what they held is missing, or older",
		s->missing.count);
	err = salvage_search(s);
	return err ? err : take_found(s, 0, generation, &s->missing);
}

/* The usual way, log and all; damage that only ends the log early is accepted. */
static enum cv_err open_whole(struct salvage *s, struct volume **v, bool *older)
{
	struct volume_open_options o = { .secret = s->options->secret, .read_only = true };
	enum cv_err err = CV_ERR_TAMPERED;

	for (int round = 0; round < 2 && err; round++) {
		o.accept_older = *older = round > 0;
		err = volume_open_store(v, &s->file.store, &o, NULL);
		if (err && s->options->header)
			err = volume_open_store(v, &s->header.store, &o, NULL);
	}
	return err;
}

/* No superblock is good for an open: the newest whose root opens, and what is newer than that. */
static enum cv_err gather_from_pieces(struct salvage *s)
{
	enum cv_err err = CV_ERR_TAMPERED;
	struct tree tree = { 0 };
	uint64_t generation = 0;

	for (unsigned i = 0; i < s->keys->count && err; i++) {
		const struct super *super = &s->keys->super[i];

		tree_wipe(&tree);
		err = tree_init(&tree, &s->file.store, &s->keys->ring[i], super->clear.blocks,
			VOLUME_CACHE_DEFAULT);
		if (!err)
			err = tree_open(&tree, &super->root);
		if (!err)
			generation = super->clear.generation;
	}
	s->report->generation = generation;
	err = CV_OK;
	if (generation != s->keys->super[0].clear.generation) {
		salvage_problem(s, &s->report->damaged,
			"the root of generation %" PRIu64 " does not open: what comes out is the newest "
			"of what lies about",
			s->keys->super[0].clear.generation);
		err = salvage_search(s);
		if (!err)
			err = take_found(s, generation + 1, UINT64_MAX, NULL);
	}
	if (!err && generation)
		err = walk_tree(s, &tree);
	tree_wipe(&tree);
	return err ? err : fill_gaps(s, generation);
}

static enum cv_err gather(struct salvage *s)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume *v = NULL;
	bool older;

	if (open_whole(s, &v, &older))
		return gather_from_pieces(s);
	if (older)
		salvage_problem(s, &s->report->damaged, "opened only by going back: %.150s",
			volume_notice(v) ? volume_notice(v) : "an older state");
	s->report->generation = v->super->clear.generation;
	err = walk_tree(s, &v->tree);
	volume_drop(v);
	return err ? err : fill_gaps(s, UINT64_MAX);
}

static enum cv_err open_target(struct salvage *s, const char *dir)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return why_set(
			s->why, file_error(errno), "%.120s: %s", dir, strerror(errno));
	s->out_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->out_fd < 0)
		return why_set(
			s->why, file_error(errno), "%.120s: %s", dir, strerror(errno));
	return CV_OK;
}

static enum cv_err salvage(struct salvage *s, const char *dir)
{
	enum cv_err err = CV_OK;

	store_file_init(&s->file, s->fd);
	if (s->options->header)
		err = header_load(&s->header, &s->file.store, s->options->header, s->why);
	if (!err)
		err = salvage_keys_gather(s);
	if (!err)
		err = open_target(s, dir);
	if (err)
		return err;
	err = scratch_open(&s->items, s->out_fd);
	if (!err)
		err = gather(s);
	if (!err)
		err = salvage_write_all(s);
	if (!err && syncfs(s->out_fd))
		err = CV_ERR_IO;
	if (err && s->why && !s->why->text[0])
		(void)why_set(s->why, err, "%.120s: %s", dir, cv_err_text(err));
	return err;
}

static void release(struct salvage *s)
{
	for (size_t i = 0; i < s->link_count; i++)
		free(s->links[i].path);
	free(s->links);
	free(s->leaf);
	free(s->missing.range);
	free(s->painted.range);
	scratch_close(&s->items);
	salvage_keys_wipe(s->keys);
	if (s->out_fd >= 0)
		(void)close(s->out_fd);
	if (s->fd >= 0)
		(void)close(s->fd);
	crypto_wipe(s, sizeof(*s));
	free(s);
}

enum cv_err volume_salvage(const char *path, const char *dir,
	const struct volume_salvage_options *options, struct volume_salvage_report *report,
	struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct salvage *s = calloc(1, sizeof(*s));

	memset(report, 0, sizeof(*report));
	(void)why_set(why, CV_OK, "%s", "");
	if (!s)
		return CV_ERR_MEMORY;
	s->options = options;
	s->report = report;
	s->why = why;
	s->out_fd = -1;
	s->fd = -1;
	err = container_open(&s->fd, path, true, why);
	if (!err)
		err = salvage(s, dir);
	release(s);
	if (!err && (report->damaged || report->skipped || report->partial))
		return why_set(why, CV_ERR_TAMPERED, "not everything came out");
	return err;
}
