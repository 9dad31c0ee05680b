/*
 * Space that is really there before small writes that are fsynced need it.
 *
 * A container is a sparse file at first. An fdatasync over a block that the host's filesystem must
 * still find room for costs a commit of its journal: two to four times as much as one over a block
 * that was written before. So small writes among which there are fsyncs go into a zone of blocks
 * that were written before: one that creating the volume has filled with noise, one where files
 * have been deleted or overwritten, or, if none is found, one that is filled in the background.
 * What is freed comes back into it.
 */
#ifndef CONCLAVE_FS_AHEAD_H
#define CONCLAVE_FS_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/err.h"

struct store;
struct volume;

/* The zone of a new volume of `blocks`, some way behind the place where nodes begin. */
CV_MUST_CHECK enum cv_err ahead_first(struct store *store, uint64_t blocks, uint64_t nodes);
/* A session begins: looks for a zone. Volume lock held. */
void ahead_begin(struct volume *v);
/* Volume lock held: somebody waits for a flush. True if a zone is wanted. */
bool ahead_wanted(struct volume *v);
/* Finds or makes it. Volume lock held, and let go meanwhile; for the flusher only. */
void ahead_prepare(struct volume *v);

#endif
