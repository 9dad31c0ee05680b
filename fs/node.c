#include "fs/node.h"

#define SLOT_VALUE_AT 18
#define SLOT_LEN_AT 20

static uint8_t *slot(struct node *n, unsigned i)
{
	return n->page + NODE_HEADER_BYTES + (size_t)i * NODE_SLOT_BYTES;
}

static const uint8_t *slot_const(const struct node *n, unsigned i)
{
	return n->page + NODE_HEADER_BYTES + (size_t)i * NODE_SLOT_BYTES;
}

static void slot_set(uint8_t *s, const struct item_key *key, size_t at, size_t len)
{
	put_le64(s, key->object);
	put_le64(s + 8, key->offset);
	s[16] = key->type;
	s[17] = 0;
	put_le16(s + SLOT_VALUE_AT, (uint16_t)at);
	put_le16(s + SLOT_LEN_AT, (uint16_t)len);
	put_le16(s + 22, 0);
}

void node_init(struct node *n, uint8_t level)
{
	/* what is in the page counts as far as slots and heap reach */
	memset(n, 0, offsetof(struct node, page));
	n->level = level;
	n->heap = NODE_PAGE_BYTES;
}

struct item_key node_key(const struct node *n, unsigned i)
{
	const uint8_t *s = slot_const(n, i);

	return (struct item_key){ .object = le64(s), .offset = le64(s + 8), .type = s[16] };
}

const uint8_t *node_value(const struct node *n, unsigned i, size_t *len)
{
	const uint8_t *s = slot_const(n, i);

	*len = le16(s + SLOT_LEN_AT);
	return n->page + le16(s + SLOT_VALUE_AT);
}

uint8_t *node_value_mut(struct node *n, unsigned i, size_t *len)
{
	const uint8_t *s = slot_const(n, i);

	*len = le16(s + SLOT_LEN_AT);
	return n->page + le16(s + SLOT_VALUE_AT);
}

unsigned node_find(const struct node *n, const struct item_key *key, bool *exact)
{
	unsigned low = 0;
	unsigned high = n->count;

	*exact = false;
	while (low < high) {
		unsigned mid = (low + high) / 2;
		struct item_key k = node_key(n, mid);
		int c = item_key_compare(&k, key);

		if (c < 0) {
			low = mid + 1;
		} else {
			high = mid;
			*exact |= c == 0;
		}
	}
	return low;
}

unsigned node_find_child(const struct node *n, const struct item_key *key)
{
	bool exact;
	unsigned i = node_find(n, key, &exact);

	return exact || i == 0 ? i : i - 1;
}

static void node_compact(struct node *n)
{
	uint8_t values[NODE_PAGE_BYTES];
	size_t at = NODE_PAGE_BYTES;

	memcpy(values, n->page, sizeof(values));
	for (unsigned i = 0; i < n->count; i++) {
		uint8_t *s = slot(n, i);
		size_t len = le16(s + SLOT_LEN_AT);

		at -= len;
		memcpy(n->page + at, values + le16(s + SLOT_VALUE_AT), len);
		put_le16(s + SLOT_VALUE_AT, (uint16_t)at);
	}
	n->heap = (uint16_t)at;
	n->waste = 0;
}

void node_insert(
	struct node *n, unsigned i, const struct item_key *key, const uint8_t *value, size_t len)
{
	size_t slots_end = NODE_HEADER_BYTES + (n->count + 1u) * (size_t)NODE_SLOT_BYTES;

	if (n->heap < slots_end + len)
		node_compact(n);
	memmove(slot(n, i + 1), slot(n, i), (n->count - i) * (size_t)NODE_SLOT_BYTES);
	n->heap = (uint16_t)(n->heap - len);
	memcpy(n->page + n->heap, value, len);
	slot_set(slot(n, i), key, n->heap, len);
	n->count++;
}

void node_remove(struct node *n, unsigned i)
{
	const uint8_t *s = slot(n, i);
	size_t at = le16(s + SLOT_VALUE_AT);
	size_t len = le16(s + SLOT_LEN_AT);

	if (at == n->heap)
		n->heap = (uint16_t)(n->heap + len);
	else
		n->waste = (uint16_t)(n->waste + len);
	memmove(slot(n, i), slot(n, i + 1), (n->count - i - 1u) * (size_t)NODE_SLOT_BYTES);
	n->count--;
}

