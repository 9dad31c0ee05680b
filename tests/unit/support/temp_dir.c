#include "tests/unit/support/temp_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/secret.h"
#include "protocol/crypto.h"

int temp_dir_setup(void **state)
{
	char *dir = strdup("/tmp/conclave-test-XXXXXX");

	if (secret_process_init() != CV_OK || crypto_init() != CV_OK || dir == NULL ||
		mkdtemp(dir) == NULL)
		return -1;
	*state = dir;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int temp_dir_teardown(void **state)
{
	int r = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return r;
}

const char *temp_path(void **state, const char *name)
{
	static char paths[4][256];
	static unsigned int next;
	char *out = paths[next++ % 4];

	snprintf(out, sizeof(paths[0]), "%s/%s", (char *)*state, name);
	return out;
}
