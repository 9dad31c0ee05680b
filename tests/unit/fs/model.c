#include "tests/unit/fs/model.h"

#include <stdio.h>

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	m->nodes[0] = (struct model_node){ .there = true, .dir = true };
	m->file_max = MODEL_FILE_MAX;
}

void model_wipe(struct model *m)
{
	for (int i = 0; i < MODEL_NODES; i++)
		free(m->nodes[i].data);
}

static void path_of(const struct model *m, int dir, const char *name, char out[512])
{
	char tail[512] = "";

	(void)snprintf(out, 512, "%s%s", name[0] ? "/" : "", name);
	while (dir != 0) {
		for (int i = 0; i < MODEL_NAMES; i++) {
			if (!m->names[i].there || m->names[i].node != dir)
				continue;
			(void)snprintf(tail, sizeof(tail), "/%s%s", m->names[i].name, out);
			break;
		}
		(void)snprintf(out, 512, "%s", tail);
		dir = m->nodes[dir].parent;
	}
}

static int find_name(const struct model *m, int dir, const char *name)
{
	for (int i = 0; i < MODEL_NAMES; i++)
		if (m->names[i].there && m->names[i].dir == dir && !strcmp(m->names[i].name, name))
			return i;
	return -1;
}

static bool is_empty(const struct model *m, int dir)
{
	for (int i = 0; i < MODEL_NAMES; i++)
		if (m->names[i].there && m->names[i].dir == dir)
			return false;
	return true;
}

static int pick(const struct model *m, uint32_t *random, bool dir)
{
	for (int tries = 0; tries < 200; tries++) {
		int i = (int)(next_random(random) % MODEL_NODES);

		if (m->nodes[i].there && m->nodes[i].dir == dir)
			return i;
	}
	return dir ? 0 : -1;
}

static int pick_name(const struct model *m, uint32_t *random)
{
	for (int tries = 0; tries < 200; tries++) {
		int i = (int)(next_random(random) % MODEL_NAMES);

		if (m->names[i].there)
			return i;
	}
	return -1;
}

static int free_node(const struct model *m)
{
	for (int i = 1; i < MODEL_NODES; i++)
		if (!m->nodes[i].there)
			return i;
	return -1;
}

static int free_name(const struct model *m)
{
	for (int i = 0; i < MODEL_NAMES; i++)
		if (!m->names[i].there)
			return i;
	return -1;
}

static uint64_t object_of(const struct model *m, struct volume *v, int node)
{
	char path[512];

	if (node == 0)
		return OBJECT_ROOT;
	for (int i = 0; i < MODEL_NAMES; i++) {
		if (!m->names[i].there || m->names[i].node != node)
			continue;
		path_of(m, m->names[i].dir, m->names[i].name, path);
		return must_resolve(v, path);
	}
	return 0;
}

static void drop(struct model *m, int name)
{
	struct model_node *n = &m->nodes[m->names[name].node];

	m->names[name].there = false;
	if (!n->dir && --n->links)
		return;
	free(n->data);
	memset(n, 0, sizeof(*n));
}

static bool step_create(struct model *m, struct volume *v, uint32_t *random, bool dir)
{
	int parent = pick(m, random, true);
	int node = free_node(m);
	int slot = free_name(m);
	struct dir_new new = { .mode = dir ? S_IFDIR | 0755 : S_IFREG | 0644 };
	char text[16];
	uint64_t object;
	enum cv_err err;

	if (node < 0 || slot < 0)
		return true;
	(void)snprintf(text, sizeof(text), "n%u", next_random(random) % 12);
	struct dir_name name = { text, strlen(text) };

	err = dir_create(v, object_of(m, v, parent), &name, &new, &object);
	if (find_name(m, parent, text) >= 0)
		return err == CV_ERR_EXISTS;
	if (err == CV_ERR_FULL)
		return true;
	m->nodes[node] = (struct model_node){ .there = true,
		.dir = dir,
		.links = 1,
		.parent = parent,
		.data = dir ? NULL : calloc(1, MODEL_FILE_MAX) };
	m->names[slot] = (struct model_name){ .there = true, .dir = parent, .node = node };
	(void)snprintf(m->names[slot].name, sizeof(m->names[slot].name), "%s", text);
	return err == CV_OK;
}

