/*
 * What replay reads. First byte even: the records of a frame as they come out of decryption; those
 * that are taken are applied to a volume in memory as a replay does. Odd: the bytes of the ring, where
 * no head of a frame may lead the reader astray.
 */
#include <stdlib.h>

#include "fs/log_read.h"
#include "fs/open.h"
#include "protocol/crypto.h"

#define SIZE VOLUME_SIZE_MIN
#define APPLIED_MAX 500 /* then a fresh volume */

struct memory {
	struct store store;
	uint8_t *bytes;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum cv_err memory_read(struct store *s, uint64_t offset, void *buf, size_t len)
{
	if (offset > SIZE || len > SIZE - offset)
		return CV_ERR_IO;
	memcpy(buf, ((struct memory *)s)->bytes + offset, len);
	return CV_OK;
}

static enum cv_err memory_write(struct store *s, uint64_t offset, const void *buf, size_t len)
{
	if (offset > SIZE || len > SIZE - offset)
		return CV_ERR_IO;
	memcpy(((struct memory *)s)->bytes + offset, buf, len);
	return CV_OK;
}

static enum cv_err memory_flush(struct store *s)
{
	(void)s;
	return CV_OK;
}

static enum cv_err memory_size(struct store *s, uint64_t *bytes)
{
	(void)s;
	*bytes = SIZE;
	return CV_OK;
}

static const struct store_ops ops = {
	.read = memory_read, .write = memory_write, .flush = memory_flush, .size = memory_size
};
static struct memory memory = { .store = { &ops } };
static const uint8_t secret[CV_SECRET_BYTES] = { 1 };

static struct volume *fresh(void)
{
	struct volume_create_options c = { .size_bytes = SIZE, .unlock_secret = secret };
	struct volume_open_options o = { .secret = secret, .read_only = true };
	struct volume *v = NULL;

	if (!memory.bytes) {
		if (crypto_init())
			abort();
		memory.bytes = calloc(1, SIZE);
		if (volume_create_store(&memory.store, &c, NULL))
			abort();
	}
	if (volume_open_store(&v, &memory.store, &o, NULL))
		abort();
	return v;
}

/* As replay_frame does, without the data. */
static bool apply(struct volume *v, const uint8_t *records, size_t len)
{
	const uint8_t *p = records;
	struct record r;

	if (!records_valid(records, len, volume_blocks(v)))
		return false;
	while (record_next(&r, &p, records + len))
		for (size_t i = 0; record_entry(&r, i); i++)
			if (alloc_claim(&v->alloc, le48(record_entry(&r, i))))
				return true;
	if (txn_prepare(v, records, len) == CV_OK)
		txn_apply(v, records, len);
	tree_trim(&v->tree);
	return true;
}

static void read_ring(const uint8_t *data, size_t size)
{
	static uint8_t *ring;
	struct log_descriptor d = { .ring = 0, .blocks = 16, .tail = size % 16, .seq = 1 };
	struct memory raw = { .store = { &ops } };
	uint8_t volume_id[CV_VOLUME_ID_BYTES] = { 0 };
	struct log_reader r;
	struct frame_head h;
	uint64_t found;
	bool proof;

	if (!ring)
		ring = calloc(1, SIZE);
	raw.bytes = ring;
	/* the ring's end may come within the input */
	for (size_t i = 0; i < size; i++)
		ring[(d.tail * BLOCK_BYTES + i) % (16 * BLOCK_BYTES)] = data[i];
	if (log_reader_init(&r, &raw.store, &d, volume_id))
		abort();
	while (log_reader_next(&r, &h) == CV_OK)
		;
	if (log_reader_search(&r, &proof, &found))
		abort();
	log_reader_wipe(&r);
	memset(ring, 0, 16 * BLOCK_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct volume *v;
	static unsigned applied;

	if (size < 2 || size > 16 * BLOCK_BYTES)
		return 0;
	if (data[0] % 2) {
		read_ring(data + 1, size - 1);
		return 0;
	}
	if (!v)
		v = fresh();
	applied += apply(v, data + 1, size - 1);
	if (applied == APPLIED_MAX) {
		volume_drop(v);
		v = NULL;
		applied = 0;
	}
	return 0;
}
