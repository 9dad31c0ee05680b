/*
 * Space that is really there before small writes that are fsynced need it.
 *
 * A container is a sparse file at first. An fdatasync over a block that the host's filesystem must
 * still find room for costs a commit of its journal: two to four times as much as one over a block
 * that was written before. So when programs fsync, a zone is filled with noise ahead of the
 * allocator, and small writes go there. What they free comes back into the zone.
 */
#ifndef CONCLAVE_FS_AHEAD_H
#define CONCLAVE_FS_AHEAD_H

#include <stdbool.h>

struct volume;

/* Volume lock held: somebody waits for a flush. True if a zone is wanted. */
bool ahead_wanted(struct volume *v);
/* Makes it. Volume lock held, and let go meanwhile; for the flusher only. */
void ahead_prepare(struct volume *v);

#endif
