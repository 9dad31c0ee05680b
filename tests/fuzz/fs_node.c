/*
 * A node's page as it comes out of decryption: whatever node_decode takes, everything that later
 * reads nodes can walk, search, change and write again.
 */
#include <stdlib.h>

#include "fs/node.h"

#define BLOCKS 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_value(
	const struct node *n, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct name_entry name;
	struct map_entry entry;
	struct inode inode;
	size_t at = 0;

	if (n->level > 0)
		return;
	if (key->type == ITEM_INODE)
		inode_decode(&inode, value);
	if (key->type == ITEM_MAP)
		for (unsigned i = 0; i < MAP_BLOCKS; i++)
			map_entry_get(&entry, value, len, i);
	while (key->type == ITEM_DIRENT && dirent_next(&name, value, len, &at))
		if (!item_name_valid(name.name, name.name_len))
			abort();
}

/* What was taken and is encoded again gives the same page. */
static void assert_round_trip(const struct node *n, uint64_t generation)
{
	uint8_t *page = malloc(NODE_PAGE_BYTES);

	node_encode(n, generation, page);
	if (memcmp(page, n->page, NODE_PAGE_BYTES) != 0)
		abort();
	free(page);
}

static void split_and_join(struct node *n)
{
	struct node *right = malloc(sizeof(*right));

	node_init(right, n->level);
	node_move_tail(n, n->count / 2, right);
	while (right->count)
		node_remove(right, right->count / 2u);
	free(right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct node *n = malloc(sizeof(*n));
	uint64_t generation = 1;
	uint8_t level = 0;

	node_init(n, 0);
	if (size > NODE_PAGE_BYTES)
		size = NODE_PAGE_BYTES;
	/* short inputs keep both ends, where slots and values are */
	memcpy(n->page, data, size / 2);
	memcpy(n->page + NODE_PAGE_BYTES - (size - size / 2), data + size / 2, size - size / 2);
	if (size >= NODE_HEADER_BYTES * 2) {
		generation = le64(n->page);
		level = n->page[8];
	}
	if (node_decode(n, level, generation, BLOCKS) == CV_OK) {
		for (unsigned i = 0; i < n->count; i++) {
			struct item_key key = node_key(n, i);
			size_t len;
			const uint8_t *value = node_value(n, i, &len);
			bool exact;

			if (node_find(n, &key, &exact) != i || !exact)
				abort();
			walk_value(n, &key, value, len);
		}
		assert_round_trip(n, generation);
		split_and_join(n);
	}
	free(n);
	return 0;
}
