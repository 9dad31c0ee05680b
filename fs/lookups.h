/*
 * How often the kernel knows each inode (FUSE lookup counts). An object whose last name is gone is
 * freed when its count falls to zero. The volume's lock covers it.
 */
#ifndef CONCLAVE_FS_LOOKUPS_H
#define CONCLAVE_FS_LOOKUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

struct lookup {
	uint64_t object; /* 0: free place */
	uint64_t count;
	uint32_t writers; /* open descriptors that may write */
	bool failed;      /* bytes that were written into the kernel's cache found no room */
	bool told;        /* the kernel has its attributes, and no reason to ask again */
	uint64_t parent; /* where it was looked up last, for messages; 0: nowhere */
};

/* Open addressing; at most three quarters full, and an eighth at least. */
struct lookups {
	struct lookup *place;
	size_t places; /* a power of two */
	size_t used;
};

CV_MUST_CHECK enum cv_err lookups_init(struct lookups *l);
void lookups_wipe(struct lookups *l);
CV_MUST_CHECK enum cv_err lookups_add(struct lookups *l, uint64_t object, uint64_t parent);
/* What is left after `count` were forgotten. */
uint64_t lookups_forget(struct lookups *l, uint64_t object, uint64_t count);
uint64_t lookups_get(const struct lookups *l, uint64_t object);
/* One more or one less (by = 1, -1) descriptor that may write, of an object the kernel knows. */
void lookups_writer(struct lookups *l, uint64_t object, int by);
uint32_t lookups_writers(const struct lookups *l, uint64_t object);
void lookups_failed(struct lookups *l, uint64_t object);
/* True once after each lookups_failed. */
bool lookups_take_failure(struct lookups *l, uint64_t object);
/*
 * Whether the kernel has the attributes of an object as they are. A guess: when it is wrong, the
 * kernel asks once more than it had to.
 */
void lookups_told(struct lookups *l, uint64_t object, bool told);
bool lookups_is_told(const struct lookups *l, uint64_t object);
/* It was moved; nothing happens if the kernel does not know it. */
void lookups_move(struct lookups *l, uint64_t object, uint64_t parent);
uint64_t lookups_parent(const struct lookups *l, uint64_t object);

#endif
