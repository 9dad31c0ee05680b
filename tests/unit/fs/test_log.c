/* The log by itself: frames, records, the ring's end and its room, and what reading it back says. */
#include "fs/data_blocks.h"
#include "fs/log_read.h"
#include "tests/unit/fs/support.h"

#define RING_BLOCKS 512

static const uint8_t volume_id[CV_VOLUME_ID_BYTES] = { 4, 5, 6 };

struct ring {
	struct image *image;
	struct log_descriptor d;
	struct log log;
};

static void ring_open(struct ring *r, uint64_t tail)
{
	memset(r, 0, sizeof(*r));
	r->image = image_blank(VOLUME_SIZE_MIN);
	r->d = (struct log_descriptor){ .ring = 3076, .blocks = RING_BLOCKS, .tail = tail, .seq = 1 };
	log_attach(&r->log, &r->image->store, &r->d);
	assert_int_equal(log_renew(&r->log, &r->d), CV_OK);
	assert_int_equal(log_start(&r->log, &r->d, volume_id), CV_OK);
}

static void ring_close(struct ring *r)
{
	log_wipe(&r->log);
	image_free(r->image);
}

static void append(struct ring *r, size_t len)
{
	uint8_t *records = malloc(len);

	fill_pattern(records, len, (uint32_t)r->log.next);
	assert_true(log_has_room(&r->log, len));
	assert_int_equal(log_append(&r->log, records, len), CV_OK);
	free(records);
}

/* As a flush that succeeds. */
static void flushed(struct ring *r)
{
	log_round(&r->log);
	r->log.durable = log_newest(&r->log);
}

/* Reads frames until the end; each must be what append wrote. Returns the last number. */
static uint64_t read_back(struct ring *r, bool *proof)
{
	struct log_reader reader;
	struct frame_head h;
	uint64_t found;
	uint64_t last;

	assert_int_equal(log_reader_init(&reader, &r->image->store, &r->d, volume_id), CV_OK);
	while (log_reader_next(&reader, &h) == CV_OK) {
		uint8_t *want = malloc(h.len);

		fill_pattern(want, h.len, (uint32_t)h.seq);
		assert_memory_equal(reader.records, want, h.len);
		free(want);
	}
	last = reader.seq - 1;
	assert_int_equal(log_reader_search(&reader, proof, &found), CV_OK);
	log_reader_wipe(&reader);
	return last;
}

static void reads_back_frames_of_every_length(void **state)
{
	const size_t lengths[] = { 1, 7, 8, 9, 23, 24, 25, 4000, 4055, 4056, 4057, 4096, 8192, 70000,
		FRAME_RECORDS_MAX - 1, FRAME_RECORDS_MAX };
	bool proof;

	(void)state;
	for (uint64_t tail = 0; tail < RING_BLOCKS; tail += 73) {
		struct ring r;

		ring_open(&r, tail);
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			append(&r, lengths[i]);
			if (i % 3 == 0)
				flushed(&r);
		}
		assert_int_equal(read_back(&r, &proof), log_newest(&r.log));
		assert_false(proof);
		ring_close(&r);
	}
}

