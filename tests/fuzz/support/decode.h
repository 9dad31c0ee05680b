/* Decodes a signed document; the kind is one of five. What decodes must encode again. */
#ifndef CONCLAVE_TESTS_FUZZ_DECODE_H
#define CONCLAVE_TESTS_FUZZ_DECODE_H

#include <stddef.h>

enum document_kind {
	DOCUMENT_EVIDENCE,
	DOCUMENT_OPCERT,
	DOCUMENT_REVOCATIONS,
	DOCUMENT_SHARE_SET,
	DOCUMENT_ENROL,
	DOCUMENT_KINDS
};

void document_decode(enum document_kind kind, const char *text, size_t len);

#endif
