/* The endorsement key, and the quoting key under it (docs/protocol.md sections 13 and 15). */
#include "device/tpm.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include "host/log.h"
#include "protocol/crypto.h"

#define AES_BITS 128

static const TPM2B_DATA no_data;
static const TPML_PCR_SELECTION no_pcrs;

static enum cv_err encode_public(
	const struct tpm *t, uint8_t *out, size_t cap, size_t *len, const TPM2B_PUBLIC *key)
{
	size_t offset = 0;
	enum cv_err err = tpm_result(t,
		Tss2_MU_TPMT_PUBLIC_Marshal(&key->publicArea, out, cap, &offset), "public key");

	if (err == CV_OK)
		*len = offset;
	return err;
}

/* The endorsement key, made anew from its seed: the same each time. *area is its TPMT_PUBLIC. */
static enum cv_err make_ek(struct tpm *t, enum tpm_ek_kind kind, ESYS_TR *ek,
	uint8_t area[TPM_EK_PUBLIC_MAX], size_t *area_len)
{
	static const TPM2B_SENSITIVE_CREATE plain;
	TPM2B_PUBLIC template = {.size = 0};
	TPM2B_PUBLIC *made = NULL;
	uint8_t wanted[TPM_EK_PUBLIC_MAX];
	size_t len, offset = 0;
	enum cv_err err;

	tpm_ek_template(wanted, &len, kind);
	err = tpm_result(t,
		Tss2_MU_TPMT_PUBLIC_Unmarshal(wanted, len, &offset, &template.publicArea),
		"endorsement key");
	if (err == CV_OK)
		err = tpm_result(t,
			Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
				ESYS_TR_NONE, ESYS_TR_NONE, &plain, &template, &no_data, &no_pcrs,
				ek, &made, NULL, NULL, NULL),
			"endorsement key");
	if (err == CV_OK)
		err = encode_public(t, area, TPM_EK_PUBLIC_MAX, area_len, made);
	Esys_Free(made);
	return err;
}

/* What the endorsement key's policy asks for: PolicySecret(endorsement hierarchy). */
static enum cv_err open_session(struct tpm *t, ESYS_TR *session)
{
	static const TPMT_SYM_DEF aes = {.algorithm = TPM2_ALG_AES,
		.keyBits = {.aes = AES_BITS},
		.mode = {.aes = TPM2_ALG_CFB}};
	enum cv_err err = tpm_result(t,
		Esys_StartAuthSession(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
			ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &aes, TPM2_ALG_SHA256,
			session),
		"session");

	if (err != CV_OK) {
		*session = ESYS_TR_NONE;
		return err;
	}
	return tpm_result(t,
		Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, *session, ESYS_TR_PASSWORD,
			ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL),
		"endorsement hierarchy");
}

/*
 * A session under a key that only this endorsement key can open: what comes out of the TPM through
 * it is not in clear on the bus of a discrete chip.
 */
static enum cv_err open_veil(struct tpm *t, ESYS_TR ek, ESYS_TR *session)
{
	static const TPMT_SYM_DEF aes = {.algorithm = TPM2_ALG_AES,
		.keyBits = {.aes = AES_BITS},
		.mode = {.aes = TPM2_ALG_CFB}};
	enum cv_err err = tpm_result(t,
		Esys_StartAuthSession(t->esys, ek, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
			ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, session),
		"session");

	if (err != CV_OK) {
		*session = ESYS_TR_NONE;
		return err;
	}
	return tpm_result(t,
		Esys_TRSess_SetAttributes(t->esys, *session,
			TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION,
			TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION),
		"session");
}

static enum cv_err create_under(
	struct tpm *t, ESYS_TR ek, ESYS_TR session, struct tpm_identity *id)
{
	static const TPM2B_SENSITIVE_CREATE plain;
	static const TPM2B_PUBLIC template = {.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT |
			TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
			TPMA_OBJECT_NODA,
		.parameters.eccDetail = {
			.symmetric.algorithm = TPM2_ALG_NULL,
			.scheme = {.scheme = TPM2_ALG_ECDSA,
				.details.ecdsa.hashAlg = TPM2_ALG_SHA256},
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		}}};
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	enum cv_err err = tpm_result(t,
		Esys_Create(t->esys, ek, session, ESYS_TR_NONE, ESYS_TR_NONE, &plain, &template,
			&no_data, &no_pcrs, &private, &public, NULL, NULL, NULL),
		"quoting key");

	if (err == CV_OK)
		err = encode_public(t, id->ak, sizeof(id->ak), &id->ak_len, public);
	if (err == CV_OK && private->size > sizeof(id->private))
		err = CV_ERR_TOO_LONG;
	if (err == CV_OK) {
		memcpy(id->private, private->buffer, private->size);
		id->private_len = private->size;
	}
	Esys_Free(private);
	Esys_Free(public);
	return err;
}

enum cv_err tpm_key_create(struct tpm *t, enum tpm_ek_kind kind, struct tpm_identity *id,
	uint8_t ek[TPM_EK_PUBLIC_MAX], size_t *ek_len)
{
	ESYS_TR parent = ESYS_TR_NONE, session = ESYS_TR_NONE;
	struct tpm_identity made = {.kind = kind};
	enum cv_err err = make_ek(t, kind, &parent, ek, ek_len);

	if (err == CV_OK)
		err = tpm_name(made.ek_name, ek, *ek_len);
	if (err == CV_OK)
		err = open_session(t, &session);
	if (err == CV_OK)
		err = create_under(t, parent, session, &made);
	tpm_flush(t, &session);
	tpm_flush(t, &parent);
	if (err == CV_OK)
		*id = made;
	return err;
}

