#include "fs/replay.h"

#include <inttypes.h>

#include "fs/data_blocks.h"
#include "fs/log_read.h"
#include "fs/why.h"
#include "protocol/crypto.h"

struct replay {
	struct volume *v;
	struct log_reader reader;
	uint64_t durable; /* the largest number that a frame proves durable */
	uint64_t last;    /* of the frames that open one behind the other */
	bool accept_older;
	struct volume_why *why;
};

/* `what` is wrong with the frame with number `seq` that begins at or behind a position. */
static enum cv_err damage(struct replay *p, uint64_t seq, uint64_t position, const char *what)
{
	uint64_t byte = log_reader_byte(&p->reader, position);

	if (!p->accept_older)
		return why_set(p->why, CV_ERR_TAMPERED,
			"log: frame %" PRIu64 " at byte %" PRIu64 " of the container: %s", seq, byte,
			what);
	(void)why_set(&p->v->notice, CV_OK,
		"log: frame %" PRIu64 " at byte %" PRIu64 ": %s; what came after it is given up", seq,
		byte, what);
	return CV_ERR_NOT_FOUND;
}

/* Opens frame after frame: where the log ends, and what of it was durable. */
static enum cv_err survey(struct replay *p)
{
	struct log_reader *r = &p->reader;
	enum cv_err err = CV_OK;
	struct frame_head h;
	uint64_t found;
	bool proof;

	p->durable = r->first - 1;
	while (!err) {
		err = log_reader_next(r, &h);
		if (!err && h.durable > p->durable)
			p->durable = h.durable;
	}
	if (err != CV_ERR_NOT_FOUND)
		return err;
	p->last = r->seq - 1;
	err = log_reader_search(r, &proof, &found);
	if (err || !proof)
		return err;
	err = damage(p, r->seq, r->at,
		found ? "missing or changed, though a later frame proves that it was durable"
		      : "missing, and what follows is made up");
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

static enum cv_err entry_opens(struct volume *v, const uint8_t *entry)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t block[BLOCK_BYTES];
	struct map_entry e;

	map_entry_decode(&e, entry);
	err = blocks_read(v, &e, 1, block);
	/* a medium may refuse a block that a cut tore; one refusal by chance must not end the log */
	if (err == CV_ERR_IO)
		err = blocks_read(v, &e, 1, block);
	crypto_wipe(block, sizeof(block));
	return err;
}

static enum cv_err entry_has_key(struct volume *v, const uint8_t *entry)
{
	unsigned id = le16(entry + 6);

	return v->super->keyring[id].state == KEY_EMPTY ? CV_ERR_TAMPERED : CV_OK;
}

static enum cv_err entry_claim(struct volume *v, const uint8_t *entry)
{
	return alloc_claim(&v->alloc, le48(entry));
}

static enum cv_err each_entry(struct volume *v, const uint8_t *records, size_t len,
	enum cv_err (*fn)(struct volume *v, const uint8_t *entry))
{
	const uint8_t *end = records + len;
	const uint8_t *p = records;
	enum cv_err err = CV_OK;
	struct record r;

	while (!err && record_next(&r, &p, end))
		for (size_t i = 0; record_entry(&r, i) && !err; i++)
			err = fn(v, record_entry(&r, i));
	return err;
}

/* CV_ERR_NOT_FOUND: the log ends before this frame. */
static enum cv_err replay_frame(struct replay *p, const struct frame_head *h, uint64_t position)
{
	const uint8_t *records = p->reader.records;
	struct volume *v = p->v;
	enum cv_err err = CV_ERR_INTERNAL;

	if (!records_valid(records, h->len, volume_blocks(v)))
		return damage(p, h->seq, position, "its records break a rule");
	if (each_entry(v, records, h->len, entry_has_key))
		return damage(p, h->seq, position, "it names a key that the superblock lacks");
	if (h->seq > p->durable) {
		/* the data went before it; whether it arrived is open */
		err = each_entry(v, records, h->len, entry_opens);
		if (err == CV_ERR_TAMPERED || err == CV_ERR_IO)
			return CV_ERR_NOT_FOUND;
		if (err)
			return err;
	}
	err = each_entry(v, records, h->len, entry_claim);
	if (err == CV_ERR_TAMPERED)
		return damage(p, h->seq, position, "it maps a block that is in use");
	if (!err)
		err = txn_prepare(v, records, h->len);
	if (err)
		return why_set(p->why, err,
			"log: frame %" PRIu64 ": %s (node at block %" PRIu64 ")", h->seq,
			cv_err_text(err), v->tree.bad_block);
	txn_apply(v, records, h->len);
	tree_trim(&v->tree);
	return CV_OK;
}

static enum cv_err apply_all(struct replay *p)
{
	struct log_reader *r = &p->reader;
	struct log *l = &p->v->log;
	enum cv_err err = CV_OK;

	log_reader_rewind(r);
	while (!err && r->seq <= p->last) {
		uint64_t position = r->at;
		struct frame_head h;

		err = log_reader_next(r, &h);
		/* it opened a moment ago */
		if (err == CV_ERR_NOT_FOUND)
			return why_set(p->why, CV_ERR_IO, "log: frame %" PRIu64 " cannot be read again",
				r->seq);
		if (!err)
			err = replay_frame(p, &h, position);
		if (err)
			break;
		l->head = r->at;
		l->next = h.seq + 1;
	}
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

enum cv_err replay_log(struct volume *v, bool accept_older, struct volume_why *why)
{
	struct replay p = { .v = v, .accept_older = accept_older, .why = why };
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t frames;

	err = log_reader_init(
		&p.reader, v->store, &v->super->log, v->super->clear.volume_id);
	if (!err)
		err = survey(&p);
	if (!err)
		err = apply_all(&p);
	frames = v->log.next - v->super->log.seq;
	log_round(&v->log);
	v->log.durable = log_newest(&v->log);
	if (!err && p.reader.unreadable && !v->notice.text[0])
		(void)why_set(&v->notice, CV_OK,
			"was not unmounted cleanly: %" PRIu64
			" operations taken from the log, of which parts cannot be read",
			frames);
	if (!err && !v->notice.text[0])
		(void)why_set(&v->notice, CV_OK,
			"was not unmounted cleanly: %" PRIu64 " operations taken from the log",
			frames);
	log_reader_wipe(&p.reader);
	return err;
}
