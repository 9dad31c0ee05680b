#include "device/tpm.h"

#include <string.h>

#include "host/log.h"

/* TCG EK Credential Profile 2.5, section 2.2.1.4: the certificates of the low range. */
#define NV_CERTIFICATE_RSA 0x01c00002
#define NV_CERTIFICATE_ECC 0x01c0000a
#define NV_STEP 512 /* every TPM reads as much at once */

/* The DER in front of what fills the index up; 0 if there is none. */
static size_t der_length(const uint8_t *data, size_t len)
{
	size_t n;

	if (len < 4 || data[0] != 0x30 || data[1] != 0x82)
		return 0;
	n = 4 + ((size_t)data[2] << 8 | data[3]);
	return n <= len ? n : 0;
}

static enum cv_err read_index(
	struct tpm *t, ESYS_TR index, size_t size, uint8_t out[ENROL_TPM_CERTIFICATE_MAX])
{
	enum cv_err err = CV_OK;

	for (size_t at = 0; at < size && err == CV_OK;) {
		const size_t step = size - at < NV_STEP ? size - at : NV_STEP;
		TPM2B_MAX_NV_BUFFER *part = NULL;

		err = tpm_result(t,
			Esys_NV_Read(t->esys, index, index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				ESYS_TR_NONE, (UINT16)step, (UINT16)at, &part),
			"certificate in NV memory");
		if (err == CV_OK && part->size != step)
			err = CV_ERR_TPM;
		if (err == CV_OK)
			memcpy(out + at, part->buffer, step);
		at += step;
		Esys_Free(part);
	}
	return err;
}

enum cv_err tpm_ek_certificate(struct tpm *t, enum tpm_ek_kind kind,
	uint8_t out[ENROL_TPM_CERTIFICATE_MAX], size_t *len)
{
	const TPM2_HANDLE handle = kind == TPM_EK_RSA ? NV_CERTIFICATE_RSA : NV_CERTIFICATE_ECC;
	ESYS_TR index = ESYS_TR_NONE;
	TPM2B_NV_PUBLIC *public = NULL;
	enum cv_err err;
	TSS2_RC rc = Esys_TR_FromTPMPublic(
		t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &index);

	*len = 0;
	if (tpm_answered(rc, TPM2_RC_HANDLE)) /* no such index */
		return CV_OK;
	err = tpm_result(t, rc, "certificate in NV memory");
	if (err != CV_OK)
		return err;
	err = tpm_result(t,
		Esys_NV_ReadPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
			&public, NULL),
		"certificate in NV memory");
	if (err == CV_OK && public->nvPublic.dataSize > ENROL_TPM_CERTIFICATE_MAX) {
		log_error("TPM %s: the certificate in NV memory is over %d bytes", t->name,
			ENROL_TPM_CERTIFICATE_MAX);
		err = CV_ERR_TPM;
	}
	if (err == CV_OK)
		err = read_index(t, index, public->nvPublic.dataSize, out);
	if (err == CV_OK) {
		*len = der_length(out, public->nvPublic.dataSize);
		if (*len == 0)
			log_warning("TPM %s: NV index 0x%08x holds no certificate: left out",
				t->name, (unsigned int)handle);
	}
	Esys_Free(public);
	(void)Esys_TR_Close(t->esys, &index);
	return err;
}