void node_set_key(struct node *n, unsigned i, const struct item_key *key)
{
	uint8_t *s = slot(n, i);

	slot_set(s, key, le16(s + SLOT_VALUE_AT), le16(s + SLOT_LEN_AT));
}

void node_move_tail(struct node *n, unsigned at, struct node *to)
{
	for (unsigned i = at; i < n->count; i++) {
		struct item_key key = node_key(n, i);
		size_t len;
		const uint8_t *value = node_value(n, i, &len);

		node_insert(to, to->count, &key, value, len);
	}
	while (n->count > at)
		node_remove(n, n->count - 1u);
}

void node_encode(const struct node *n, uint64_t generation, uint8_t page[NODE_PAGE_BYTES])
{
	size_t at = NODE_PAGE_BYTES;
	size_t slots_end = NODE_HEADER_BYTES + n->count * (size_t)NODE_SLOT_BYTES;

	memset(page, 0, NODE_HEADER_BYTES);
	put_le64(page, generation);
	page[8] = n->level;
	put_le16(page + 10, n->count);
	for (unsigned i = 0; i < n->count; i++) {
		struct item_key key = node_key(n, i);
		size_t len;
		const uint8_t *value = node_value(n, i, &len);

		at -= len;
		memcpy(page + at, value, len);
		slot_set(page + NODE_HEADER_BYTES + (size_t)i * NODE_SLOT_BYTES, &key, at, len);
	}
	memset(page + slots_end, 0, at - slots_end);
}

static bool child_valid(const struct node *n, const uint8_t *value, size_t len, uint64_t generation,
	uint64_t blocks)
{
	struct node_pointer p;

	if (len != POINTER_BYTES || !pointer_valid(value, blocks))
		return false;
	pointer_decode(&p, value);
	return p.level + 1 == n->level && p.generation != 0 && p.generation <= generation;
}

/* Keys rise, values lie tight in slot order down to *end, and each follows its own rules. */
static bool slots_valid(const struct node *n, uint64_t generation, uint64_t blocks, size_t *end)
{
	size_t at = NODE_PAGE_BYTES;

	for (unsigned i = 0; i < n->count; i++) {
		const uint8_t *s = slot_const(n, i);
		struct item_key key = node_key(n, i);
		size_t len = le16(s + SLOT_LEN_AT);

		if (s[17] != 0 || le16(s + 22) != 0 || len > ITEM_VALUE_MAX || len > at ||
			le16(s + SLOT_VALUE_AT) != at - len)
			return false;
		at -= len;
		if (i > 0) {
			struct item_key before = node_key(n, i - 1);

			if (item_key_compare(&before, &key) >= 0)
				return false;
		}
		if (n->level == 0 ? !item_valid(&key, n->page + at, len, blocks)
				  : !child_valid(n, n->page + at, len, generation, blocks))
			return false;
	}
	*end = at;
	return true;
}

enum cv_err node_decode(struct node *n, uint8_t level, uint64_t generation, uint64_t blocks)
{
	size_t slots_end;
	size_t end;

	n->level = n->page[8];
	n->count = le16(n->page + 10);
	if (le64(n->page) != generation || n->level != level || n->level >= NODE_LEVEL_MAX ||
		n->page[9] != 0 || !all_zero(n->page + 12, NODE_HEADER_BYTES - 12))
		return CV_ERR_TAMPERED;
	slots_end = NODE_HEADER_BYTES + n->count * (size_t)NODE_SLOT_BYTES;
	if (n->count == 0 || slots_end > NODE_PAGE_BYTES)
		return CV_ERR_TAMPERED;
	if (!slots_valid(n, generation, blocks, &end) || end < slots_end ||
		!all_zero(n->page + slots_end, end - slots_end))
		return CV_ERR_TAMPERED;
	n->heap = (uint16_t)end;
	n->waste = 0;
	return CV_OK;
}
