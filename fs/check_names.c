#include <inttypes.h>

#include "fs/acl.h"
#include "fs/check_state.h"
#include "fs/dirent_item.h"
#include "fs/inode.h"

struct check_inode *check_owner(struct check *c, uint64_t object)
{
	struct check_inode *last = c->inode_count ? &c->inodes[c->inode_count - 1] : NULL;

	if (last && last->object == object)
		return last;
	check_problem(c, "object %" PRIu64 ": items without an inode", object);
	return NULL;
}

static enum cv_err add_inode(struct check *c, uint64_t object, const uint8_t *value)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct check_inode *i;

	err = check_grow((void **)&c->inodes, &c->inode_cap, c->inode_count, sizeof(*c->inodes));
	if (err)
		return err;
	i = &c->inodes[c->inode_count++];
	memset(i, 0, sizeof(*i));
	i->object = object;
	inode_decode(&i->inode, value);
	if (object >= c->v->super->next_object)
		check_problem(c, "object %" PRIu64 ": beyond the next free number", object);
	return CV_OK;
}

static enum cv_err add_names(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct check_inode *owner = check_owner(c, key->object);
	struct name_entry d;
	size_t at = 0;

	if (owner && !S_ISDIR(owner->inode.mode))
		check_problem(c, "object %" PRIu64 ": names in what is no directory", key->object);
	while (dirent_next(&d, value, len, &at)) {
		struct dir_name name = { (const char *)d.name, d.name_len };
		enum cv_err err = check_grow(
			(void **)&c->names, &c->name_cap, c->name_count, sizeof(*c->names));

		if (err)
			return err;
		c->names[c->name_count++] = (struct check_name){ key->object, d.object, d.type };
		if (owner)
			owner->entries++;
		if (dir_name_hash(c->v, &name) != key->offset)
			check_problem(
				c, "directory %" PRIu64 ": a name under a wrong hash", key->object);
	}
	return CV_OK;
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
static void check_acl(struct check *c, const struct check_inode *owner, const struct xattr_entry *x)
{
	bool access = is_named(x, ACL_ACCESS);

	if (!access && !is_named(x, ACL_DEFAULT))
		return;
	if (!acl_valid(x->value, x->value_len) || (!access && !S_ISDIR(owner->inode.mode)))
		check_problem(c, "object %" PRIu64 ": a malformed access list", owner->object);
	else if (access && acl_mode(x->value, x->value_len) != (owner->inode.mode & 0777))
		check_problem(c, "object %" PRIu64 ": mode and access list disagree", owner->object);
}

static void check_xattrs(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct check_inode *owner = check_owner(c, key->object);
	struct xattr_entry x;
	size_t at = 0;

	while (xattr_next(&x, value, len, &at)) {
		struct dir_name name = { (const char *)x.name, x.name_len };
		struct xattr_entry other;
		size_t rest = at;

		if (dir_name_hash(c->v, &name) != key->offset)
			check_problem(c, "object %" PRIu64 ": an attribute under a wrong hash",
				key->object);
		while (xattr_next(&other, value, len, &rest))
			if (other.name_len == x.name_len &&
				memcmp(other.name, x.name, x.name_len) == 0)
				check_problem(
					c, "object %" PRIu64 ": an attribute twice", key->object);
		if (owner)
			check_acl(c, owner, &x);
		if (owner)
			owner->xattr_bytes += XATTR_COST_BYTES + x.name_len + x.value_len;
	}
	if (owner && owner->xattr_bytes > XATTR_SPACE_MAX)
		check_problem(c, "object %" PRIu64 ": too many attributes", key->object);
}

enum cv_err check_item(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct check_inode *owner;

	switch ((enum item_type)key->type) {
	case ITEM_INODE:
		return add_inode(c, key->object, value);
	case ITEM_DIRENT:
		return add_names(c, key, value, len);
	case ITEM_SYMLINK:
		owner = check_owner(c, key->object);
		if (owner)
			owner->symlink_bytes = len;
		return CV_OK;
	case ITEM_XATTR:
		check_xattrs(c, key, value, len);
		return CV_OK;
	case ITEM_ORPHAN:
		return add_orphan(c, key->offset, value);
	case ITEM_MAP:
	case ITEM_BITMAP:
		break;
	}
	return CV_OK;
}

static struct check_inode *find(struct check *c, uint64_t object)
{
	size_t low = 0;
	size_t high = c->inode_count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c->inodes[mid].object < object)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->inode_count && c->inodes[low].object == object ? &c->inodes[low] : NULL;
}

