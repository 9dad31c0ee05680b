/*
 * A rekey beside the requests of a mount. One that was begun before goes on by itself when the
 * volume is mounted for writing; what a stop leaves is done by the next mount.
 */
#ifndef CONCLAVE_FS_REKEY_THREAD_H
#define CONCLAVE_FS_REKEY_THREAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "fs/volume.h"

#define REKEY_RATE_DEFAULT ((uint64_t)16 << 20) /* bytes a second: others keep most of the lock */

struct rekey_thread {
	struct volume *volume;
	uint64_t rate;
	pthread_t thread;
	bool started;
	atomic_bool stop;
	atomic_bool ended;
};

/* Starts one if a rekey was begun. rate 0: the default. Logs its end. */
void rekey_thread_start(struct rekey_thread *t, struct volume *volume, uint64_t rate);
/*
 * Begins a rekey of the data keys (the secrets of the key slots are not here, so the volume key
 * stays) or goes on with one, at `rate`. Errors as volume_rekey_begin.
 */
CV_MUST_CHECK enum cv_err rekey_thread_begin(
	struct rekey_thread *t, struct volume *volume, uint64_t rate);
/* Returns within about a tenth of a second and the time of a slice. */
void rekey_thread_stop(struct rekey_thread *t);

#endif
