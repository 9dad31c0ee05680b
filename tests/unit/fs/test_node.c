/* Pages and items: what decryption leaves is judged completely before anything uses it. */
#include "fs/node.h"
#include "tests/unit/fs/support.h"

#define BLOCKS 16384

static void encode_inode(uint8_t out[INODE_BYTES])
{
	const struct inode i = { .mode = S_IFREG | 0644, .links = 1, .size = 5000, .blocks = 2 };

	inode_encode(out, &i);
}

/* A leaf with one item of nearly every type. */
static void make_leaf(struct node *n)
{
	static const uint8_t bits[REGION_BYTES] = { 0xff };
	const struct item_key keys[] = { { 0, 5, ITEM_ORPHAN }, { 0, 0, ITEM_BITMAP },
		{ 2, 0, ITEM_INODE }, { 2, 77, ITEM_DIRENT }, { 2, 0, ITEM_SYMLINK },
		{ 2, 3, ITEM_MAP } };
	const struct name_entry name = { 3, S_IFREG >> 12, 4, (const uint8_t *)"name" };
	uint8_t map[2 * MAP_ENTRY_BYTES] = { 0 };
	uint8_t orphan[ORPHAN_BYTES];
	uint8_t inode[INODE_BYTES];
	uint8_t names[64];
	size_t name_len = dirent_encode(names, &name);

	map[MAP_ENTRY_BYTES] = 9;
	orphan_encode(orphan, ORPHAN_UNLINKED, 0);
	encode_inode(inode);
	node_init(n, 0);
	node_insert(n, 0, &keys[0], orphan, sizeof(orphan));
	node_insert(n, 1, &keys[1], bits, sizeof(bits));
	node_insert(n, 2, &keys[2], inode, sizeof(inode));
	node_insert(n, 3, &keys[3], names, name_len);
	node_insert(n, 4, &keys[4], (const uint8_t *)"target", 6);
	node_insert(n, 5, &keys[5], map, sizeof(map));
}

static void takes_its_own_pages_back(void **state)
{
	struct node n;
	struct node back;

	(void)state;
	make_leaf(&n);
	node_encode(&n, 12, back.page);
	assert_int_equal(node_decode(&back, 0, 12, BLOCKS), CV_OK);
	assert_int_equal(back.count, n.count);
	assert_int_equal(node_used(&back), node_used(&n));
	assert_int_equal(node_decode(&back, 1, 12, BLOCKS), CV_ERR_TAMPERED);
	assert_int_equal(node_decode(&back, 0, 13, BLOCKS), CV_ERR_TAMPERED);
	assert_int_equal(node_decode(&back, 0, 12, 5), CV_ERR_TAMPERED);
}

/* Every bit of header, slots and the zero gap is checked; a page that is taken stays canonical. */
static void refuses_or_reproduces_every_bit_flip(void **state)
{
	struct node n;
	struct node back;
	uint8_t page[NODE_PAGE_BYTES];
	uint8_t again[NODE_PAGE_BYTES];
	size_t heap;

	(void)state;
	make_leaf(&n);
	heap = n.heap;
	node_encode(&n, 12, page);
	for (size_t bit = 0; bit < NODE_PAGE_BYTES * 8; bit++) {
		size_t at = bit / 8;
		enum cv_err err;

		page[at] ^= (uint8_t)(1u << (bit % 8));
		memcpy(back.page, page, sizeof(page));
		err = node_decode(&back, 0, 12, BLOCKS);
		if (at < NODE_HEADER_BYTES ||
			(at >= NODE_HEADER_BYTES + n.count * (size_t)NODE_SLOT_BYTES && at < heap))
			assert_int_equal(err, CV_ERR_TAMPERED);
		if (err == CV_OK) {
			node_encode(&back, 12, again);
			assert_memory_equal(again, page, sizeof(page));
		}
		page[at] ^= (uint8_t)(1u << (bit % 8));
	}
}

static void keeps_its_content_over_inserts_and_removals(void **state)
{
	uint16_t lengths[512] = { 0 };
	struct node n;
	uint32_t random = 9;

	(void)state;
	node_init(&n, 0);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned k = next_random(&random) % 512;
		struct item_key key = { .object = 2, .type = ITEM_SYMLINK, .offset = k };
		uint8_t value[600];
		size_t len = 1 + next_random(&random) % sizeof(value);
		bool exact;
		unsigned i = node_find(&n, &key, &exact);

		assert_int_equal(exact, lengths[k] != 0);
		if (exact) {
			const uint8_t *there = node_value(&n, i, &len);

			assert_int_equal(len, lengths[k]);
			assert_int_equal(there[0], (uint8_t)k);
			assert_int_equal(there[len - 1], (uint8_t)k);
			node_remove(&n, i);
			lengths[k] = 0;
		} else if (node_has_room(&n, len)) {
			memset(value, (int)k, len);
			node_insert(&n, i, &key, value, len);
			lengths[k] = (uint16_t)len;
		}
	}
}