static void count_name(struct check *c, const struct check_name *n)
{
	struct check_inode *dir = find(c, n->dir);
	struct check_inode *i = find(c, n->object);

	if (!i) {
		check_problem(c,
			"directory %" PRIu64 ": a name of object %" PRIu64 ", which does not exist",
			n->dir, n->object);
		return;
	}
	i->names++;
	if (i->inode.mode >> 12 != n->type)
		check_problem(c, "object %" PRIu64 ": its name has another file type", i->object);
	if (!S_ISDIR(i->inode.mode))
		return;
	if (dir)
		dir->subdirs++;
	if (i->inode.parent != n->dir)
		check_problem(c, "directory %" PRIu64 ": its parent is %" PRIu64 ", not %" PRIu64,
			i->object, n->dir, i->inode.parent);
}

static void check_directory(struct check *c, const struct check_inode *i)
{
	uint64_t names = i->object == OBJECT_ROOT ? 0 : 1;

	if (i->orphan) {
		if (i->entries || i->names)
			check_problem(
				c, "directory %" PRIu64 ": unlinked, but not empty", i->object);
		return;
	}
	if (i->names != names)
		check_problem(
			c, "directory %" PRIu64 ": has %" PRIu64 " names", i->object, i->names);
	if (i->inode.size != i->entries)
		check_problem(c,
			"directory %" PRIu64 ": counts %" PRIu64 " names, there are %" PRIu64,
			i->object, i->inode.size, i->entries);
	if (i->inode.links != i->subdirs + 2)
		check_problem(c, "directory %" PRIu64 ": counts %u links, there are %" PRIu64,
			i->object, i->inode.links, i->subdirs + 2);
}

static void check_other(struct check *c, const struct check_inode *i)
{
	uint64_t blocks = (i->inode.size + BLOCK_BYTES - 1) / BLOCK_BYTES;

	if (i->inode.links != i->names)
		check_problem(c, "object %" PRIu64 ": counts %u links, there are %" PRIu64,
			i->object, i->inode.links, i->names);
	if ((i->orphan == ORPHAN_UNLINKED) != (i->inode.links == 0))
		check_problem(c, "object %" PRIu64 ": links and orphan item disagree", i->object);
	if (S_ISLNK(i->inode.mode) && i->symlink_bytes != i->inode.size)
		check_problem(c, "symlink %" PRIu64 ": size and target disagree", i->object);
	if (i->inode.blocks != i->mapped)
		check_problem(c,
			"object %" PRIu64 ": counts %" PRIu64 " blocks, there are %" PRIu64,
			i->object, i->inode.blocks, i->mapped);
	if (S_ISREG(i->inode.mode) && !i->orphan && i->last_mapped > blocks)
		check_problem(c, "object %" PRIu64 ": blocks behind its end", i->object);
}

void check_names(struct check *c)
{
	for (size_t k = 0; k < c->orphan_count; k++) {
		struct check_inode *i = find(c, c->orphans[2 * k]);

		if (i)
			i->orphan = (uint8_t)c->orphans[2 * k + 1];
		else
			check_problem(c, "orphan item of object %" PRIu64 ", which does not exist",
				c->orphans[2 * k]);
	}
	for (size_t k = 0; k < c->name_count; k++)
		count_name(c, &c->names[k]);
	if (!find(c, OBJECT_ROOT))
		check_problem(c, "there is no root directory");
	for (size_t k = 0; k < c->inode_count; k++) {
		const struct check_inode *i = &c->inodes[k];

		if (S_ISDIR(i->inode.mode)) {
			c->report->dirs++;
			check_directory(c, i);
		} else {
			c->report->files += S_ISREG(i->inode.mode);
			check_other(c, i);
		}
	}
}