static enum cv_err decode_key(const struct tpm *t, const struct tpm_identity *id,
	TPM2B_PUBLIC *public, TPM2B_PRIVATE *private)
{
	size_t offset = 0;

	memset(public, 0, sizeof(*public));
	private->size = (UINT16)id->private_len;
	memcpy(private->buffer, id->private, id->private_len);
	return tpm_result(t,
		Tss2_MU_TPMT_PUBLIC_Unmarshal(id->ak, id->ak_len, &offset, &public->publicArea),
		"quoting key");
}

static enum cv_err load_under(struct tpm *t, ESYS_TR ek, ESYS_TR session,
	const struct tpm_identity *id, ESYS_TR *ak)
{
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	TSS2_RC rc;
	enum cv_err err = decode_key(t, id, &public, &private);

	if (err != CV_OK)
		return err;
	rc = Esys_Load(t->esys, ek, session, ESYS_TR_NONE, ESYS_TR_NONE, &private, &public, ak);
	if (tpm_answered(rc, TPM2_RC_INTEGRITY)) {
		log_error("TPM %s: it was cleared since this device was enrolled: its quoting key "
			  "is gone: enrol the device anew",
			t->name);
		*ak = ESYS_TR_NONE;
		return CV_ERR_TPM;
	}
	err = tpm_result(t, rc, "quoting key");
	if (err != CV_OK)
		*ak = ESYS_TR_NONE;
	return err;
}

/* Endorsement key and quoting key, both loaded; nothing is on failure. */
static enum cv_err load_both(
	struct tpm *t, const struct tpm_identity *id, ESYS_TR *ek, ESYS_TR *ak)
{
	ESYS_TR session = ESYS_TR_NONE;
	uint8_t area[TPM_EK_PUBLIC_MAX], name[TPM_NAME_BYTES];
	size_t len = 0;
	enum cv_err err;

	*ek = *ak = ESYS_TR_NONE;
	err = make_ek(t, id->kind, ek, area, &len);
	if (err == CV_OK)
		err = tpm_name(name, area, len);
	if (err == CV_OK && !crypto_equal(name, id->ek_name, sizeof(name))) {
		log_error("TPM %s: it is another TPM than the one this device was enrolled with",
			t->name);
		err = CV_ERR_TPM;
	}
	if (err == CV_OK)
		err = open_session(t, &session);
	if (err == CV_OK)
		err = load_under(t, *ek, session, id, ak);
	tpm_flush(t, &session);
	if (err != CV_OK)
		tpm_flush(t, ek);
	return err;
}

enum cv_err tpm_key_load(struct tpm *t, const struct tpm_identity *id, ESYS_TR *ak)
{
	ESYS_TR ek = ESYS_TR_NONE;
	enum cv_err err = load_both(t, id, &ek, ak);

	tpm_flush(t, &ek);
	return err;
}

/* What the TPM itself says of a parameter: the blob was made for another key or was changed. */
static int is_refusal(TSS2_RC rc)
{
	return (rc & TSS2_RC_LAYER_MASK) == TSS2_TPM_RC_LAYER && (rc & TPM2_RC_FMT1) != 0 &&
		(rc & TPM2_RC_P) != 0;
}

static enum cv_err activate(struct tpm *t, ESYS_TR ak, ESYS_TR ek,
	const struct enrol_tpm_challenge *c, uint8_t secret[ENROL_TPM_SECRET_BYTES])
{
	TPM2B_ID_OBJECT credential = {.size = (UINT16)c->credential_len};
	TPM2B_ENCRYPTED_SECRET seed = {.size = (UINT16)c->seed_len};
	ESYS_TR session = ESYS_TR_NONE, veil = ESYS_TR_NONE;
	TPM2B_DIGEST *out = NULL;
	TSS2_RC rc;
	enum cv_err err = open_session(t, &session);

	if (err == CV_OK)
		err = open_veil(t, ek, &veil);

	memcpy(credential.credential, c->credential, c->credential_len);
	memcpy(seed.secret, c->seed, c->seed_len);
	if (err != CV_OK)
		goto out;
	rc = Esys_ActivateCredential(t->esys, ak, ek, ESYS_TR_PASSWORD, session, veil,
		&credential, &seed, &out);
	/* the TPM does not say more than that: nor do we */
	if (is_refusal(rc)) {
		log_error("challenge: it is not for this TPM and the key of the last request");
		err = CV_ERR_TPM;
		goto out;
	}
	err = tpm_result(t, rc, "challenge");
	if (err == CV_OK && out->size != ENROL_TPM_SECRET_BYTES) {
		log_error("challenge: its secret has another length than the protocol's");
		err = CV_ERR_TPM;
	}
	if (err == CV_OK)
		memcpy(secret, out->buffer, ENROL_TPM_SECRET_BYTES);
out:
	tpm_flush(t, &veil);
	tpm_flush(t, &session);
	if (out != NULL)
		crypto_wipe(out, sizeof(*out));
	Esys_Free(out);
	return err;
}

enum cv_err tpm_key_activate(struct tpm *t, const struct tpm_identity *id,
	const struct enrol_tpm_challenge *challenge, uint8_t secret[ENROL_TPM_SECRET_BYTES])
{
	ESYS_TR ek = ESYS_TR_NONE, ak = ESYS_TR_NONE;
	enum cv_err err;

	crypto_wipe(secret, ENROL_TPM_SECRET_BYTES);
	err = load_both(t, id, &ek, &ak);
	if (err == CV_OK)
		err = activate(t, ak, ek, challenge, secret);
	tpm_flush(t, &ak);
	tpm_flush(t, &ek);
	return err;
}
