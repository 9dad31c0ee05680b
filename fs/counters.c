#include "fs/counters.h"

#include <string.h>

#include <linux/fuse.h>

#include "host/clock.h"

void counters_init(struct counters *c)
{
	memset(c, 0, sizeof(*c));
	(void)pthread_mutex_init(&c->lock, NULL);
	atomic_store(&c->used_ms, clock_monotonic_ms());
}

void counters_wipe(struct counters *c)
{
	(void)pthread_mutex_destroy(&c->lock);
}

static enum counters_kind kind_of(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_READ:
		return COUNTERS_READ;
	case FUSE_WRITE:
	case FUSE_COPY_FILE_RANGE:
		return COUNTERS_WRITE;
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_SYNCFS:
		return COUNTERS_SYNC;
	case FUSE_LOOKUP:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_RENAME:
	case FUSE_RENAME2:
	case FUSE_LINK:
	case FUSE_CREATE:
		return COUNTERS_NAME;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
	case FUSE_READLINK:
	case FUSE_SETXATTR:
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
	case FUSE_REMOVEXATTR:
		return COUNTERS_ATTRIBUTE;
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		return COUNTERS_LIST;
	default:
		return COUNTERS_OTHER;
	}
}

/* The kernel tidying up, and looks at the free space by monitoring, are no use of a volume. */
static bool is_use(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
	       opcode != FUSE_STATFS;
}

void counters_request(struct counters *c, uint32_t opcode)
{
	atomic_fetch_add_explicit(&c->kinds[kind_of(opcode)], 1, memory_order_relaxed);
	if (is_use(opcode))
		atomic_store_explicit(&c->used_ms, clock_monotonic_ms(), memory_order_relaxed);
}

void counters_read(struct counters *c, uint64_t bytes)
{
	atomic_fetch_add_explicit(&c->bytes_read, bytes, memory_order_relaxed);
}

void counters_written(struct counters *c, uint64_t bytes)
{
	atomic_fetch_add_explicit(&c->bytes_written, bytes, memory_order_relaxed);
}

void counters_error(struct counters *c, const struct counters_error *e)
{
	atomic_fetch_add(&c->io_errors, 1);
	(void)pthread_mutex_lock(&c->lock);
	c->last = *e;
	(void)pthread_mutex_unlock(&c->lock);
}

struct counters_error counters_last(struct counters *c)
{
	struct counters_error e;

	(void)pthread_mutex_lock(&c->lock);
	e = c->last;
	(void)pthread_mutex_unlock(&c->lock);
	return e;
}

const char *counters_kind_name(enum counters_kind kind)
{
	static const char *const names[COUNTERS_KINDS] = { [COUNTERS_READ] = "read",
		[COUNTERS_WRITE] = "write",
		[COUNTERS_SYNC] = "sync",
		[COUNTERS_NAME] = "name",
		[COUNTERS_ATTRIBUTE] = "attribute",
		[COUNTERS_LIST] = "list",
		[COUNTERS_OTHER] = "other" };

	return names[kind];
}

uint64_t counters_idle_ms(const struct counters *c)
{
	uint64_t now = clock_monotonic_ms();
	uint64_t used = atomic_load(&c->used_ms);

	return now > used ? now - used : 0;
}
