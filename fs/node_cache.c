#include "fs/node_cache.h"

#include <stdlib.h>

#include "protocol/crypto.h"

#define SPARE_KEEP 64

static void list_add(struct node_list *l, struct node *n)
{
	n->lru_prev = l->last;
	n->lru_next = NULL;
	if (l->last)
		l->last->lru_next = n;
	else
		l->first = n;
	l->last = n;
	l->count++;
}

static void list_remove(struct node_list *l, struct node *n)
{
	if (n->lru_prev)
		n->lru_prev->lru_next = n->lru_next;
	else
		l->first = n->lru_next;
	if (n->lru_next)
		n->lru_next->lru_prev = n->lru_prev;
	else
		l->last = n->lru_prev;
	n->lru_prev = NULL;
	n->lru_next = NULL;
	l->count--;
}

static struct node **bucket(struct node_cache *c, uint64_t id)
{
	uint64_t h = (id >> 2 ^ id) * 0x9E3779B97F4A7C15u;

	return &c->buckets[h >> 52 & (NODE_CACHE_BUCKETS - 1)];
}

static void hash_add(struct node_cache *c, struct node *n)
{
	struct node **b = bucket(c, n->id);

	n->hash_next = *b;
	*b = n;
}

static void hash_remove(struct node_cache *c, struct node *n)
{
	struct node **p = bucket(c, n->id);

	while (*p != n)
		p = &(*p)->hash_next;
	*p = n->hash_next;
	n->hash_next = NULL;
}

static void node_free(struct node *n)
{
	crypto_wipe(n->page, sizeof(n->page));
	free(n);
}

void node_cache_init(struct node_cache *c, size_t bytes)
{
	memset(c, 0, sizeof(*c));
	c->clean_max = bytes / sizeof(struct node);
	c->next_id = NODE_ID_DIRTY;
}

static void list_free(struct node_list *l)
{
	while (l->first) {
		struct node *n = l->first;

		list_remove(l, n);
		node_free(n);
	}
}

void node_cache_wipe(struct node_cache *c)
{
	list_free(&c->clean);
	list_free(&c->dirty);
	list_free(&c->spare);
	memset(c->buckets, 0, sizeof(c->buckets));
}

struct node *node_cache_find(struct node_cache *c, uint64_t id)
{
	struct node *n = *bucket(c, id);

	while (n && n->id != id)
		n = n->hash_next;
	return n;
}

struct node *node_cache_new(struct node_cache *c, uint8_t level)
{
	struct node *n = c->spare.count > SPARE_KEEP ? c->spare.last : NULL;

	if (n)
		list_remove(&c->spare, n);
	else
		n = malloc(sizeof(*n));
	if (n)
		node_init(n, level);
	return n;
}

struct node *node_cache_take_spare(struct node_cache *c, uint8_t level)
{
	struct node *n = c->spare.last;

	list_remove(&c->spare, n);
	node_init(n, level);
	return n;
}

enum cv_err node_cache_reserve(struct node_cache *c, size_t nodes)
{
	while (c->spare.count < nodes) {
		struct node *n = malloc(sizeof(*n));

		if (!n)
			return CV_ERR_MEMORY;
		node_init(n, 0);
		list_add(&c->spare, n);
	}
	return CV_OK;
}

void node_cache_add_clean(struct node_cache *c, struct node *n)
{
	n->dirty = false;
	n->address = 0;
	n->id = n->ptr.block;
	hash_add(c, n);
	list_add(&c->clean, n);
}

void node_cache_add_dirty(struct node_cache *c, struct node *n)
{
	n->dirty = true;
	n->address = 0;
	n->id = c->next_id++;
	hash_add(c, n);
	list_add(&c->dirty, n);
}

void node_cache_remove(struct node_cache *c, struct node *n)
{
	hash_remove(c, n);
	list_remove(n->dirty ? &c->dirty : &c->clean, n);
}

void node_cache_discard(struct node_cache *c, struct node *n)
{
	node_cache_remove(c, n);
	node_free(n);
}

void node_cache_touch(struct node_cache *c, struct node *n)
{
	if (n->dirty || c->clean.last == n)
		return;
	list_remove(&c->clean, n);
	list_add(&c->clean, n);
}

void node_cache_trim(struct node_cache *c)
{
	while (c->clean.count > c->clean_max)
		node_cache_discard(c, c->clean.first);
	while (c->spare.count > SPARE_KEEP) {
		struct node *n = c->spare.last;

		list_remove(&c->spare, n);
		node_free(n);
	}
}
