/* Compact JWS texts as they come from outside; signatures always hold (support/signature.h). */
#include <stdint.h>

#include "protocol/crypto.h"
#include "tests/fuzz/support/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (crypto_init() == CV_OK && size > 0)
		document_decode((enum document_kind)(data[0] % DOCUMENT_KINDS),
			(const char *)data + 1, size - 1);
	return 0;
}
