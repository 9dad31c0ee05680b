/*
 * Freeing in slices: an unlinked object or the cut-off end of a file has an ORPHAN item until the
 * last slice is done, so that work which a crash cut short goes on at the next open.
 * Every call: volume lock held.
 */
#ifndef CONCLAVE_FS_REAP_H
#define CONCLAVE_FS_REAP_H

#include "fs/state.h"

/*
 * Finishes what the ORPHAN item of `object` asks for; nothing to do if it has none. Others get the
 * lock between two slices if v->shared.
 */
CV_MUST_CHECK enum cv_err reap_object(struct volume *v, uint64_t object);
/*
 * The same for an object without a name that nobody can reach any more. A small one waits for
 * others, a second at most, and goes with them in one transaction; not if space is short.
 */
CV_MUST_CHECK enum cv_err reap_soon(struct volume *v, uint64_t object);
/* Frees those that wait. One that cannot be freed gets a log line, and stays an orphan. */
void reap_waiting(struct volume *v);
/* Unmaps everything from file block `from` on, whatever ORPHAN item there is. */
CV_MUST_CHECK enum cv_err reap_tail(struct volume *v, uint64_t object, uint64_t from);
/* Every orphan there is. */
CV_MUST_CHECK enum cv_err reap_all(struct volume *v);
/* True if `object` has no name left and waits for its last user. */
bool reap_waits(struct volume *v, uint64_t object);

#endif
