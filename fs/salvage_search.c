/* Every place of a container where a leaf may lie, opened under every data key. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/salvage_state.h"
#include "fs/why.h"
#include "protocol/crypto.h"

#define READ_NODES 64
#define HEAD_BYTES 32 /* of a page; two blocks of AES */

/*
 * The first bytes of a page are mostly zero by rule, and CTR gives them alone: whether a place can be
 * a node under a key costs two blocks of AES and not a whole tag.
 */
static bool may_be_node(struct salvage *s, EVP_CIPHER_CTX *ctx, const uint8_t *key,
	const uint8_t in[NODE_BYTES], uint8_t head[HEAD_BYTES])
{
	uint8_t counter[16] = { 0 };
	int n = 0;

	(void)s;
	/* SP 800-38D: the first block of the content has counter 2 */
	memcpy(counter, in, AEAD_NONCE_BYTES);
	counter[15] = 2;
	if (EVP_EncryptInit_ex(ctx, EVP_aes_256_ctr(), NULL, key, counter) != 1 ||
		EVP_EncryptUpdate(ctx, head, &n, in + AEAD_NONCE_BYTES + AEAD_TAG_BYTES,
			HEAD_BYTES) != 1)
		return false;
	return head[8] == 0 && head[9] == 0 && all_zero(head + 12, HEAD_BYTES - 12);
}

enum cv_err salvage_read_leaf(struct salvage *s, const struct found_leaf *leaf, struct node *n)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t *in = malloc(NODE_BYTES);

	if (!in)
		return CV_ERR_MEMORY;
	node_init(n, 0);
	err = store_read(&s->file.store, leaf->ptr.block * BLOCK_BYTES, in, NODE_BYTES);
	if (!err)
		err = keyring_open_node(&s->keys->ring[leaf->ring], &leaf->ptr, in, n->page);
	if (!err)
		err = node_decode(n, 0, leaf->generation, s->blocks);
	free(in);
	return err;
}

static enum cv_err keep(struct salvage *s, const struct found_leaf *leaf)
{
	if (s->leaf_count == s->leaf_cap) {
		size_t cap = s->leaf_cap * 2 + 256;
		struct found_leaf *p = realloc(s->leaf, cap * sizeof(*p));

		if (!p)
			return CV_ERR_MEMORY;
		s->leaf = p;
		s->leaf_cap = cap;
	}
	s->leaf[s->leaf_count++] = *leaf;
	s->report->leaves++;
	return CV_OK;
}

struct search {
	struct salvage *s;
	EVP_CIPHER_CTX *ctx;
	struct node *node;
	uint8_t *buf;
};

/* One place under one key. */
static enum cv_err try_key(
	struct search *x, const uint8_t in[NODE_BYTES], uint64_t block, unsigned ring, uint16_t id)
{
	struct salvage *s = x->s;
	struct found_leaf leaf = { .ring = ring };
	uint8_t head[HEAD_BYTES];

	if (!may_be_node(s, x->ctx, s->keys->super[ring].keyring[id].key, in, head))
		return CV_ERR_NOT_FOUND;
	leaf.generation = le64(head);
	leaf.ptr.block = block;
	leaf.ptr.generation = leaf.generation;
	leaf.ptr.key = id;
	memcpy(leaf.ptr.nonce, in, AEAD_NONCE_BYTES);
	memcpy(leaf.ptr.tag, in + AEAD_NONCE_BYTES, AEAD_TAG_BYTES);
	node_init(x->node, 0);
	if (keyring_open_node(&s->keys->ring[ring], &leaf.ptr, in, x->node->page) ||
		node_decode(x->node, 0, leaf.generation, s->blocks))
		return CV_ERR_NOT_FOUND;
	leaf.keys.low = node_key(x->node, 0);
	leaf.keys.high = node_key(x->node, x->node->count - 1u);
	return keep(s, &leaf);
}

static enum cv_err try_place(struct search *x, const uint8_t in[NODE_BYTES], uint64_t block)
{
	const struct salvage_keys *k = x->s->keys;
	enum cv_err err = CV_ERR_NOT_FOUND;

	for (unsigned r = 0; r < k->count && err == CV_ERR_NOT_FOUND; r++)
		for (unsigned id = 0; k->distinct[r] && id < KEYRING_SLOTS &&
				      err == CV_ERR_NOT_FOUND;
			id++)
			if (k->super[r].keyring[id].state != KEY_EMPTY)
				err = try_key(x, in, block, r, (uint16_t)id);
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

static enum cv_err search_run(struct search *x, uint64_t block, uint64_t nodes)
{
	struct store *store = &x->s->file.store;
	enum cv_err err = CV_OK;
	bool whole = store_read(store, block * BLOCK_BYTES, x->buf, nodes * NODE_BYTES) == CV_OK;

	for (uint64_t i = 0; i < nodes && !err; i++) {
		uint64_t at = block + i * NODE_BLOCKS;
		uint8_t *in = x->buf + i * NODE_BYTES;

		/* a place that cannot be read is one place less */
		if (!whole && store_read(store, at * BLOCK_BYTES, in, NODE_BYTES))
			continue;
		err = try_place(x, in, at);
	}
	return err;
}

/* The next place with data at or after `block`: holes of a sparse file hold no node. */
static uint64_t skip_hole(const struct salvage *s, uint64_t block)
{
	off_t at = lseek(s->fd, (off_t)(block * BLOCK_BYTES), SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? s->blocks : block;
	return (uint64_t)at / NODE_BYTES * NODE_BLOCKS;
}

static int newest_first(const void *a, const void *b)
{
	const struct found_leaf *x = a;
	const struct found_leaf *y = b;

	if (x->generation != y->generation)
		return x->generation > y->generation ? -1 : 1;
	return x->ptr.block < y->ptr.block ? -1 : x->ptr.block > y->ptr.block;
}

static enum cv_err search_all(struct search *x)
{
	struct salvage *s = x->s;
	enum cv_err err = CV_OK;

	for (uint64_t block = 0; block < s->blocks && !err;) {
		uint64_t left;

		block = skip_hole(s, block);
		if (block >= s->blocks)
			break;
		left = (s->blocks - block) / NODE_BLOCKS;
		left = left < READ_NODES ? left : READ_NODES;
		err = search_run(x, block, left);
		block += left * NODE_BLOCKS;
		if (!err && s->options->progress &&
			s->options->progress(s->options->user, block * BLOCK_BYTES,
				s->blocks * BLOCK_BYTES, "search"))
			err = why_set(s->why, CV_ERR_TIMEOUT, "stopped");
	}
	return err;
}

enum cv_err salvage_search(struct salvage *s)
{
	enum cv_err err = CV_ERR_MEMORY;
	struct search x = { .s = s,
		.ctx = EVP_CIPHER_CTX_new(),
		.node = malloc(sizeof(struct node)),
		.buf = malloc(READ_NODES * NODE_BYTES) };

	if (s->searched) {
		err = CV_OK;
	} else if (x.ctx && x.node && x.buf) {
		err = search_all(&x);
		s->searched = true;
		s->report->searched = true;
		if (s->leaf_count)
			qsort(s->leaf, s->leaf_count, sizeof(*s->leaf), newest_first);
	}
	EVP_CIPHER_CTX_free(x.ctx);
	if (x.node)
		crypto_wipe(x.node, sizeof(*x.node));
	free(x.node);
	free(x.buf);
	return err;
}
