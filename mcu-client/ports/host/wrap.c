/*
 * The host's allocator under heap.h. The program is linked with --wrap=malloc,calloc,free and a
 * static mbedTLS, so that what the TLS library allocates is counted as on a chip.
 */
#include <stddef.h>

#include "heap.h"

void *__real_malloc(size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *p);

void *heap_system_alloc(size_t size)
{
	return __real_malloc(size);
}

void heap_system_free(void *p)
{
	__real_free(p);
}

void *__wrap_malloc(size_t size)
{
	return heap_alloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return heap_calloc(count, size);
}

void __wrap_free(void *p)
{
	heap_release(p);
}
