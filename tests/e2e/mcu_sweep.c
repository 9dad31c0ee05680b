/*
 * usage: mcu_sweep STATE [PARTS PART]
 *
 * Boots the microcontroller client of this host again and again, each time with one allocation
 * failing. The first boot notes every allocation by where it came from (its call stack); then each
 * distinct place fails once, the first time it is reached: every error path that an allocation can
 * open, not every one of its 100,000 allocations. With PARTS, only each PARTS-th place from PART on.
 *
 * Exit status 0 when no boot crashed, left heap behind, or accepted a TLS handshake during which an
 * allocation failed; the last line counts.
 */
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "heap.h"
#include "ports/host/port_host.h"
#include "protocol/crypto.h"
#include "tls.h"

#define FRAMES 24
#define PLACES_MAX 16384
#define TIMEOUT_MS 20000

void *__real_malloc(size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *p);
int __real_mbedtls_ssl_handshake(mbedtls_ssl_context *ssl);
int __wrap_mbedtls_ssl_handshake(mbedtls_ssl_context *ssl);
enum cv_err __real_tls_connect(
	struct tls *t, struct tls_peer *peer, uint64_t connect_deadline_ms, uint64_t deadline_ms);
enum cv_err __wrap_tls_connect(
	struct tls *t, struct tls_peer *peer, uint64_t connect_deadline_ms, uint64_t deadline_ms);

static struct place {
	uint64_t stack;
	uint64_t first; /* allocation of a boot, from 1 */
} places[PLACES_MAX];
static size_t place_count;
static int noting, spoiled;
static uint64_t count, fail_at, failed, accepted;
static size_t kept; /* what the library keeps for good, once it was used */

static void place_note(void)
{
	void *frames[FRAMES];
	uint64_t stack = 14695981039346656037u;
	int n = backtrace(frames, FRAMES);

	for (int i = 1; i < n; i++)
		stack = (stack ^ (uint64_t)(uintptr_t)frames[i]) * 1099511628211u;
	for (size_t i = 0; i < place_count; i++)
		if (places[i].stack == stack)
			return;
	if (place_count == PLACES_MAX) {
		(void)fputs("mcu_sweep: more places than it can note\n", stderr);
		exit(1);
	}
	places[place_count++] = (struct place){stack, count};
}

void *heap_system_alloc(size_t size)
{
	count++;
	if (noting)
		place_note();
	if (count == fail_at) {
		failed++;
		return NULL;
	}
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

void *__wrap_calloc(size_t number, size_t size)
{
	return heap_calloc(number, size);
}

void __wrap_free(void *p)
{
	heap_release(p);
}

int __wrap_mbedtls_ssl_handshake(mbedtls_ssl_context *ssl)
{
	uint64_t before = failed;
	int result = __real_mbedtls_ssl_handshake(ssl);

	spoiled |= failed != before;
	return result;
}

enum cv_err __wrap_tls_connect(
	struct tls *t, struct tls_peer *peer, uint64_t connect_deadline_ms, uint64_t deadline_ms)
{
	enum cv_err err;

	spoiled = 0;
	err = __real_tls_connect(t, peer, connect_deadline_ms, deadline_ms);
	if (err == CV_OK && spoiled)
		accepted++;
	return err;
}

/* 0 if the heap is as it was before. */
static int boot(enum cv_err *outcome)
{
	static const struct client_limits limits = {.timeout_ms = TIMEOUT_MS, .stay_ms = 0};
	struct client_result result;
	struct heap_stats heap;

	count = 0;
	client_run(&result, &limits);
	fail_at = 0;
	heap_stats(&heap);
	*outcome = result.outcome;
	if (noting)
		kept = heap.in_use;
	return heap.in_use == kept ? 0 : -1;
}

int main(int argc, char **argv)
{
	size_t parts = argc > 3 ? strtoul(argv[2], NULL, 10) : 1;
	size_t part = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	const char *problem = "arguments";
	size_t boots = 0, mounted = 0, leaks = 0;
	enum cv_err outcome;

	heap_install();
	if (argc < 2 || parts == 0 || port_host_open(argv[1], &problem) != CV_OK ||
		crypto_init() != CV_OK || port_host_measure() != CV_OK) {
		(void)fprintf(stderr, "mcu_sweep: cannot start: %s\n", problem);
		return 1;
	}
	noting = 1;
	if (boot(&outcome) != 0 || outcome != CV_OK) {
		(void)fprintf(stderr, "mcu_sweep: the first boot failed: %s\n", cv_err_text(outcome));
		return 1;
	}
	noting = 0;
	for (size_t i = part; i < place_count; i += parts) {
		fail_at = places[i].first;
		leaks += boot(&outcome) != 0;
		mounted += outcome == CV_OK;
		boots++;
	}
	(void)printf("places %zu boots %zu failed %llu mounted %zu leaks %zu accepted %llu\n",
		place_count, boots, (unsigned long long)failed, mounted, leaks,
		(unsigned long long)accepted);
	return leaks == 0 && accepted == 0 ? 0 : 1;
}
