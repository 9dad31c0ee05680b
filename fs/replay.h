/*
 * Recovery: what the log holds behind the superblock that counts is applied to the tree in memory
 * (docs/volume-format.md, 10). Writes nothing.
 */
#ifndef CONCLAVE_FS_REPLAY_H
#define CONCLAVE_FS_REPLAY_H

#include "fs/state.h"

/*
 * Keyring, tree and allocator stand over the superblock. Afterwards v->log's head is behind the last
 * frame that counts. `accept_older`: damage ends the log instead of being refused, and the notice
 * says so. CV_ERR_TAMPERED: damage that no crash leaves; `why` names frame and place.
 */
CV_MUST_CHECK enum cv_err replay_log(
	struct volume *v, bool accept_older, struct volume_why *why);

#endif
