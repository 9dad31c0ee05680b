#include "ports/host/stack.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "protocol/crypto.h"

#define STACK_BYTES (1u << 20)
#define PAINT 0xa5

struct call {
	void (*fn)(void *, const void *);
	void *context;
	const void *arguments;
};

static size_t peak;

static void *thread_main(void *p)
{
	struct call *call = p;

	call->fn(call->context, call->arguments);
	return NULL;
}

int stack_run(void (*fn)(void *, const void *), void *context, const void *arguments)
{
	struct call call = {fn, context, arguments};
	pthread_attr_t attr;
	pthread_t thread;
	size_t untouched = 0;
	int result = -1;
	uint8_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return -1;
	memset(stack, PAINT, STACK_BYTES);
	if (pthread_attr_init(&attr) != 0)
		goto unmap;
	if (pthread_attr_setstack(&attr, stack, STACK_BYTES) == 0 &&
		pthread_create(&thread, &attr, thread_main, &call) == 0 &&
		pthread_join(thread, NULL) == 0)
		result = 0;
	(void)pthread_attr_destroy(&attr);
	while (untouched < STACK_BYTES && stack[untouched] == PAINT)
		untouched++;
	peak = STACK_BYTES - untouched;
unmap:
	crypto_wipe(stack, STACK_BYTES);
	(void)munmap(stack, STACK_BYTES);
	return result;
}

size_t stack_peak(void)
{
	return peak;
}