static bool step_write(struct model *m, struct volume *v, uint32_t *random)
{
	static uint8_t data[MODEL_FILE_MAX / 4];
	int file = pick(m, random, false);
	size_t most = m->file_max / 4;
	size_t offset = next_random(random) % (m->file_max - most);
	size_t len = 1 + next_random(random) % (next_random(random) % 4 ? 9000 : most);
	size_t done;
	enum cv_err err;

	if (file < 0)
		return true;
	if (next_random(random) % 3 == 0)
		offset -= offset % BLOCK_BYTES;
	fill_pattern(data, len, next_random(random));
	err = data_write(v, object_of(m, v, file), offset, data, len, &done);
	if (err && err != CV_ERR_FULL)
		return false;
	memcpy(m->nodes[file].data + offset, data, done);
	if (done && m->nodes[file].size < offset + done)
		m->nodes[file].size = offset + done;
	return err == CV_ERR_FULL || done == len;
}

static bool step_truncate(struct model *m, struct volume *v, uint32_t *random)
{
	int file = pick(m, random, false);
	size_t size = next_random(random) % m->file_max;
	struct model_node *n;

	if (file < 0)
		return true;
	n = &m->nodes[file];
	if (next_random(random) % 4 == 0)
		size -= size % BLOCK_BYTES;
	if (data_truncate(v, object_of(m, v, file), size, NULL))
		return false;
	if (size < n->size)
		memset(n->data + size, 0, n->size - size);
	n->size = size;
	return true;
}

static bool step_space(struct model *m, struct volume *v, uint32_t *random)
{
	int file = pick(m, random, false);
	size_t from = next_random(random) % m->file_max;
	size_t len = 1 + next_random(random) % (m->file_max - from);
	struct model_node *n;
	enum cv_err err;

	if (file < 0)
		return true;
	n = &m->nodes[file];
	if (next_random(random) % 3 == 0) {
		err = data_allocate(v, object_of(m, v, file), from, len, false);
		if (!err && n->size < from + len)
			n->size = from + len;
		return !err || err == CV_ERR_FULL;
	}
	if (m->whole_blocks) {
		/* a hole in whole blocks, or zeros within one, are one transaction each */
		from -= from % BLOCK_BYTES;
		len = len < BLOCK_BYTES ? len : len - len % BLOCK_BYTES;
	}
	if (data_punch(v, object_of(m, v, file), from, len))
		return false;
	if (from < n->size)
		memset(n->data + from, 0, len < n->size - from ? len : n->size - from);
	return true;
}

static bool step_remove(struct model *m, struct volume *v, uint32_t *random)
{
	int slot = pick_name(m, random);
	struct model_name *name = &m->names[slot < 0 ? 0 : slot];
	struct dir_name text = { name->name, strlen(name->name) };
	bool dir = slot >= 0 && m->nodes[name->node].dir;
	uint64_t gone = 0;
	enum cv_err err;

	if (slot < 0)
		return true;
	err = dir ? dir_rmdir(v, object_of(m, v, name->dir), &text, &gone)
		  : dir_unlink(v, object_of(m, v, name->dir), &text, &gone);
	if (dir && !is_empty(m, name->node))
		return err == CV_ERR_NOT_EMPTY;
	if (err)
		return false;
	drop(m, slot);
	return gone == 0 || reap_object(v, gone) == CV_OK;
}

static bool step_link(struct model *m, struct volume *v, uint32_t *random)
{
	int file = pick(m, random, false);
	int parent = pick(m, random, true);
	int slot = free_name(m);
	char text[16];
	enum cv_err err;

	if (file < 0 || slot < 0)
		return true;
	(void)snprintf(text, sizeof(text), "n%u", next_random(random) % 12);
	struct dir_name name = { text, strlen(text) };

	err = dir_link(v, object_of(m, v, file), object_of(m, v, parent), &name);
	if (find_name(m, parent, text) >= 0)
		return err == CV_ERR_EXISTS;
	if (err)
		return err == CV_ERR_FULL;
	m->names[slot] = (struct model_name){ .there = true, .dir = parent, .node = file };
	(void)snprintf(m->names[slot].name, sizeof(m->names[slot].name), "%s", text);
	m->nodes[file].links++;
	return true;
}

static bool below(const struct model *m, int dir, int top)
{
	for (; dir != 0; dir = m->nodes[dir].parent)
		if (dir == top)
			return true;
	return top == 0;
}

static enum cv_err expected(const struct model *m, int from, int parent, int target, bool swap)
{
	const struct model_name *f = &m->names[from];
	bool dir = m->nodes[f->node].dir;

	if (swap && target < 0)
		return CV_ERR_NOT_FOUND;
	if (target >= 0 && m->names[target].node == f->node)
		return CV_OK;
	if (dir && below(m, parent, f->node))
		return CV_ERR_ARGUMENT;
	if (target < 0)
		return CV_OK;
	if (swap)
		return m->nodes[m->names[target].node].dir &&
				       below(m, f->dir, m->names[target].node)
			       ? CV_ERR_ARGUMENT
			       : CV_OK;
	if (dir && !m->nodes[m->names[target].node].dir)
		return CV_ERR_NOT_DIR;
	if (!dir && m->nodes[m->names[target].node].dir)
		return CV_ERR_IS_DIR;
	return dir && !is_empty(m, m->names[target].node) ? CV_ERR_NOT_EMPTY : CV_OK;
}

