/*
 * What a mount has done since it began, for people and their monitoring.
 *
 * Requests are counted as they come from the kernel, by what they ask for; bytes as they cross to
 * it. What the kernel answers from its own cache is not seen here.
 * Threads  every call, from any thread.
 */
#ifndef CONCLAVE_FS_COUNTERS_H
#define CONCLAVE_FS_COUNTERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/err.h"

enum counters_kind {
	COUNTERS_READ,
	COUNTERS_WRITE, /* also copies within the volume */
	COUNTERS_SYNC,
	COUNTERS_NAME, /* lookups, and changes of the tree */
	COUNTERS_ATTRIBUTE, /* inodes, extended attributes, access lists */
	COUNTERS_LIST, /* directories */
	COUNTERS_OTHER,
	COUNTERS_KINDS
};

/* The last answer of EIO. */
struct counters_error {
	uint64_t object; /* 0: there was none yet */
	uint64_t parent; /* the directory under which the kernel last knew it, or 0 */
	uint64_t block;
	const char *what; /* a literal */
	enum cv_err err;
};

struct counters {
	_Atomic uint64_t kinds[COUNTERS_KINDS];
	_Atomic uint64_t bytes_read;
	_Atomic uint64_t bytes_written;
	_Atomic uint64_t io_errors; /* answered with EIO */
	_Atomic uint64_t full;	    /* answered with ENOSPC */
	_Atomic uint64_t used_ms;   /* clock_monotonic_ms of the last request that is use */
	uint64_t first_generation;  /* of the volume when the mount began */
	pthread_mutex_t lock;
	struct counters_error last; /* under the lock */
};

void counters_init(struct counters *c);
void counters_wipe(struct counters *c);

/* One raw request: `opcode` of linux/fuse.h. */
void counters_request(struct counters *c, uint32_t opcode);
void counters_read(struct counters *c, uint64_t bytes);
void counters_written(struct counters *c, uint64_t bytes);
void counters_error(struct counters *c, const struct counters_error *e);
struct counters_error counters_last(struct counters *c);

/* "read", "write", ...: the member of the status. */
const char *counters_kind_name(enum counters_kind kind);
/* Milliseconds since the volume was last used. */
uint64_t counters_idle_ms(const struct counters *c);

#endif
