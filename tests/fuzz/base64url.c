/* base64url has one text for each value: what decodes encodes to the input again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base64url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cap = size / 4 * 3 + 3;
	uint8_t *bytes = malloc(cap);
	char *text = malloc(size + 1);
	size_t len;

	if (bytes != NULL && text != NULL &&
		base64url_decode(bytes, cap, &len, (const char *)data, size) == CV_OK &&
		(base64url_encode(text, size + 1, bytes, len) != CV_OK || strlen(text) != size ||
			memcmp(text, data, size) != 0))
		abort();
	free(bytes);
	free(text);
	return 0;
}
