#include "fs/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/check_state.h"
#include "fs/checkpoint.h"
#include "protocol/crypto.h"

void check_problem(struct check *c, uint64_t object, uint64_t block, const char *format, ...)
{
	struct check_listed *l = &c->listed[c->listed_count];
	va_list args;

	c->report->problems++;
	if (c->listed_count == CHECK_LISTED_MAX)
		return;
	c->listed_count++;
	memset(l, 0, sizeof(*l));
	l->object = object;
	l->block = block;
	va_start(args, format);
	(void)vsnprintf(l->text, sizeof(l->text), format, args);
	va_end(args);
}

enum cv_err check_grow(void **array, size_t *cap, size_t count, size_t item)
{
	size_t more = *cap * 2 + 256;
	void *p;

	if (count < *cap)
		return CV_OK;
	p = realloc(*array, more * item);
	if (!p)
		return CV_ERR_MEMORY;
	*array = p;
	*cap = more;
	return CV_OK;
}

bool check_in_gap(const struct check *c, uint64_t object)
{
	for (size_t i = 0; i < c->gap_count; i++)
		if (object >= c->gaps[i].from && object <= c->gaps[i].to)
			return true;
	return false;
}

static enum cv_err add_gap(struct check *c, const struct node *n, unsigned i, uint64_t end)
{
	enum cv_err err = check_grow((void **)&c->gaps, &c->gap_cap, c->gap_count, sizeof(*c->gaps));

	if (err)
		return err;
	c->gaps[c->gap_count].from = node_key(n, i).object;
	c->gaps[c->gap_count++].to = i + 1u < n->count ? node_key(n, i + 1).object : end;
	return CV_OK;
}

static enum cv_err check_leaf(struct check *c, const struct node *n)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < n->count && !err; i++) {
		struct item_key key = node_key(n, i);
		size_t len;
		const uint8_t *value = node_value(n, i, &len);

		c->report->items++;
		err = check_item(c, &key, value, len);
	}
	return err;
}

/* A node that does not open: its place and what hangs on it. */
static enum cv_err lose_child(
	struct check *c, const struct node *n, unsigned i, uint64_t end, enum cv_err why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct node_pointer p;
	size_t len;

	pointer_decode(&p, node_value(n, i, &len));
	err = add_gap(c, n, i, end);
	if (err)
		return err;
	check_problem(c, OBJECT_VOLUME, p.block,
		"node of level %u: %s; objects %" PRIu64 " to %" PRIu64 " may be lost", p.level,
		cv_err_text(why), c->gaps[c->gap_count - 1].from,
		c->gaps[c->gap_count - 1].to);
	return check_refer(c, OBJECT_VOLUME, p.block, NODE_BLOCKS, "node");
}

/* Depth is bounded: levels fall by one with each step. `end` is the last object below. */
static enum cv_err check_node(struct check *c, struct node *n, uint64_t block, uint64_t end)
{
	struct tree *t = &c->v->tree;
	enum cv_err err = CV_OK;

	c->report->nodes++;
	/* what a replay changed while the volume is read only has no place in the container */
	if (!n->dirty)
		err = check_refer(c, OBJECT_VOLUME, block, NODE_BLOCKS, "node");
	if (err || n->level == 0)
		return err ? err : check_leaf(c, n);
	for (unsigned i = 0; i < n->count && !err; i++) {
		uint64_t last = i + 1u < n->count ? node_key(n, i + 1).object : end;
		struct node_pointer p;
		struct node *child;
		size_t len;

		pointer_decode(&p, node_value(n, i, &len));
		err = tree_child(t, n, i, &child);
		if (err == CV_ERR_MEMORY)
			return err;
		if (err) {
			err = lose_child(c, n, i, end, err);
			continue;
		}
		err = check_node(c, child, p.block, last);
		/* leaves are many: they do not stay beyond the cache's limit */
		if (child->level == 0 && !child->dirty &&
			t->cache.clean.count > t->cache.clean_max)
			node_cache_discard(&t->cache, child);
	}
	return err;
}

static enum cv_err check_all(struct check *c)
{
	const struct log_descriptor *log = &c->v->super->log;
	enum cv_err err = CV_OK;
	struct node *root;

	for (unsigned i = 0; i < SUPER_SLOTS && !err; i++)
		err = check_refer(c, OBJECT_VOLUME, super_slot_block(i), 1, "superblock");
	if (!err)
		err = check_refer(c, OBJECT_VOLUME, log->ring, log->blocks, "log");
	if (!err)
		err = tree_root(&c->v->tree, &root);
	if (!err)
		err = check_node(c, root, root->ptr.block, UINT64_MAX);
	if (err)
		return err;
	check_end_object(c);
	err = check_names(c);
	if (err)
		return err;
	c->report->orphans = c->orphan_count;
	if (c->gap_count)
		return check_space(c);
	if (c->orphan_count != c->v->super->orphans)
		check_problem(c, OBJECT_VOLUME, 0,
			"the superblock counts %" PRIu64 " orphans, there are %zu",
			c->v->super->orphans, c->orphan_count);
	if (c->object_count != c->v->super->objects)
		check_problem(c, OBJECT_VOLUME, 0,
			"the superblock counts %" PRIu64 " objects, there are %zu",
			c->v->super->objects, c->object_count);
	return check_space(c);
}

static enum cv_err prepare(struct check *c)
{
	c->block = malloc(MAP_BLOCKS * BLOCK_BYTES);
	c->used = calloc(c->v->alloc.regions, sizeof(uint64_t *));
	c->listed = malloc(CHECK_LISTED_MAX * sizeof(*c->listed));
	return c->block && c->used && c->listed ? CV_OK : CV_ERR_MEMORY;
}

static void release(struct check *c)
{
	for (uint64_t i = 0; c->used && i < c->v->alloc.regions; i++)
		free(c->used[i]);
	if (c->block)
		crypto_wipe(c->block, MAP_BLOCKS * BLOCK_BYTES);
	free(c->block);
	free(c->used);
	free(c->objects);
	free(c->gaps);
	free(c->orphans);
	free(c->listed);
}

enum cv_err volume_check_list(struct volume *volume, const struct volume_check_options *options,
	struct volume_check_report *report)
{
	enum cv_err err = CV_OK;
	struct check c = { .v = volume, .options = options, .report = report };

	memset(report, 0, sizeof(*report));
	(void)pthread_mutex_lock(&volume->lock);
	/* only a tree without dirty nodes is one that the container holds */
	if (!volume->read_only)
		err = checkpoint_if_dirty(volume);
	if (!err)
		err = prepare(&c);
	if (!err)
		err = check_all(&c);
	if (!err)
		err = check_tell(&c);
	release(&c);
	tree_trim(&volume->tree);
	(void)pthread_mutex_unlock(&volume->lock);
	return err;
}

enum cv_err volume_check(struct volume *volume, volume_progress *progress, void *user,
	struct volume_check_report *report)
{
	const struct volume_check_options o = { .progress = progress, .progress_user = user };

	return volume_check_list(volume, &o, report);
}
