/*
 * The unit tests of protocol/ and shamir/ on the emulated chip: the same sources and the same golden
 * vectors as on the host, over the chip's crypto. Output and exit status go through
 * semihosting. Only what golden vectors prove, unless told to run all.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PROGRAM(name) int target_##name(void);
#include "programs.h"
#undef PROGRAM

/* A word of the machine's memory that QEMU may set: 1 runs every test. */
#define ALL ((const volatile uint32_t *)0x80f00000)

static jmp_buf failed;
static size_t passed, bad;
static int all;

static int wanted(const char *name)
{
	return all || strstr(name, "reference") != NULL || strstr(name, "rfc") != NULL ||
	       strstr(name, "vector") != NULL;
}

void target_fail(const char *file, int line, const char *what)
{
	printf("%s:%d: %s\n", file, line, what);
	longjmp(failed, 1);
}

static int one(const struct CMUnitTest *t)
{
	void *state = NULL;

	if (setjmp(failed) != 0)
		return -1;
	if (t->setup != NULL && t->setup(&state) != 0)
		return -1;
	t->run(&state);
	return t->teardown == NULL ? 0 : t->teardown(&state);
}

int target_run(const struct CMUnitTest *tests, size_t count, target_fixture setup,
	target_fixture teardown)
{
	void *state = NULL;

	if (setup != NULL && setup(&state) != 0) {
		printf("FAILED the setup of a group\n");
		bad++;
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		if (!wanted(tests[i].name))
			continue;
		if (one(&tests[i]) == 0) {
			passed++;
			continue;
		}
		printf("FAILED %s\n", tests[i].name);
		bad++;
	}
	return teardown != NULL ? teardown(&state) : 0;
}

int main(void)
{
	all = *ALL == 1;
#define PROGRAM(name) (void)target_##name();
#include "programs.h"
#undef PROGRAM
	printf("target passed %u failed %u\n", (unsigned)passed, (unsigned)bad);
	exit(bad == 0 && passed > 0 ? 0 : 1);
}
