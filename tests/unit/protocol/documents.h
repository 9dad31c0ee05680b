/* Makes signed documents, good and bad, with the keys of the vectors. */
#ifndef CONCLAVE_TESTS_PROTOCOL_DOCUMENTS_H
#define CONCLAVE_TESTS_PROTOCOL_DOCUMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/opcert.h"

#define DOCUMENT_BUF 262144

/* BASE64URL(header).BASE64URL(payload).BASE64URL(ES256), whatever header and payload say. */
void document_sign(char out[DOCUMENT_BUF], const char *header, const char *payload,
	const uint8_t private_key[CV_ES256_PRIVATE_BYTES]);
/* With the header that belongs to the type; crt may be NULL. */
void document_make(char out[DOCUMENT_BUF], const char *typ, const char *crt, const char *payload,
	const uint8_t private_key[CV_ES256_PRIVATE_BYTES]);
/* Copies `text` with its first `from` replaced by `to`; fails the test if there is none. */
void text_replace(char *out, size_t cap, const char *text, const char *from, const char *to);

/* A certificate of the operator with these roles, signed by the root. */
void certificate_make(char out[CV_OPCERT_MAX + 1], uint32_t roles);
extern const struct op_trust vector_trust;

#endif
