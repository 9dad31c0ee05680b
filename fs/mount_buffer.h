/*
 * The buffer that a worker receives its requests in, as the place for long replies: a READ or a
 * READDIR is a few bytes long, so the rest of it lies idle just then. So a worker needs one large
 * buffer, and not a second one.
 *
 * Threads  each worker has its own.
 */
#ifndef CONCLAVE_FS_MOUNT_BUFFER_H
#define CONCLAVE_FS_MOUNT_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* This thread's buffer, as it is given to read(2) of the FUSE descriptor. */
void mount_buffer_set(void *buf, size_t cap);
/* `size` bytes of it behind the request at hand; NULL if it is not as large. */
uint8_t *mount_buffer(size_t size);
/* Before it is freed: what was read and written has gone through it. */
void mount_buffer_wipe(void);

#endif
