/* Names against objects, in a second pass over the directories; and paths for what was found. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fs/check_state.h"

#define PATH_MAX_BYTES 4096
#define PATH_DEPTH_MAX 1024
#define SHORT_BYTES 160

static struct check_object *find_object(struct check *c, uint64_t object)
{
	size_t low = 0;
	size_t high = c->object_count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c->objects[mid].object < object)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->object_count && c->objects[low].object == object ? &c->objects[low] : NULL;
}

/* Called for every name of a directory; false ends it. */
typedef bool each_name(struct check *c, uint64_t dir, const struct name_entry *d, void *user);

/* Names below nodes that do not open are passed over. */
static enum cv_err for_names(struct check *c, uint64_t dir, each_name *each, void *user)
{
	struct item_key key = { .object = dir, .type = ITEM_DIRENT };

	for (;; key.offset++) {
		struct name_entry d;
		const uint8_t *value;
		size_t len;
		size_t at = 0;
		enum cv_err err = tree_next(&c->v->tree, &key, &value, &len);

		if (err == CV_ERR_MEMORY)
			return err;
		if (err)
			return CV_OK;
		while (dirent_next(&d, value, len, &at))
			if (!each(c, dir, &d, user))
				return CV_OK;
		tree_trim(&c->v->tree);
	}
}

static bool count_name(struct check *c, uint64_t dir, const struct name_entry *d, void *user)
{
	struct check_object *o = find_object(c, d->object);

	(void)user;
	if (!o) {
		if (!check_in_gap(c, d->object))
			check_problem(c, dir, 0, "has the name %.*s of object %" PRIu64
						 ", which does not exist",
				d->name_len < 64 ? d->name_len : 64, (const char *)d->name, d->object);
		return true;
	}
	o->names++;
	if (o->type != d->type)
		check_problem(c, o->object, 0, "its name has another file type");
	if (o->type == S_IFDIR >> 12 && o->parent != dir)
		check_problem(c, o->object, 0, "is in directory %" PRIu64 ", but says %" PRIu64, dir,
			o->parent);
	return true;
}

static void judge(struct check *c, const struct check_object *o)
{
	bool dir = o->type == S_IFDIR >> 12;
	uint32_t want = dir ? o->object != OBJECT_ROOT && !o->orphan : o->links;

	/* with names below a node that does not open nothing can be counted */
	if (o->names != want && (c->gap_count == 0 || o->names > want))
		check_problem(c, o->object, 0, "should have %" PRIu32 " names, there are %" PRIu32, want,
			o->names);
	if (!dir && (o->orphan == ORPHAN_UNLINKED) != (o->links == 0) && !check_in_gap(c, 0))
		check_problem(c, o->object, 0, "links and orphan item disagree");
}

enum cv_err check_names(struct check *c)
{
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < c->object_count && !err; i++)
		if (c->objects[i].type == S_IFDIR >> 12)
			err = for_names(c, c->objects[i].object, count_name, NULL);
	if (err)
		return err;
	for (size_t k = 0; k < c->orphan_count; k++)
		if (!find_object(c, c->orphans[2 * k]) && !check_in_gap(c, c->orphans[2 * k]))
			check_problem(c, c->orphans[2 * k], 0, "an orphan item of what does not exist");
	if (!find_object(c, OBJECT_ROOT) && !check_in_gap(c, OBJECT_ROOT))
		check_problem(c, OBJECT_VOLUME, 0, "there is no root directory");
	for (size_t i = 0; i < c->object_count; i++)
		judge(c, &c->objects[i]);
	return CV_OK;
}

static bool note_name(struct check *c, uint64_t dir, const struct name_entry *d, void *user)
{
	(void)user;
	for (size_t i = 0; i < c->listed_count; i++) {
		struct check_listed *l = &c->listed[i];

		if (l->object != d->object || l->name_len)
			continue;
		l->dir = dir;
		l->name_len = d->name_len;
		memcpy(l->name, d->name, d->name_len);
	}
	return true;
}

struct wanted_name {
	uint64_t object;
	uint8_t len; /* 0: not found yet */
	char name[NAME_BYTES_MAX];
};

static bool take_name(struct check *c, uint64_t dir, const struct name_entry *d, void *user)
{
	struct wanted_name *w = user;

	(void)c;
	(void)dir;
	if (d->object != w->object)
		return true;
	w->len = d->name_len;
	memcpy(w->name, d->name, d->name_len);
	return false;
}

/* Puts "/name" in front of what begins at *at; false if it does not fit. */
static bool prepend(char *path, size_t *at, const char *name, size_t len)
{
	if (*at < len + 1)
		return false;
	*at -= len;
	memcpy(path + *at, name, len);
	path[--*at] = '/';
	return true;
}

/* The path of what was listed, built from its end; NULL if a name on the way is not known. */
static const char *path_of(struct check *c, const struct check_listed *l, char path[PATH_MAX_BYTES])
{
	uint64_t object = l->object;
	size_t at = PATH_MAX_BYTES - 1;
	struct wanted_name *w = malloc(sizeof(*w));
	bool known = w != NULL;

	path[at] = '\0';
	if (object == OBJECT_ROOT)
		path[--at] = '/';
	for (unsigned depth = 0; known && object != OBJECT_ROOT; depth++) {
		struct check_object *o = find_object(c, object);
		uint64_t dir = object == l->object && l->name_len ? l->dir : o ? o->parent : 0;

		w->object = object;
		w->len = 0;
		known = dir && depth < PATH_DEPTH_MAX &&
			for_names(c, dir, take_name, w) == CV_OK && w->len &&
			prepend(path, &at, w->name, w->len);
		object = dir;
	}
	free(w);
	return known ? path + at : NULL;
}

static void tell(struct check *c, const struct check_listed *l, char path[PATH_MAX_BYTES])
{
	struct volume_check_report *r = c->report;
	struct volume_problem p = { .object = l->object, .block = l->block, .text = l->text };
	char place[64] = "volume";
	char full[PATH_MAX_BYTES + SHORT_BYTES + 64];

	if (l->object != OBJECT_VOLUME)
		p.path = path_of(c, l, path);
	if (l->object != OBJECT_VOLUME)
		(void)snprintf(place, sizeof(place), "object %" PRIu64, l->object);
	else if (l->block)
		(void)snprintf(place, sizeof(place), "block %" PRIu64, l->block);
	(void)snprintf(full, sizeof(full), "%s: %s", p.path ? p.path : place, l->text);
	if (r->first_count < sizeof(r->first) / sizeof(r->first[0]))
		(void)snprintf(r->first[r->first_count++], sizeof(r->first[0]), "%.*s",
			(int)sizeof(r->first[0]) - 1, full);
	if (c->options->found)
		c->options->found(c->options->found_user, &p);
}

enum cv_err check_tell(struct check *c)
{
	enum cv_err err = CV_OK;
	char *path = malloc(PATH_MAX_BYTES);

	if (!path)
		return CV_ERR_MEMORY;
	for (size_t i = 0; i < c->object_count && c->listed_count && !err; i++)
		if (c->objects[i].type == S_IFDIR >> 12)
			err = for_names(c, c->objects[i].object, note_name, NULL);
	for (size_t i = 0; i < c->listed_count && !err; i++)
		tell(c, &c->listed[i], path);
	free(path);
	return err;
}
