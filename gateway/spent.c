#include "gateway/spent.h"

#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 16 /* the random part identifies a nonce whose tag holds */
#define BUCKETS 65536
#define NONE UINT32_MAX

/* A ring in order of age; each entry hangs in the chain of its bucket. */
struct entry {
	uint8_t key[KEY_BYTES];
	uint64_t until_ms;
	uint32_t next;
};

struct spent {
	struct entry entries[SPENT_MAX];
	uint32_t buckets[BUCKETS];
	size_t oldest;
	size_t count;
};

/* The keys are our own random bytes, so any of them will do as a hash. */
static uint32_t bucket_of(const uint8_t key[KEY_BYTES])
{
	return (uint32_t)key[0] << 8 | key[1];
}

enum cv_err spent_open(struct spent **out)
{
	struct spent *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return CV_ERR_MEMORY;
	memset(s->buckets, 0xff, sizeof(s->buckets));
	*out = s;
	return CV_OK;
}

void spent_close(struct spent *s)
{
	free(s);
}

static void forget_oldest(struct spent *s)
{
	const uint32_t index = (uint32_t)s->oldest;
	uint32_t *link = &s->buckets[bucket_of(s->entries[index].key)];

	while (*link != index)
		link = &s->entries[*link].next;
	*link = s->entries[index].next;
	s->oldest = (s->oldest + 1) % SPENT_MAX;
	s->count--;
}

enum cv_err spent_add(struct spent *s, const uint8_t nonce[CV_NONCE_BYTES], uint64_t now_ms,
	uint64_t ttl_ms)
{
	const uint32_t bucket = bucket_of(nonce);
	struct entry *e;
	uint32_t index;

	while (s->count > 0 && s->entries[s->oldest].until_ms < now_ms)
		forget_oldest(s);
	for (index = s->buckets[bucket]; index != NONE; index = s->entries[index].next) {
		if (memcmp(s->entries[index].key, nonce, KEY_BYTES) == 0)
			return CV_ERR_NONCE_SPENT;
	}
	if (s->count == SPENT_MAX)
		return CV_ERR_BUSY;
	index = (uint32_t)((s->oldest + s->count) % SPENT_MAX);
	e = &s->entries[index];
	memcpy(e->key, nonce, KEY_BYTES);
	e->until_ms = now_ms + ttl_ms;
	e->next = s->buckets[bucket];
	s->buckets[bucket] = index;
	s->count++;
	return CV_OK;
}

size_t spent_count(const struct spent *s)
{
	return s->count;
}
