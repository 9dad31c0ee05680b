/* Hex text of test vectors to bytes. */
#ifndef CONCLAVE_TESTS_HOST_HEX_H
#define CONCLAVE_TESTS_HOST_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Decodes `text` (spaces allowed) and fails the test unless it is exactly `len` bytes. */
void hex_bytes(uint8_t *out, size_t len, const char *text);

#endif
