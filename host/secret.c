#include "host/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <sodium.h>

static _Thread_local char last_error[160];

enum cv_err secret_process_init(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		snprintf(last_error, sizeof(last_error), "cannot forbid core dumps: %s",
			strerror(errno));
		return CV_ERR_PERMISSION;
	}
	if (sodium_init() < 0) {
		snprintf(last_error, sizeof(last_error), "libsodium does not start");
		return CV_ERR_CRYPTO;
	}
	return CV_OK;
}

static void explain_lock(size_t len)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		limit.rlim_cur = 0;
	snprintf(last_error, sizeof(last_error),
		"cannot lock %zu bytes of memory: %s: RLIMIT_MEMLOCK is %llu KiB, "
		"raise it (ulimit -l, LimitMEMLOCK=)",
		len, strerror(errno), (unsigned long long)limit.rlim_cur / 1024);
}

void *secret_alloc(size_t len)
{
	void *p = sodium_malloc(len);

	if (p == NULL) {
		snprintf(last_error, sizeof(last_error), "no memory for %zu bytes", len);
		return NULL;
	}
	/* sodium_malloc locks, but hides a failure; locking the same pages again shows it. */
	if (mlock(p, len) != 0) {
		explain_lock(len);
		sodium_free(p);
		return NULL;
	}
	sodium_memzero(p, len);
	return p;
}

void secret_free(void *p)
{
	sodium_free(p);
}

const char *secret_last_error(void)
{
	return last_error[0] != '\0' ? last_error : "no error";
}
