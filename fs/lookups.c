#include "fs/lookups.h"

#include <stdlib.h>

#define PLACES_MIN 1024

enum cv_err lookups_init(struct lookups *l)
{
	l->place = calloc(PLACES_MIN, sizeof(*l->place));
	l->places = PLACES_MIN;
	l->used = 0;
	return l->place ? CV_OK : CV_ERR_MEMORY;
}

void lookups_wipe(struct lookups *l)
{
	free(l->place);
	l->place = NULL;
	l->places = 0;
	l->used = 0;
}

static size_t home(const struct lookups *l, uint64_t object)
{
	return (size_t)(object * 0x9E3779B97F4A7C15u >> 20) & (l->places - 1);
}

/* The place of `object`, or the free one where it would be. */
static struct lookup *find(const struct lookups *l, uint64_t object)
{
	size_t i = home(l, object);

	while (l->place[i].object && l->place[i].object != object)
		i = (i + 1) & (l->places - 1);
	return &l->place[i];
}

static enum cv_err resize(struct lookups *l, size_t places)
{
	struct lookups other = { .places = places, .used = l->used };

	other.place = calloc(places, sizeof(*other.place));
	if (!other.place)
		return CV_ERR_MEMORY;
	for (size_t i = 0; i < l->places; i++)
		if (l->place[i].object)
			*find(&other, l->place[i].object) = l->place[i];
	free(l->place);
	*l = other;
	return CV_OK;
}

enum cv_err lookups_add(struct lookups *l, uint64_t object, uint64_t parent)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct lookup *p;

	if (l->used >= l->places / 4 * 3) {
		err = resize(l, l->places * 2);
		if (err)
			return err;
	}
	p = find(l, object);
	l->used += p->object == 0;
	p->object = object;
	p->parent = parent;
	p->count++;
	return CV_OK;
}

/* Takes a place out and moves up what was pushed past it. */
static void release(struct lookups *l, struct lookup *p)
{
	size_t hole = (size_t)(p - l->place);
	size_t i = hole;

	for (;;) {
		size_t h;

		i = (i + 1) & (l->places - 1);
		if (!l->place[i].object)
			break;
		h = home(l, l->place[i].object);
		if (((i - h) & (l->places - 1)) >= ((i - hole) & (l->places - 1))) {
			l->place[hole] = l->place[i];
			hole = i;
		}
	}
	l->place[hole] = (struct lookup){ .object = 0 };
	l->used--;
}

uint64_t lookups_forget(struct lookups *l, uint64_t object, uint64_t count)
{
	struct lookup *p = find(l, object);

	if (!p->object)
		return 0;
	if (p->count > count) {
		p->count -= count;
		return p->count;
	}
	release(l, p);
	/* a table that cannot become smaller now stays as it is */
	if (l->places > PLACES_MIN && l->used < l->places / 8)
		(void)resize(l, l->places / 2);
	return 0;
}

uint64_t lookups_get(const struct lookups *l, uint64_t object)
{
	return find(l, object)->count;
}

void lookups_move(struct lookups *l, uint64_t object, uint64_t parent)
{
	struct lookup *p = find(l, object);

	if (p->object)
		p->parent = parent;
}

uint64_t lookups_parent(const struct lookups *l, uint64_t object)
{
	return find(l, object)->parent;
}

void lookups_writer(struct lookups *l, uint64_t object, int by)
{
	struct lookup *p = find(l, object);

	if (p->object && (by > 0 || p->writers > 0))
		p->writers += (uint32_t)by;
}

uint32_t lookups_writers(const struct lookups *l, uint64_t object)
{
	return find(l, object)->writers;
}

void lookups_told(struct lookups *l, uint64_t object, bool told)
{
	struct lookup *p = find(l, object);

	if (p->object)
		p->told = told;
}

bool lookups_is_told(const struct lookups *l, uint64_t object)
{
	return find(l, object)->told;
}

void lookups_failed(struct lookups *l, uint64_t object)
{
	struct lookup *p = find(l, object);

	if (p->object)
		p->failed = true;
}

bool lookups_take_failure(struct lookups *l, uint64_t object)
{
	struct lookup *p = find(l, object);
	bool failed = p->failed;

	p->failed = false;
	return failed;
}
