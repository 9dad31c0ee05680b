#include "heap.h"

#include <string.h>

#include <cjson/cJSON.h>
#include <mbedtls/platform.h>

#include "protocol/crypto.h"

/* Keeps what follows aligned for any type. */
union header {
	size_t size;
#if SIZE_MAX > UINT32_MAX
	max_align_t align;
#else
	uint64_t align; /* there is no wider type in use on a chip */
#endif
};

static struct heap_stats stats;
static uint64_t fail_at;

void *heap_alloc(size_t size)
{
	union header *h = NULL;

	stats.count++;
	if ((fail_at != 0 && --fail_at == 0) || size > SIZE_MAX - sizeof(*h)) {
		stats.failures++;
		return NULL;
	}
	h = heap_system_alloc(sizeof(*h) + size);
	if (h == NULL) {
		stats.failures++;
		return NULL;
	}
	h->size = size;
	stats.in_use += size;
	if (stats.in_use > stats.peak)
		stats.peak = stats.in_use;
	if (size > stats.largest)
		stats.largest = size;
	return h + 1;
}

void *heap_calloc(size_t count, size_t size)
{
	void *p = NULL;

	if (size != 0 && count > SIZE_MAX / size) {
		stats.failures++;
		return NULL;
	}
	p = heap_alloc(count * size);
	if (p != NULL)
		memset(p, 0, count * size);
	return p;
}

/* Everything is wiped on its way out: TLS keys and decoded shares pass through here. */
void heap_release(void *p)
{
	union header *h = p;

	if (p == NULL)
		return;
	h--;
	stats.in_use -= h->size;
	crypto_wipe(p, h->size);
	heap_system_free(h);
}

void heap_install(void)
{
	cJSON_Hooks hooks = {heap_alloc, heap_release};

	cJSON_InitHooks(&hooks);
#ifdef MBEDTLS_PLATFORM_MEMORY
	mbedtls_platform_set_calloc_free(heap_calloc, heap_release);
#endif
}

void heap_stats(struct heap_stats *out)
{
	*out = stats;
}

void heap_failures_clear(void)
{
	stats.failures = 0;
}

void heap_fail_nth(uint64_t n)
{
	fail_at = n;
}
