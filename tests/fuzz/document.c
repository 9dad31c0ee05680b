/* Payloads of signed documents: the target wraps them, so that the fuzzer need not know base64url. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/crypto.h"
#include "protocol/enrol.h"
#include "protocol/evidence.h"
#include "protocol/jws.h"
#include "protocol/opcert.h"
#include "protocol/share_set.h"
#include "tests/fuzz/support/decode.h"
#include "tests/vectors/protocol_vectors.h"

static const struct {
	const char *typ;
	const char *crt;
} headers[DOCUMENT_KINDS] = {
	[DOCUMENT_EVIDENCE] = {EVIDENCE_TYP, NULL},
	[DOCUMENT_OPCERT] = {OPCERT_TYP, NULL},
	[DOCUMENT_REVOCATIONS] = {REVOCATIONS_TYP, NULL},
	[DOCUMENT_SHARE_SET] = {SHARE_SET_TYP, v_opcert},
	[DOCUMENT_ENROL] = {ENROL_TYP, v_opcert},
};

static enum cv_err no_sign(
	void *context, const uint8_t hash[CV_HASH_BYTES], uint8_t sig[CV_ES256_SIG_BYTES])
{
	(void)context;
	(void)hash;
	memset(sig, 0, CV_ES256_SIG_BYTES);
	return CV_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[CV_JWS_MAX];
	const struct jws_signer signer = {no_sign, NULL};
	enum document_kind kind;
	char *copy;
	size_t len;

	if (size < 1 || crypto_init() != CV_OK)
		return 0;
	kind = (enum document_kind)(data[0] % DOCUMENT_KINDS);
	if (jws_sign(text, sizeof(text), &len, headers[kind].typ, headers[kind].crt,
		    (const char *)data + 1, size - 1, &signer) != CV_OK)
		return 0;
	copy = malloc(len);
	if (copy == NULL)
		return 0;
	memcpy(copy, text, len);
	document_decode(kind, copy, len);
	free(copy);
	return 0;
}
