#include "fs/mount_buffer.h"

#include "fs/mount_ops.h"
#include "protocol/crypto.h"

#define PAGE ((size_t)4096)
#define HEAD_BYTES ((size_t)128) /* a request without names or content is shorter */

static _Thread_local uint8_t *buffer;
static _Thread_local size_t capacity;

void mount_buffer_set(void *buf, size_t cap)
{
	buffer = buf;
	capacity = cap;
}

uint8_t *mount_buffer(size_t size)
{
	/* from a page's start, if that leaves room: the kernel then copies from fewer pages */
	size_t skip = HEAD_BYTES + (PAGE - ((uintptr_t)buffer + HEAD_BYTES) % PAGE) % PAGE;

	if (skip + size > capacity)
		skip = HEAD_BYTES;
	return buffer && skip + size <= capacity ? buffer + skip : NULL;
}

void mount_buffer_wipe(void)
{
	/* libfuse makes it larger than any request of ours: the rest was never touched */
	size_t used = 2 * PAGE + MOUNT_TRANSFER_MAX;

	if (buffer)
		crypto_wipe(buffer, used < capacity ? used : capacity);
	buffer = NULL;
	capacity = 0;
}