static bool valid(
	uint64_t object, enum item_type type, uint64_t offset, const void *value, size_t len)
{
	struct item_key key = { .object = object, .type = (uint8_t)type, .offset = offset };
	uint8_t *exact = malloc(len ? len : 1); /* so that a read beyond it is seen */
	bool result;

	if (len)
		memcpy(exact, value, len);
	result = item_valid(&key, exact, len, BLOCKS);
	free(exact);
	return result;
}

static void refuses_every_truncation_of_an_item(void **state)
{
	uint8_t inode[INODE_BYTES + 1] = { 0 };
	uint8_t orphan[ORPHAN_BYTES + 1] = { 0 };
	uint8_t map[MAP_BLOCKS * MAP_ENTRY_BYTES + MAP_ENTRY_BYTES] = { 0 };
	uint8_t names[64];
	const struct name_entry name = { 3, S_IFDIR >> 12, 4, (const uint8_t *)"name" };
	size_t len = dirent_encode(names, &name);

	(void)state;
	encode_inode(inode);
	orphan_encode(orphan, ORPHAN_TRUNCATED, 7);
	for (size_t i = 0; i < sizeof(map); i += MAP_ENTRY_BYTES)
		map[i] = 1;
	names[len] = 0;
	for (size_t n = 0; n <= sizeof(inode); n++)
		assert_int_equal(valid(2, ITEM_INODE, 0, inode, n), n == INODE_BYTES);
	for (size_t n = 0; n <= sizeof(orphan); n++)
		assert_int_equal(valid(0, ITEM_ORPHAN, 9, orphan, n), n == ORPHAN_BYTES);
	for (size_t n = 0; n <= len + 1; n++)
		assert_int_equal(valid(2, ITEM_DIRENT, 1, names, n), n == len);
	for (size_t n = 0; n <= sizeof(map); n++)
		assert_int_equal(valid(2, ITEM_MAP, 0, map, n),
			n > 0 && n % MAP_ENTRY_BYTES == 0 && n < sizeof(map));
}

static void refuses_items_in_wrong_places(void **state)
{
	uint8_t inode[INODE_BYTES];
	uint8_t bits[REGION_BYTES] = { 0 };

	(void)state;
	encode_inode(inode);
	assert_true(valid(2, ITEM_INODE, 0, inode, sizeof(inode)));
	assert_false(valid(0, ITEM_INODE, 0, inode, sizeof(inode)));
	assert_false(valid(2, ITEM_INODE, 1, inode, sizeof(inode)));
	assert_true(valid(0, ITEM_BITMAP, 0, bits, sizeof(bits)));
	assert_false(valid(1, ITEM_BITMAP, 0, bits, sizeof(bits)));
	assert_false(valid(0, ITEM_BITMAP, BLOCKS / REGION_BLOCKS, bits, sizeof(bits)));
	assert_false(valid(2, (enum item_type)0, 0, inode, sizeof(inode)));
	assert_false(valid(2, (enum item_type)8, 0, inode, sizeof(inode)));
}

static void refuses_bad_names(void **state)
{
	const char *const bad[] = { ".", "..", "a/b", "/" };
	uint8_t names[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct name_entry name = { 3, S_IFREG >> 12, (uint8_t)strlen(bad[i]),
			(const uint8_t *)bad[i] };
		size_t len = dirent_encode(names, &name);

		assert_false(valid(2, ITEM_DIRENT, 1, names, len));
	}
}

/* Names that share a hash live in one item: found, removed, and no more than four. */
static void keeps_names_with_one_hash_apart(void **state)
{
	struct dirent_item item = { .key = { .object = 2, .type = ITEM_DIRENT, .offset = 1 } };
	const struct dir_name names[] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 }, { "dd", 2 },
		{ "e", 1 } };
	struct name_entry d;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(dirent_item_add(&item, &names[i], 10 + i, S_IFREG), CV_OK);
	assert_int_equal(dirent_item_add(&item, &names[4], 14, S_IFREG), CV_ERR_FULL);
	assert_true(valid(2, ITEM_DIRENT, 1, item.value, item.len));
	dirent_item_remove(&item, &names[1]);
	assert_int_equal(dirent_item_find(&item, &names[1], &d), CV_ERR_NOT_FOUND);
	assert_int_equal(dirent_item_find(&item, &names[3], &d), CV_OK);
	assert_int_equal(d.object, 13);
	dirent_item_point(&item, &names[0], 99, S_IFDIR);
	assert_int_equal(dirent_item_find(&item, &names[0], &d), CV_OK);
	assert_int_equal(d.object, 99);
	assert_int_equal(d.type, S_IFDIR >> 12);
	assert_int_equal(dirent_item_add(&item, &names[4], 14, S_IFREG), CV_OK);
	assert_true(valid(2, ITEM_DIRENT, 1, item.value, item.len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_its_own_pages_back),
		cmocka_unit_test(refuses_or_reproduces_every_bit_flip),
		cmocka_unit_test(keeps_its_content_over_inserts_and_removals),
		cmocka_unit_test(refuses_every_truncation_of_an_item),
		cmocka_unit_test(refuses_items_in_wrong_places),
		cmocka_unit_test(refuses_bad_names),
		cmocka_unit_test(keeps_names_with_one_hash_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