/* Each bit of head and ciphertext; not those behind it, which nothing covers. */
static void every_bit_of_a_frame_counts(void **state)
{
	struct ring r;
	uint8_t *bytes;
	bool proof;

	(void)state;
	ring_open(&r, 0);
	append(&r, 50);
	append(&r, 101);
	bytes = image_block(r.image, r.d.ring) + frame_bytes(50);
	for (size_t bit = 0; bit < frame_bytes(101) * 8; bit++) {
		bool covered = bit / 8 < FRAME_HEAD_BYTES + 101;

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(read_back(&r, &proof), covered ? 1 : 2);
		assert_false(proof);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ring_close(&r);
}

/* As a checkpoint: the older pair now names what the newer one named. */
static void checkpointed(struct ring *r, struct log_descriptor *newer)
{
	flushed(r);
	r->d.tail = newer->tail;
	r->d.seq = newer->seq;
	newer->tail = r->log.head % r->log.bytes / BLOCK_BYTES;
	newer->seq = r->log.next;
	r->log.tail_before = r->log.tail;
	r->log.tail = r->log.head;
}

/* Filled to the brim again and again: what the older pair replays is all there. */
static void never_overwrites_what_the_older_pair_needs(void **state)
{
	struct log_descriptor newer;
	uint32_t random = 4;
	struct ring r;

	(void)state;
	ring_open(&r, 500);
	newer = r.d;
	for (unsigned turn = 0; turn < 40; turn++) {
		uint64_t stop = r.log.tail_before + r.log.bytes;
		size_t len = 1;
		bool proof;

		/* now half of the room, now all of it */
		if (turn % 3 == 0)
			stop -= (stop - r.log.head) / 2;
		while (r.log.head < stop && log_has_room(&r.log, len)) {
			append(&r, len);
			if (next_random(&random) % 5 == 0)
				flushed(&r);
			len = 1 + next_random(&random) % 9000;
		}
		assert_int_equal(read_back(&r, &proof), log_newest(&r.log));
		assert_true(r.log.head + 9000 + 2 * BLOCK_BYTES > stop);
		checkpointed(&r, &newer);
	}
	ring_close(&r);
}

static void tells_damage_from_the_end(void **state)
{
	struct ring r;
	bool proof;

	(void)state;
	ring_open(&r, 510);
	append(&r, 100);
	append(&r, 5000);
	flushed(&r);
	append(&r, 300);
	append(&r, 300);
	/* numbers 1 and 2 are proven durable by 3 and 4; those are not */
	for (uint64_t block = 0; block < RING_BLOCKS; block++) {
		uint8_t *bytes = image_block(r.image, r.d.ring + block);
		uint64_t last;

		for (size_t at = 0; at < BLOCK_BYTES; at += 61) {
			uint8_t was = bytes[at];

			bytes[at] ^= 0x20;
			last = read_back(&r, &proof);
			assert_true(last >= 2 || proof);
			assert_true(last >= 2 || block >= 510 || block < 1);
			bytes[at] = was;
			if (block > 2 && block < 509)
				break;
		}
	}
	ring_close(&r);
}

/* Heads of frames that never open fill the ring: the search ends, and says no. */
static void a_ring_full_of_forged_heads_is_refused_in_time(void **state)
{
	struct ring r;
	bool proof;

	(void)state;
	ring_open(&r, 0);
	append(&r, 100);
	for (uint64_t b = 1; b < RING_BLOCKS - 80; b++)
		for (size_t at = 0; at < BLOCK_BYTES; at += 48) {
			uint8_t *p = image_block(r.image, r.d.ring + b) + at;

			if (at + FRAME_HEAD_BYTES > BLOCK_BYTES)
				break;
			put_le64(p, 100);
			put_le64(p + 8, 50);
			put_le32(p + 16, (uint32_t)FRAME_RECORDS_MAX);
			put_le32(p + 20, 0);
		}
	assert_int_equal(read_back(&r, &proof), 1);
	assert_true(proof);
	ring_close(&r);
}

static size_t record_put(uint8_t *out, enum record_type type, uint8_t item, uint64_t object,
	uint64_t offset, const void *value, size_t len)
{
	struct item_key key = { .object = object, .type = item, .offset = offset };

	record_head_encode(out, type, &key, len);
	if (len)
		memcpy(out + RECORD_HEAD_BYTES, value, len);
	return RECORD_HEAD_BYTES + len;
}

static void takes_well_formed_records_only(void **state)
{
	const uint64_t blocks = 10000;
	uint8_t map[2 + 2 * MAP_ENTRY_BYTES] = { 0x81, 0 };
	uint8_t mask[2] = { 1, 0 };
	uint8_t zero[2] = { 0, 0 };
	uint8_t buf[512];
	size_t len;

	(void)state;
	put_le48(map + 2, 77);
	put_le48(map + 2 + MAP_ENTRY_BYTES, 9999);
	len = record_put(buf, RECORD_MAP, ITEM_MAP, 5, 3, map, sizeof(map));
	assert_true(records_valid(buf, len, blocks));
	len += record_put(buf + len, RECORD_UNMAP, ITEM_MAP, 5, 3, mask, 2);
	len += record_put(buf + len, RECORD_DEL, ITEM_INODE, 5, 0, NULL, 0);
	assert_true(records_valid(buf, len, blocks));
	for (size_t cut = 1; cut < RECORD_HEAD_BYTES; cut++)
		assert_false(records_valid(buf, len - cut, blocks));
	assert_false(records_valid(buf, 0, blocks));
	buf[4] = 1; /* reserved */
	assert_false(records_valid(buf, len, blocks));

	struct {
		enum record_type type;
		uint8_t item;
		uint64_t object;
		uint64_t offset;
		const void *value;
		size_t len;
	} bad[] = {
		{ RECORD_MAP, ITEM_MAP, 0, 3, map, sizeof(map) },
		{ RECORD_MAP, ITEM_MAP, 5, (uint64_t)1 << 60, map, sizeof(map) },
		{ RECORD_MAP, ITEM_INODE, 5, 0, map, sizeof(map) },
		{ RECORD_MAP, ITEM_MAP, 5, 3, map, sizeof(map) - 1 },
		{ RECORD_MAP, ITEM_MAP, 5, 3, map, 1 },
		{ RECORD_UNMAP, ITEM_MAP, 5, 3, zero, 2 },
		{ RECORD_UNMAP, ITEM_MAP, 5, 3, map, sizeof(map) },
		{ RECORD_PUT, ITEM_MAP, 5, 3, map + 2, MAP_ENTRY_BYTES },
		{ RECORD_PUT, ITEM_BITMAP, 0, 0, map, 2 },
		{ RECORD_PUT, ITEM_INODE, 5, 0, map, 20 },
		{ RECORD_DEL, ITEM_BITMAP, 0, 0, NULL, 0 },
		{ RECORD_DEL, ITEM_INODE, 0, 0, NULL, 0 },
		{ RECORD_DEL, ITEM_INODE, 5, 0, mask, 2 },
		{ RECORD_DEL, ITEM_INODE, (uint64_t)1 << 63, 0, NULL, 0 },
		{ RECORD_DEL, ITEM_ORPHAN, 0, 1, NULL, 0 },
		{ (enum record_type)5, ITEM_MAP, 5, 3, mask, 2 },
		{ (enum record_type)0, ITEM_MAP, 5, 3, mask, 2 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = record_put(buf, bad[i].type, bad[i].item, bad[i].object, bad[i].offset,
			bad[i].value, bad[i].len);
		assert_false(records_valid(buf, len, blocks));
	}
	put_le48(map + 2, 10000); /* behind the end of the volume */
	len = record_put(buf, RECORD_MAP, ITEM_MAP, 5, 3, map, sizeof(map));
	assert_false(records_valid(buf, len, blocks));
	put_le48(map + 2, 0); /* a hole is no entry of MAP */
	len = record_put(buf, RECORD_MAP, ITEM_MAP, 5, 3, map, sizeof(map));
	assert_false(records_valid(buf, len, blocks));
}

/* A frame whose key is right but whose content cannot be is refused, not applied. */
static void refuses_frames_that_contradict_the_tree(void **state)
{
	uint8_t map[2 + MAP_ENTRY_BYTES] = { 1, 0 };
	struct volume_open_options o = test_open_options();
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_why why = { "" };
	struct volume *again = NULL;
	uint8_t data[BLOCK_BYTES] = { 1 };
	struct inode inode;
	struct map_entry e;
	uint64_t object;
	uint8_t buf[256];
	uint8_t durable_inode[RECORD_HEAD_BYTES + INODE_BYTES];
	size_t len;

	(void)state;
	object = make_file(v, "/f");
	write_at(v, object, 0, data, sizeof(data));
	assert_int_equal(volume_sync(v), CV_OK);
	/* the block of file block 0 once more, now for file block 16 */
	assert_int_equal(blocks_map(v, object, 0, 1, &e), CV_OK);
	map_entry_encode(map + 2, &e);
	len = record_put(buf, RECORD_MAP, ITEM_MAP, object, 1, map, sizeof(map));
	assert_true(records_valid(buf, len, volume_blocks(v)));
	assert_int_equal(log_append(&v->log, buf, len), CV_OK);
	v->log.durable = log_newest(&v->log);
	assert_int_equal(inode_get(v, object, &inode), CV_OK);
	inode_encode(durable_inode + RECORD_HEAD_BYTES, &inode);
	len = record_put(durable_inode, RECORD_PUT, ITEM_INODE, object, 0,
		durable_inode + RECORD_HEAD_BYTES, INODE_BYTES);
	assert_int_equal(log_append(&v->log, durable_inode, len), CV_OK);
	volume_drop(v);
	assert_int_equal(volume_open_store(&again, &image->store, &o, &why), CV_ERR_TAMPERED);
	assert_non_null(strstr(why.text, "in use"));
	o.accept_older = true;
	assert_int_equal(volume_open_store(&again, &image->store, &o, &why), CV_OK);
	assert_non_null(strstr(volume_notice(again), "in use"));
	assert_clean(again);
	assert_int_equal(volume_close(again), CV_OK);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_frames_of_every_length),
		cmocka_unit_test(every_bit_of_a_frame_counts),
		cmocka_unit_test(never_overwrites_what_the_older_pair_needs),
		cmocka_unit_test(tells_damage_from_the_end),
		cmocka_unit_test(a_ring_full_of_forged_heads_is_refused_in_time),
		cmocka_unit_test(takes_well_formed_records_only),
		cmocka_unit_test(refuses_frames_that_contradict_the_tree),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
