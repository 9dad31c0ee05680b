/* The sealed part of an enrolment package, sealed here around whatever the fuzzer makes of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/crypto.h"
#include "protocol/enrol.h"
#include "protocol/hpke.h"
#include "protocol/json_write.h"
#include "protocol/lp.h"
#include "tests/fuzz/support/decode.h"
#include "tests/vectors/protocol_vectors.h"

#define PLAIN_MAX 12000

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
	static uint8_t sealed[PLAIN_MAX + HPKE_OVERHEAD];
	static char payload[2 * PLAIN_MAX], text[CV_JWS_MAX];
	const struct jws_signer signer = {no_sign, NULL};
	uint8_t info[256];
	struct hpke_context_info ci = {info, 0, NULL, 0};
	struct json_writer w;
	struct lp lp;
	size_t len;

	if (size > PLAIN_MAX || crypto_init() != CV_OK)
		return 0;
	lp_begin(&lp, info, sizeof(info), "conclave-enrol-v1");
	lp_text(&lp, "acme");
	lp_text(&lp, "gw-b");
	lp_text(&lp, "pump-7");
	if (lp_end(&lp, &ci.info_len) != CV_OK ||
		hpke_seal_with(sealed, v_ephemeral_private, v_enrolment_public, &ci, data, size) !=
			CV_OK)
		abort();
	json_begin(&w, payload, sizeof(payload));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", "acme");
	json_text(&w, "gateway", "gw-b");
	json_text(&w, "device", "pump-7");
	json_bytes(&w, "enc", sealed, HPKE_ENC_BYTES);
	json_bytes(&w, "ct", sealed + HPKE_ENC_BYTES, size + HPKE_TAG_BYTES);
	json_object_close(&w);
	if (json_end(&w, &len) == CV_OK &&
		jws_sign(text, sizeof(text), &len, ENROL_TYP, v_opcert, payload, len, &signer) ==
			CV_OK)
		document_decode(DOCUMENT_ENROL, text, len);
	return 0;
}
