#include "protocol/scratch.h"

#include <cjson/cJSON.h>

#include "protocol/crypto.h"

void *scratch_alloc(size_t size)
{
	return cJSON_malloc(size > 0 ? size : 1);
}

void scratch_free(void *p, size_t size)
{
	if (p == NULL)
		return;
	crypto_wipe(p, size);
	cJSON_free(p);
}
