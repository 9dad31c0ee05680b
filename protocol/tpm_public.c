/* The attestation key: what its TPMT_PUBLIC must say. */
#include "protocol/tpm_quote.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/tpm_read.h"

#define FIXED_TPM 0x00000002u
#define FIXED_PARENT 0x00000010u
#define SENSITIVE_DATA_ORIGIN 0x00000020u
#define USER_WITH_AUTH 0x00000040u
#define NO_DA 0x00000400u
#define RESTRICTED 0x00010000u
#define SIGN 0x00040000u
#define NEEDED (FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | SIGN)
#define ALLOWED (NEEDED | USER_WITH_AUTH | NO_DA) /* so never DECRYPT */
#define POINT_UNCOMPRESSED 0x04

/* authPolicy: none, or one by SHA-256; what it says is the device's own business. */
static void skip_policy(struct tpm_reader *r)
{
	uint8_t policy[CV_HASH_BYTES];
	const size_t len = (size_t)tpm_read_number(r, 2);

	if (len != 0 && len != sizeof(policy))
		r->failed = 1;
	else
		tpm_read_bytes(r, policy, len);
}

static int algorithms_ok(struct tpm_reader *r)
{
	static const uint16_t wanted[] = {
		TPM_ALG_NULL_, /* symmetric: a signing key has none */
		TPM_ALG_ECDSA_, TPM_ALG_SHA256_, TPM_ECC_NIST_P256_,
		TPM_ALG_NULL_, /* kdf */
	};
	int ok = 1;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		ok &= tpm_read_number(r, 2) == wanted[i];
	return ok;
}

enum cv_err tpm_ak_decode(struct tpm_ak *ak, const uint8_t *area, size_t len)
{
	struct tpm_reader r = {area, len, 0};
	struct tpm_ak decoded;
	uint32_t attributes;
	int algorithms;
	enum cv_err err;

	if (len > TPM_PUBLIC_MAX)
		return CV_ERR_TOO_LONG;
	algorithms = tpm_read_number(&r, 2) == TPM_ALG_ECC_;
	algorithms &= tpm_read_number(&r, 2) == TPM_ALG_SHA256_;
	attributes = (uint32_t)tpm_read_number(&r, 4);
	if (!r.failed && !algorithms)
		return CV_ERR_ALGORITHM;
	skip_policy(&r);
	algorithms = algorithms_ok(&r);
	if (!r.failed && !algorithms)
		return CV_ERR_ALGORITHM;
	decoded.public_key[0] = POINT_UNCOMPRESSED;
	tpm_read_sized(&r, decoded.public_key + 1, CV_HASH_BYTES);
	tpm_read_sized(&r, decoded.public_key + 1 + CV_HASH_BYTES, CV_HASH_BYTES);
	if (r.failed || r.left != 0)
		return CV_ERR_FORMAT;
	if ((attributes & NEEDED) != NEEDED || (attributes & ~ALLOWED) != 0)
		return CV_ERR_ROLE;
	err = tpm_name(decoded.name, area, len);
	if (err == CV_OK)
		*ak = decoded;
	return err;
}
