/*
 * The allocator that TLS and JSON are given: libc's, counted, with a fault to inject. An allocation
 * that failed leaves a sticky flag; a handshake during which one failed is discarded (mbedTLS 2.28
 * before 2.28.10 could continue after one: CVE-2025-27809, CVE-2025-27810).
 */
#ifndef CONCLAVE_MCU_HEAP_H
#define CONCLAVE_MCU_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_stats {
	size_t in_use;	    /* bytes now */
	size_t peak;	    /* highest since heap_install */
	size_t largest;	    /* largest single allocation */
	uint64_t count;	    /* allocations made */
	uint32_t failures;  /* allocations that failed; sticky until heap_failures_clear */
};

/*
 * Hands the allocator to cJSON and, where it was built with MBEDTLS_PLATFORM_MEMORY, to mbedTLS;
 * once, before either is used. Debian's mbedTLS was not: ports/host routes the client's and the
 * static mbedTLS's malloc, calloc and free here with the linker's --wrap.
 */
void heap_install(void);
void *heap_alloc(size_t size);
void *heap_calloc(size_t count, size_t size);
/* Wipes, then releases; NULL is allowed. */
void heap_release(void *p);
void heap_stats(struct heap_stats *out);
void heap_failures_clear(void);
/* The n-th allocation from now fails, once (1 = the next); 0 switches it off. For tests. */
void heap_fail_nth(uint64_t n);

/* The port's real allocator. */
void *heap_system_alloc(size_t size);
void heap_system_free(void *p);

#endif
