#include "fs/header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/container.h"
#include "fs/open.h"
#include "fs/why.h"
#include "host/file.h"

static enum cv_err header_read(struct store *s, uint64_t offset, void *buf, size_t len)
{
	struct header_store *h = (struct header_store *)s;

	for (unsigned i = 0; i < SUPER_SLOTS; i++)
		if (offset == super_slot_block(i) * BLOCK_BYTES && len == BLOCK_BYTES) {
			memcpy(buf, h->slot[i], BLOCK_BYTES);
			return CV_OK;
		}
	return store_read(h->below, offset, buf, len);
}

static enum cv_err header_write(struct store *s, uint64_t offset, const void *buf, size_t len)
{
	(void)s;
	(void)offset;
	(void)buf;
	(void)len;
	return CV_ERR_READ_ONLY;
}

static enum cv_err header_flush(struct store *s)
{
	(void)s;
	return CV_ERR_READ_ONLY;
}

static enum cv_err header_size(struct store *s, uint64_t *bytes)
{
	return store_size(((struct header_store *)s)->below, bytes);
}

static const struct store_ops header_ops = {
	.read = header_read,
	.write = header_write,
	.flush = header_flush,
	.size = header_size,
};

enum cv_err header_load(
	struct header_store *h, struct store *below, const char *backup, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t *bytes;
	size_t len;

	err = file_read(&bytes, &len, backup, HEADER_BYTES);
	if (err && err != CV_ERR_TOO_LONG)
		return why_set(why, err, "%.120s: %s", backup, cv_err_text(err));
	if (err || len != HEADER_BYTES) {
		if (!err)
			free(bytes);
		return why_set(why, CV_ERR_NOT_VOLUME,
			"%.120s: not a header backup: those have %d bytes", backup, HEADER_BYTES);
	}
	h->store.ops = &header_ops;
	h->below = below;
	memcpy(h->slot, bytes, HEADER_BYTES);
	free(bytes);
	return CV_OK;
}

struct restore {
	struct header_store header;
	struct slots old; /* what the container shows */
	struct slots new;
	const struct volume_restore_options *options;
	struct volume_restore_report *report;
	struct volume_why *why;
};

/* Against what the container still shows; without a superblock there is nothing to hold against. */
static enum cv_err compare(struct restore *r)
{
	unsigned new = slots_newest_unproven(&r->new);
	uint64_t generation = r->new.clear[new].generation;

	r->report->generation = generation;
	for (unsigned i = 0; i < SUPER_SLOTS; i++) {
		const struct super_clear *c = &r->old.clear[i];

		if (r->old.peek[i] != CV_OK)
			continue;
		if (memcmp(c->volume_id, r->new.clear[new].volume_id, CV_VOLUME_ID_BYTES) != 0)
			return why_set(r->why, CV_ERR_MISMATCH,
				"the container holds another volume than the backup was made of");
		if (c->generation > r->report->lost)
			r->report->lost = c->generation;
	}
	if (r->report->lost > generation && !r->options->accept_older)
		return why_set(r->why, CV_ERR_TOO_OLD,
			"the container shows generation %" PRIu64 ", the backup has %" PRIu64
			": a roll-back, only with --accept-older",
			r->report->lost, generation);
	return CV_OK;
}

/* The backup opens with the key, and the tree that it names is there. */
static enum cv_err prove(struct restore *r)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume_open_options o = {
		.secret = r->options->secret, .read_only = true, .accept_older = true
	};
	struct volume_why inner = { "" };
	struct volume *v;

	err = volume_open_store(&v, &r->header.store, &o, &inner);
	if (err == CV_ERR_TAMPERED)
		return why_set(r->why, err,
			"the backup does not fit what is in the container now (%s); "
			"`volume salvage --header` uses its keys",
			inner.text);
	if (err)
		return why_set(r->why, err, "the backup: %s", inner.text);
	volume_drop(v);
	return CV_OK;
}

static enum cv_err put_back(struct restore *r)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < SUPER_SLOTS && !err; i++) {
		err = store_write(r->header.below, super_slot_block(i) * BLOCK_BYTES,
			r->header.slot[i], BLOCK_BYTES);
		if (!err)
			err = store_flush(r->header.below);
	}
	return err ? why_set(r->why, err, "a superblock cannot be written: %s", cv_err_text(err))
		   : CV_OK;
}

static enum cv_err restore(struct restore *r, struct store *container, const char *backup)
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = header_load(&r->header, container, backup, r->why);
	if (!err)
		err = slots_read(&r->new, &r->header.store, r->why);
	if (err)
		return err;
	/* no superblock left, or none that can be read: that is what a backup is for */
	err = slots_read(&r->old, container, r->why);
	if (err && err != CV_ERR_NOT_VOLUME)
		return err;
	(void)why_set(r->why, CV_OK, "%s", "");
	err = compare(r);
	if (!err)
		err = prove(r);
	return err ? err : put_back(r);
}

enum cv_err volume_header_restore(const char *backup, const char *path,
	const struct volume_restore_options *options, struct volume_restore_report *report,
	struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct restore *r = calloc(1, sizeof(*r));
	struct volume_why inner = { "" };
	struct store_file file;
	int fd;

	memset(report, 0, sizeof(*report));
	if (!r)
		return CV_ERR_MEMORY;
	r->options = options;
	r->report = report;
	r->why = &inner;
	err = container_open(&fd, path, false, why);
	if (err)
		goto out;
	store_file_init(&file, fd);
	err = restore(r, &file.store, backup);
	if (err)
		(void)why_set(why, err, "%.90s: %s", path, inner.text);
	(void)close(fd);
out:
	free(r);
	return err;
}
