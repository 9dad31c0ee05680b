/*
 * What a TPM signed, its keys, and the messages of its enrolment: the first byte picks. Signatures
 * always hold here.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/crypto.h"
#include "protocol/enrol_tpm.h"
#include "tests/vectors/tpm_vectors.h"

static void attest(const uint8_t *data, size_t len)
{
	struct tpm_attest a;

	memset(&a, 0, sizeof(a));
	if (tpm_attest_decode(&a, data, len) == REASON_RELEASE && (len != 145 || a.safe > 1))
		abort();
}

static void key(const uint8_t *data, size_t len)
{
	struct tpm_ak ak;

	if (tpm_ak_decode(&ak, data, len) == CV_OK && (len < 88 || ak.public_key[0] != 4))
		abort();
}

/* Whatever else the bytes say, only this token's quote by this key over these values holds. */
static void quote(const uint8_t *data, size_t len)
{
	struct tpm_quote q = {.signature_len = sizeof(v_tpm_quote_signature)};
	struct tpm_attest a;
	struct tpm_ak ak;

	if (len < q.signature_len || len - q.signature_len > TPM_ATTEST_MAX)
		return;
	memcpy(q.signature, data, q.signature_len);
	q.attest_len = len - q.signature_len;
	memcpy(q.attest, data + q.signature_len, q.attest_len);
	memcpy(q.pcrs, v_tpm_quote_pcrs, sizeof(q.pcrs));
	if (tpm_ak_decode(&ak, v_tpm_ak, sizeof(v_tpm_ak)) != CV_OK)
		abort();
	if (tpm_quote_verify(&a, &q, &ak, v_tpm_ek_name, "token", 5) == REASON_RELEASE)
		abort();
}

static void endorsement(const uint8_t *data, size_t len)
{
	struct tpm_ek ek;

	if (tpm_ek_decode(&ek, data, len) == CV_OK && len != (ek.kind == TPM_EK_RSA ? 314 : 122))
		abort();
}

/* What is taken is written back and taken again as the same. */
static void request(const uint8_t *data, size_t len)
{
	static struct enrol_tpm_request m, again;
	static char text[ENROL_TPM_TEXT_MAX + 1];
	size_t out;

	if (enrol_tpm_request_decode(&m, (const char *)data, len) != CV_OK)
		return;
	if (enrol_tpm_request_encode(text, sizeof(text), &out, &m) != CV_OK ||
		enrol_tpm_request_decode(&again, text, out) != CV_OK ||
		memcmp(&m, &again, sizeof(m)) != 0)
		abort();
}

static void challenge(const uint8_t *data, size_t len)
{
	struct enrol_tpm_challenge m, again;
	static char text[ENROL_TPM_TEXT_MAX + 1];
	size_t out;

	if (enrol_tpm_challenge_decode(&m, (const char *)data, len) != CV_OK)
		return;
	if (enrol_tpm_challenge_encode(text, sizeof(text), &out, &m) != CV_OK ||
		enrol_tpm_challenge_decode(&again, text, out) != CV_OK ||
		memcmp(&m, &again, sizeof(m)) != 0)
		abort();
}

static void response(const uint8_t *data, size_t len)
{
	struct enrol_tpm_response m, again;
	static char text[ENROL_TPM_TEXT_MAX + 1];
	size_t out;

	if (enrol_tpm_response_decode(&m, (const char *)data, len) != CV_OK)
		return;
	if (enrol_tpm_response_encode(text, sizeof(text), &out, &m) != CV_OK ||
		enrol_tpm_response_decode(&again, text, out) != CV_OK ||
		memcmp(&m, &again, sizeof(m)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const uint8_t *, size_t) = {
		attest, key, quote, endorsement, request, challenge, response};

	if (crypto_init() != CV_OK)
		abort();
	if (size >= 1 && data[0] < sizeof(parsers) / sizeof(parsers[0]))
		parsers[data[0]](data + 1, size - 1);
	return 0;
}
