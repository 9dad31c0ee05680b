#include "device/tpm.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include "host/log.h"
#include "protocol/crypto.h"

#define TRIES 3
#define PCR_BANK_LIMIT 24

enum cv_err tpm_boot_id_read(struct tpm *t, uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	TPMS_TIME_INFO *now = NULL;
	enum cv_err err = tpm_result(t,
		Esys_ReadClock(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &now), "clock");

	if (err == CV_OK)
		tpm_boot_id(boot_id, now->clockInfo.resetCount, now->clockInfo.restartCount);
	Esys_Free(now);
	return err;
}

static TPML_PCR_SELECTION selection(void)
{
	TPML_PCR_SELECTION s = {.count = 1};

	s.pcrSelections[0].hash = TPM2_ALG_SHA256;
	s.pcrSelections[0].sizeofSelect = TPM_SELECTION_BYTES;
	tpm_pcr_selection(s.pcrSelections[0].pcrSelect);
	return s;
}

static enum cv_err copy_quote(const struct tpm *t, struct tpm_quote *quote,
	const TPM2B_ATTEST *attest, const TPMT_SIGNATURE *signature)
{
	enum cv_err err;

	quote->signature_len = 0;
	if (attest->size > sizeof(quote->attest)) {
		log_error("TPM %s: its quote is longer than the protocol's", t->name);
		return CV_ERR_TPM;
	}
	memcpy(quote->attest, attest->attestationData, attest->size);
	quote->attest_len = attest->size;
	err = tpm_result(t,
		Tss2_MU_TPMT_SIGNATURE_Marshal(signature, quote->signature,
			sizeof(quote->signature), &quote->signature_len),
		"quote");
	return err;
}

/* The values into their places; a TPM gives at most eight at a time. */
static enum cv_err take_values(struct tpm_quote *quote, TPML_PCR_SELECTION *left,
	const TPML_PCR_SELECTION *read, const TPML_DIGEST *values)
{
	uint32_t next = 0;

	if (read->count != 1 || read->pcrSelections[0].sizeofSelect < TPM_SELECTION_BYTES ||
		values->count == 0)
		return CV_ERR_TPM;
	for (unsigned int pcr = 0; pcr < PCR_BANK_LIMIT; pcr++) {
		const uint8_t bit = (uint8_t)(1u << pcr % 8);
		const int place = tpm_pcr_position(pcr);

		if ((read->pcrSelections[0].pcrSelect[pcr / 8] & bit) == 0)
			continue;
		if (place < 0 || next >= values->count ||
			values->digests[next].size != CV_HASH_BYTES)
			return CV_ERR_TPM;
		memcpy(quote->pcrs[place], values->digests[next++].buffer, CV_HASH_BYTES);
		left->pcrSelections[0].pcrSelect[pcr / 8] &= (uint8_t)~bit;
	}
	return next == values->count ? CV_OK : CV_ERR_TPM;
}

static int is_empty(const TPML_PCR_SELECTION *s)
{
	const uint8_t *select = s->pcrSelections[0].pcrSelect;

	return (select[0] | select[1] | select[2]) == 0;
}

static enum cv_err read_pcrs(struct tpm *t, struct tpm_quote *quote)
{
	TPML_PCR_SELECTION left = selection();
	enum cv_err err = CV_OK;

	for (int i = 0; i < TPM_PCR_COUNT && err == CV_OK && !is_empty(&left); i++) {
		TPML_PCR_SELECTION *read = NULL;
		TPML_DIGEST *values = NULL;

		err = tpm_result(t,
			Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &left,
				NULL, &read, &values),
			"PCRs");
		if (err == CV_OK && take_values(quote, &left, read, values) != CV_OK) {
			log_error(
				"TPM %s: PCRs: it has no SHA-256 bank, or not all of it", t->name);
			err = CV_ERR_TPM;
		}
		Esys_Free(read);
		Esys_Free(values);
	}
	return err;
}

static enum cv_err quote_once(struct tpm *t, ESYS_TR ak, const uint8_t binding[CV_HASH_BYTES],
	struct tpm_quote *quote)
{
	static const TPMT_SIG_SCHEME own = {.scheme = TPM2_ALG_NULL};
	const TPML_PCR_SELECTION pcrs = selection();
	TPM2B_DATA qualifying = {.size = CV_HASH_BYTES};
	TPM2B_ATTEST *attest = NULL;
	TPMT_SIGNATURE *signature = NULL;
	enum cv_err err;

	memcpy(qualifying.buffer, binding, CV_HASH_BYTES);
	err = tpm_result(t,
		Esys_Quote(t->esys, ak, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &qualifying,
			&own, &pcrs, &attest, &signature),
		"quote");
	if (err == CV_OK)
		err = copy_quote(t, quote, attest, signature);
	Esys_Free(attest);
	Esys_Free(signature);
	return err == CV_OK ? read_pcrs(t, quote) : err;
}

/* CV_ERR_MISMATCH: a PCR was extended between the quote and the reading of it. */
static enum cv_err check_values(const struct tpm *t, const struct tpm_quote *quote,
	uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	const struct crypto_part part = {quote->pcrs, sizeof(quote->pcrs)};
	uint8_t digest[CV_HASH_BYTES];
	struct tpm_attest a;
	enum cv_err err;

	if (tpm_attest_decode(&a, quote->attest, quote->attest_len) != REASON_RELEASE) {
		log_error("TPM %s: its quote is not of the form that gateways take", t->name);
		return CV_ERR_TPM;
	}
	err = crypto_sha256(digest, &part, 1);
	if (err != CV_OK)
		return err;
	tpm_boot_id(boot_id, a.reset_count, a.restart_count);
	return crypto_equal(digest, a.pcr_digest, sizeof(digest)) ? CV_OK : CV_ERR_MISMATCH;
}

/* The PCR values are read again until they are the quoted ones. */
static enum cv_err attest(struct tpm *t, ESYS_TR ak, const uint8_t binding[CV_HASH_BYTES],
	struct tpm_quote *quote, uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	enum cv_err err = CV_ERR_MISMATCH;

	for (int i = 0; i < TRIES && err == CV_ERR_MISMATCH; i++) {
		memset(quote, 0, sizeof(*quote));
		err = quote_once(t, ak, binding, quote);
		if (err == CV_OK)
			err = check_values(t, quote, boot_id);
	}
	if (err == CV_ERR_MISMATCH) {
		log_error("TPM %s: PCRs change while they are quoted: try again", t->name);
		err = CV_ERR_BUSY;
	}
	return err;
}

enum cv_err tpm_attest_once(const char *tcti, const struct tpm_identity *id,
	const uint8_t binding[CV_HASH_BYTES], struct tpm_quote *quote,
	uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	struct tpm t;
	ESYS_TR ak = ESYS_TR_NONE;
	enum cv_err err = tpm_open(&t, tcti);

	if (err != CV_OK)
		return err;
	err = tpm_key_load(&t, id, &ak);
	if (err == CV_OK)
		err = attest(&t, ak, binding, quote, boot_id);
	tpm_flush(&t, &ak);
	tpm_close(&t);
	return err;
}
