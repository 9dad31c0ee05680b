#include "tests/unit/host/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

void hex_bytes(uint8_t *out, size_t len, const char *text)
{
	size_t have = 0;

	assert_int_equal(sodium_hex2bin(out, len, text, strlen(text), " ", &have, NULL), 0);
	assert_int_equal(have, len);
}
