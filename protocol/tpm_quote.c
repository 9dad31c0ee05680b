#include "protocol/tpm_quote.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/tpm_read.h"

#define LABEL "conclave-tpm-v1"
#define LABEL_LEN (sizeof(LABEL) - 1)
#define GENERATED 0xff544347 /* TPM_GENERATED_VALUE */
#define ST_ATTEST_QUOTE 0x8018
#define RH_ENDORSEMENT 0x4000000b
#define PCR_LAST 15
#define PCR_IMA 10

int tpm_pcr_position(unsigned int pcr)
{
	if (pcr > PCR_LAST || pcr == PCR_IMA)
		return -1;
	return (int)pcr - (pcr > PCR_IMA);
}

unsigned int tpm_pcr_number(size_t position)
{
	return (unsigned int)position + (position >= PCR_IMA);
}

void tpm_pcr_selection(uint8_t out[TPM_SELECTION_BYTES])
{
	memset(out, 0, TPM_SELECTION_BYTES);
	for (unsigned int pcr = 0; pcr < 8 * TPM_SELECTION_BYTES; pcr++) {
		if (tpm_pcr_position(pcr) >= 0)
			out[pcr / 8] = (uint8_t)(out[pcr / 8] | 1u << pcr % 8);
	}
}

static void put_u32(uint8_t out[4], uint32_t value)
{
	for (size_t i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
}

void tpm_boot_id(uint8_t out[CV_BOOT_ID_BYTES], uint32_t reset_count, uint32_t restart_count)
{
	memset(out, 0, CV_BOOT_ID_BYTES);
	put_u32(out + 4, reset_count);
	put_u32(out + 12, restart_count);
}

static enum cv_err name_of(
	uint8_t out[TPM_NAME_BYTES], const struct crypto_part *parts, size_t count)
{
	enum cv_err err = crypto_sha256(out + 2, parts, count);

	if (err != CV_OK)
		return err;
	out[0] = TPM_ALG_SHA256_ >> 8;
	out[1] = TPM_ALG_SHA256_ & 0xff;
	return CV_OK;
}

enum cv_err tpm_name(uint8_t out[TPM_NAME_BYTES], const uint8_t *area, size_t len)
{
	const struct crypto_part part = {area, len};

	return name_of(out, &part, 1);
}

enum cv_err tpm_qualified_name(uint8_t out[TPM_NAME_BYTES],
	const uint8_t ek_name[TPM_NAME_BYTES], const uint8_t ak_name[TPM_NAME_BYTES])
{
	uint8_t hierarchy[4];
	uint8_t parent[TPM_NAME_BYTES];
	const struct crypto_part above[] = {
		{hierarchy, sizeof(hierarchy)}, {ek_name, TPM_NAME_BYTES}};
	const struct crypto_part own[] = {{parent, sizeof(parent)}, {ak_name, TPM_NAME_BYTES}};
	enum cv_err err;

	put_u32(hierarchy, RH_ENDORSEMENT);
	err = name_of(parent, above, 2);
	return err == CV_OK ? name_of(out, own, 2) : err;
}

enum cv_err tpm_quote_binding(uint8_t out[CV_HASH_BYTES], const char *token, size_t token_len)
{
	uint8_t label_len[4];
	uint8_t text_len[4];
	/* lp() in parts: the token is too large to copy */
	const struct crypto_part parts[] = {{label_len, sizeof(label_len)}, {LABEL, LABEL_LEN},
		{text_len, sizeof(text_len)}, {token, token_len}};

	if (token_len < 1 || token_len > CV_EVIDENCE_MAX)
		return CV_ERR_ARGUMENT;
	put_u32(label_len, LABEL_LEN);
	put_u32(text_len, (uint32_t)token_len);
	return crypto_sha256(out, parts, 4);
}

static enum reason read_clock(struct tpm_reader *r, struct tpm_attest *a)
{
	a->clock_ms = tpm_read_number(r, 8);
	a->reset_count = (uint32_t)tpm_read_number(r, 4);
	a->restart_count = (uint32_t)tpm_read_number(r, 4);
	a->safe = (uint8_t)tpm_read_number(r, 1);
	a->firmware = tpm_read_number(r, 8);
	return r->failed || a->safe > 1 ? REASON_QUOTE_FORMAT : REASON_RELEASE;
}

static enum reason read_pcrs(struct tpm_reader *r, struct tpm_attest *a)
{
	if (tpm_read_number(r, 4) != 1 || tpm_read_number(r, 2) != TPM_ALG_SHA256_ ||
		tpm_read_number(r, 1) != TPM_SELECTION_BYTES)
		return r->failed ? REASON_QUOTE_FORMAT : REASON_QUOTE_SELECTION;
	tpm_read_bytes(r, a->selection, sizeof(a->selection));
	tpm_read_sized(r, a->pcr_digest, sizeof(a->pcr_digest));
	return r->failed || r->left != 0 ? REASON_QUOTE_FORMAT : REASON_RELEASE;
}

enum reason tpm_attest_decode(struct tpm_attest *out, const uint8_t *data, size_t len)
{
	struct tpm_reader r = {data, len, 0};
	struct tpm_attest a;
	enum reason reason;

	memset(&a, 0, sizeof(a));
	if (len > TPM_ATTEST_MAX)
		return REASON_QUOTE_FORMAT;
	if (tpm_read_number(&r, 4) != GENERATED || tpm_read_number(&r, 2) != ST_ATTEST_QUOTE)
		return r.failed ? REASON_QUOTE_FORMAT : REASON_QUOTE_TYPE;
	tpm_read_sized(&r, a.signer, sizeof(a.signer));
	if (!r.failed && (a.signer[0] != TPM_ALG_SHA256_ >> 8 ||
				 a.signer[1] != (TPM_ALG_SHA256_ & 0xff)))
		return REASON_QUOTE_ALGORITHM;
	tpm_read_sized(&r, a.extra_data, sizeof(a.extra_data));
	reason = read_clock(&r, &a);
	if (reason == REASON_RELEASE)
		reason = read_pcrs(&r, &a);
	if (reason == REASON_RELEASE)
		*out = a;
	return reason;
}

/* One of r and s: 1 .. 32 bytes, filled up with zeros in front. */
static void read_scalar(struct tpm_reader *r, uint8_t out[CV_HASH_BYTES])
{
	const size_t len = (size_t)tpm_read_number(r, 2);

	memset(out, 0, CV_HASH_BYTES);
	if (len < 1 || len > CV_HASH_BYTES)
		r->failed = 1;
	else
		tpm_read_bytes(r, out + CV_HASH_BYTES - len, len);
}

static enum reason check_signature(const struct tpm_quote *quote, const struct tpm_ak *ak)
{
	const struct crypto_part part = {quote->attest, quote->attest_len};
	struct tpm_reader r = {quote->signature, quote->signature_len, 0};
	uint8_t sig[CV_ES256_SIG_BYTES];
	uint8_t hash[CV_HASH_BYTES];
	enum cv_err err;

	if (tpm_read_number(&r, 2) != TPM_ALG_ECDSA_ || tpm_read_number(&r, 2) != TPM_ALG_SHA256_)
		return r.failed ? REASON_QUOTE_FORMAT : REASON_QUOTE_ALGORITHM;
	read_scalar(&r, sig);
	read_scalar(&r, sig + CV_HASH_BYTES);
	if (r.failed || r.left != 0)
		return REASON_QUOTE_FORMAT;
	err = crypto_sha256(hash, &part, 1);
	if (err == CV_OK)
		err = crypto_es256_verify(ak->public_key, hash, sig);
	if (err == CV_ERR_SIGNATURE)
		return REASON_QUOTE_SIGNATURE;
	return err == CV_OK ? REASON_RELEASE : REASON_INTERNAL;
}

static enum reason check_signer(const struct tpm_attest *a, const struct tpm_ak *ak,
	const uint8_t ek_name[TPM_NAME_BYTES])
{
	uint8_t expected[TPM_NAME_BYTES];

	if (tpm_qualified_name(expected, ek_name, ak->name) != CV_OK)
		return REASON_INTERNAL;
	return crypto_equal(a->signer, expected, sizeof(expected)) ? REASON_RELEASE
								   : REASON_QUOTE_KEY;
}

static enum reason check_token(const struct tpm_attest *a, const char *token, size_t token_len)
{
	uint8_t expected[CV_HASH_BYTES];

	if (tpm_quote_binding(expected, token, token_len) != CV_OK)
		return REASON_INTERNAL;
	return crypto_equal(a->extra_data, expected, sizeof(expected)) ? REASON_RELEASE
								       : REASON_QUOTE_TOKEN;
}

/* The selection that was signed, not one that came with it, says what the digest is over. */
static enum reason check_pcrs(const struct tpm_attest *a, const struct tpm_quote *quote)
{
	const struct crypto_part part = {quote->pcrs, sizeof(quote->pcrs)};
	uint8_t demanded[TPM_SELECTION_BYTES];
	uint8_t digest[CV_HASH_BYTES];

	tpm_pcr_selection(demanded);
	if (!crypto_equal(a->selection, demanded, sizeof(demanded)))
		return REASON_QUOTE_SELECTION;
	if (crypto_sha256(digest, &part, 1) != CV_OK)
		return REASON_INTERNAL;
	return crypto_equal(a->pcr_digest, digest, sizeof(digest)) ? REASON_RELEASE
								   : REASON_QUOTE_DIGEST;
}

enum reason tpm_quote_verify(struct tpm_attest *out, const struct tpm_quote *quote,
	const struct tpm_ak *ak, const uint8_t ek_name[TPM_NAME_BYTES], const char *token,
	size_t token_len)
{
	struct tpm_attest a;
	enum reason reason = REASON_INTERNAL;

	if (quote->attest_len > TPM_ATTEST_MAX || quote->signature_len > TPM_SIGNATURE_MAX)
		return REASON_QUOTE_FORMAT;
	reason = check_signature(quote, ak);
	if (reason == REASON_RELEASE)
		reason = tpm_attest_decode(&a, quote->attest, quote->attest_len);
	if (reason == REASON_RELEASE)
		reason = check_signer(&a, ak, ek_name);
	if (reason == REASON_RELEASE)
		reason = check_token(&a, token, token_len);
	if (reason == REASON_RELEASE)
		reason = check_pcrs(&a, quote);
	if (reason == REASON_RELEASE)
		*out = a;
	return reason;
}
