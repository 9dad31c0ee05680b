#include <stdlib.h>

#include "fs/mount_ops.h"
#include "host/log.h"

/* The inodes that the kernel knows; malloc'ed, NULL if there is no memory. */
static uint64_t *known(struct mount *m, size_t *count)
{
	const struct lookups *l = &m->lookups;
	uint64_t *objects;

	(void)pthread_mutex_lock(&m->volume->lock);
	objects = calloc(l->used + 1, sizeof(*objects));
	*count = 0;
	for (size_t i = 0; objects && i < l->places; i++)
		if (l->place[i].object)
			objects[(*count)++] = l->place[i].object;
	(void)pthread_mutex_unlock(&m->volume->lock);
	return objects;
}

void mount_hide(struct mount *m)
{
	size_t count;
	uint64_t *objects;

	atomic_store(&m->hidden, true);
	objects = known(m, &count);
	if (!objects) {
		log_warning("mount: no memory: files that are open stay readable from the cache");
		return;
	}
	/* without the lock: for a dirty page the kernel first sends a write, which a worker takes */
	for (size_t i = 0; i < count; i++)
		(void)fuse_lowlevel_notify_inval_inode(m->session, objects[i], 0, 0);
	free(objects);
}
