/* The items of one object against each other. */
#include <inttypes.h>
#include <sys/stat.h>

#include "fs/acl.h"
#include "fs/check_state.h"
#include "fs/dirent_item.h"

static enum cv_err begin_object(struct check *c, uint64_t object, const uint8_t *value)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct check_current *now = &c->now;
	struct check_object *o;

	err = check_grow((void **)&c->objects, &c->object_cap, c->object_count, sizeof(*c->objects));
	if (err)
		return err;
	now->known = true;
	inode_decode(&now->inode, value);
	o = &c->objects[c->object_count++];
	*o = (struct check_object){ .object = object,
		.parent = now->inode.parent,
		.links = now->inode.links,
		.type = (uint8_t)(now->inode.mode >> 12) };
	if (S_ISDIR(now->inode.mode))
		c->report->dirs++;
	else
		c->report->files += S_ISREG(now->inode.mode);
	if (object >= c->v->super->next_object)
		check_problem(c, object, 0, "beyond the next free number");
	return CV_OK;
}

static void check_dirents(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct name_entry d;
	size_t at = 0;

	if (c->now.known && !S_ISDIR(c->now.inode.mode))
		check_problem(c, key->object, 0, "names in what is no directory");
	while (dirent_next(&d, value, len, &at)) {
		struct dir_name name = { (const char *)d.name, d.name_len };

		c->now.entries++;
		c->now.subdirs += d.type == S_IFDIR >> 12;
		if (dir_name_hash(c->v, &name) != key->offset)
			check_problem(c, key->object, 0, "a name under a wrong hash");
	}
}

static enum cv_err add_orphan(struct check *c, uint64_t object, const uint8_t *value)
{
	enum cv_err err = CV_ERR_INTERNAL;
	enum orphan_kind kind;
	uint64_t from;

	err = check_grow(
		(void **)&c->orphans, &c->orphan_cap, c->orphan_count, 2 * sizeof(uint64_t));
	if (err)
		return err;
	orphan_decode(value, &kind, &from);
	c->orphans[2 * c->orphan_count] = object;
	c->orphans[2 * c->orphan_count + 1] = kind;
	c->orphan_count++;
	return CV_OK;
}

static bool is_named(const struct xattr_entry *x, const char *text)
{
	return x->name_len == strlen(text) && memcmp(x->name, text, x->name_len) == 0;
}

/* An access control list is well-formed, and says what the mode says. */
static void check_acl(struct check *c, const struct xattr_entry *x)
{
	const struct check_current *now = &c->now;
	bool access = is_named(x, ACL_ACCESS);

	if (!now->known || (!access && !is_named(x, ACL_DEFAULT)))
		return;
	if (!acl_valid(x->value, x->value_len) || (!access && !S_ISDIR(now->inode.mode)))
		check_problem(c, now->object, 0, "a malformed access list");
	else if (access && acl_mode(x->value, x->value_len) != (now->inode.mode & 0777))
		check_problem(c, now->object, 0, "mode and access list disagree");
}

static void check_xattrs(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct xattr_entry x;
	size_t at = 0;

	while (xattr_next(&x, value, len, &at)) {
		struct dir_name name = { (const char *)x.name, x.name_len };
		struct xattr_entry other;
		size_t rest = at;

		if (dir_name_hash(c->v, &name) != key->offset)
			check_problem(c, key->object, 0, "an attribute under a wrong hash");
		while (xattr_next(&other, value, len, &rest))
			if (other.name_len == x.name_len &&
				memcmp(other.name, x.name, x.name_len) == 0)
				check_problem(c, key->object, 0, "an attribute twice");
		check_acl(c, &x);
		c->now.xattr_bytes += XATTR_COST_BYTES + x.name_len + x.value_len;
	}
}

/* The first item of an object that is no inode. */
static void check_known(struct check *c, uint64_t object)
{
	if (!c->now.known && !check_in_gap(c, object))
		check_problem(c, object, 0, "items without an inode");
}

enum cv_err check_item(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len)
{
	if (key->object != OBJECT_VOLUME && key->object != c->now.object) {
		check_end_object(c);
		c->now.object = key->object;
		if (key->type == ITEM_INODE)
			return begin_object(c, key->object, value);
		check_known(c, key->object);
	}
	switch ((enum item_type)key->type) {
	case ITEM_DIRENT:
		check_dirents(c, key, value, len);
		return CV_OK;
	case ITEM_SYMLINK:
		c->now.symlink_bytes = len;
		return CV_OK;
	case ITEM_XATTR:
		check_xattrs(c, key, value, len);
		return CV_OK;
	case ITEM_ORPHAN:
		return add_orphan(c, key->offset, value);
	case ITEM_MAP:
		return check_map(c, key, value, len);
	case ITEM_INODE:
	case ITEM_BITMAP:
		break;
	}
	return CV_OK;
}

static uint8_t orphan_kind_of(const struct check *c, uint64_t object)
{
	size_t low = 0;
	size_t high = c->orphan_count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c->orphans[2 * mid] < object)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->orphan_count && c->orphans[2 * low] == object
		       ? (uint8_t)c->orphans[2 * low + 1]
		       : 0;
}

static void end_directory(struct check *c, uint8_t orphan)
{
	const struct check_current *now = &c->now;

	if (orphan) {
		if (now->entries)
			check_problem(c, now->object, 0, "an unlinked directory that is not empty");
		return;
	}
	if (now->inode.size != now->entries)
		check_problem(c, now->object, 0, "counts %" PRIu64 " names, there are %" PRIu64,
			now->inode.size, now->entries);
	if (now->inode.links != now->subdirs + 2)
		check_problem(c, now->object, 0, "counts %u links, there are %" PRIu64,
			now->inode.links, now->subdirs + 2);
}

static void end_other(struct check *c, uint8_t orphan)
{
	const struct check_current *now = &c->now;
	uint64_t blocks = (now->inode.size + BLOCK_BYTES - 1) / BLOCK_BYTES;

	if (S_ISLNK(now->inode.mode) && now->symlink_bytes != now->inode.size)
		check_problem(c, now->object, 0, "size and target of the link disagree");
	if (now->inode.blocks != now->mapped)
		check_problem(c, now->object, 0, "counts %" PRIu64 " blocks, there are %" PRIu64,
			now->inode.blocks, now->mapped);
	if (S_ISREG(now->inode.mode) && !orphan && now->last_mapped > blocks)
		check_problem(c, now->object, 0, "blocks behind its end");
}

void check_end_object(struct check *c)
{
	const struct check_current *now = &c->now;
	uint8_t orphan = orphan_kind_of(c, now->object);

	if (now->known) {
		c->objects[c->object_count - 1].orphan = orphan;
		if (now->xattr_bytes > XATTR_SPACE_MAX)
			check_problem(c, now->object, 0, "too many attributes");
		if (check_in_gap(c, now->object)) {
			/* what is missing of it is below a node that does not open */
		} else if (S_ISDIR(now->inode.mode)) {
			end_directory(c, orphan);
		} else {
			end_other(c, orphan);
		}
	}
	memset(&c->now, 0, sizeof(c->now));
}