static void move(struct model *m, int from, int parent, int target, const char *text, bool swap)
{
	struct model_name *f = &m->names[from];

	if (target >= 0 && m->names[target].node == f->node)
		return;
	if (swap) {
		int other = m->names[target].node;

		if (m->nodes[other].dir)
			m->nodes[other].parent = f->dir;
		if (m->nodes[f->node].dir)
			m->nodes[f->node].parent = parent;
		m->names[target].node = f->node;
		f->node = other;
		return;
	}
	if (target >= 0)
		drop(m, target);
	f->dir = parent;
	(void)snprintf(f->name, sizeof(f->name), "%s", text);
	if (m->nodes[f->node].dir)
		m->nodes[f->node].parent = parent;
}

static bool step_rename(struct model *m, struct volume *v, uint32_t *random)
{
	int from = pick_name(m, random);
	int parent = pick(m, random, true);
	bool swap = next_random(random) % 3 == 0;
	uint64_t gone = 0;
	enum cv_err want;
	enum cv_err err;
	char text[16];
	int target;

	if (from < 0)
		return true;
	(void)snprintf(text, sizeof(text), "n%u", next_random(random) % 12);
	target = find_name(m, parent, text);
	want = expected(m, from, parent, target, swap);

	struct dir_name name = { m->names[from].name, strlen(m->names[from].name) };
	struct dir_name to = { text, strlen(text) };

	err = dir_rename(v, object_of(m, v, m->names[from].dir), &name, object_of(m, v, parent),
		&to, swap ? DIR_RENAME_EXCHANGE : 0, &gone);
	if (err == CV_ERR_FULL)
		return true;
	if (err != want) {
		fprintf(stderr, "rename: got %d, want %d\n", err, want);
		return false;
	}
	if (err)
		return true;
	move(m, from, parent, target, text, swap);
	return gone == 0 || reap_object(v, gone) == CV_OK;
}

bool model_step(struct model *m, struct volume *v, uint32_t *random)
{
	switch (next_random(random) % 18) {
	case 0:
	case 1:
		return step_create(m, v, random, true);
	case 2:
	case 3:
	case 4:
		return step_create(m, v, random, false);
	case 5:
	case 6:
		return step_remove(m, v, random);
	case 7:
		return step_link(m, v, random);
	case 8:
	case 9:
		return step_rename(m, v, random);
	case 10:
	case 11:
		return step_truncate(m, v, random);
	case 12:
	case 13:
		return step_space(m, v, random);
	default:
		return step_write(m, v, random);
	}
}

struct listed {
	unsigned names;
};

static int count_name(void *user, const struct dir_name *name, uint64_t object, uint32_t type,
	uint64_t next, unsigned index)
{
	struct listed *l = user;

	(void)object;
	(void)type;
	(void)next;
	(void)index;
	l->names += name->bytes[0] == 'n';
	return 0;
}

static bool same_file(const struct model_node *n, struct volume *v, uint64_t object)
{
	static uint8_t back[MODEL_FILE_MAX];
	size_t got = 0;

	if (data_read(v, object, 0, back, sizeof(back), &got) || got != n->size)
		return false;
	return memcmp(back, n->data, got) == 0;
}

bool model_equal(const struct model *m, struct volume *v)
{
	unsigned names[MODEL_NODES] = { 0 };

	for (int i = 0; i < MODEL_NAMES; i++) {
		const struct model_name *name = &m->names[i];
		struct inode inode;
		uint64_t object;
		char path[512];

		if (!name->there)
			continue;
		names[name->dir]++;
		path_of(m, name->dir, name->name, path);
		if (path_resolve(v, path, &object) || inode_get(v, object, &inode) ||
			S_ISDIR(inode.mode) != m->nodes[name->node].dir)
			return false;
		if (!S_ISDIR(inode.mode) && (inode.links != m->nodes[name->node].links ||
						    !same_file(&m->nodes[name->node], v, object)))
			return false;
	}
	for (int i = 0; i < MODEL_NODES; i++) {
		struct listed l = { 0 };

		if (!m->nodes[i].there || !m->nodes[i].dir)
			continue;
		if (dir_read(v, object_of(m, v, i), 0, count_name, &l) || l.names != names[i])
			return false;
	}
	return true;
}
